-- One dictionary for all workers; a count goes with its window, and the least used ones when there is no room.
local counts = weft.shared("counts")

local lengths = {second = 1, minute = 60, hour = 3600, day = 86400}

-- The first window that is there twice.
local function repeated(windows)
  local seen = {}
  for i, window in ipairs(windows) do
    if seen[window.per] then return i, window.per end
    seen[window.per] = true
  end
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  local i, per = repeated(settings.windows)
  if i then return ("there is a window per %s already"):format(per), "windows", i end
  for name, windows in pairs(settings.consumers or {}) do
    i, per = repeated(windows)
    if i then return ("there is a window per %s already"):format(per), "consumers", name, i end
  end
end

-- Whose request it is; nil for nobody's.
local function consumer_of(request, settings)
  local name = request:headers():get(settings.header)
  if name and name ~= "" then return "n:" .. name end
  if settings.missing == "refuse" then return nil end
  local peer = weft.ip.parse(request:streamInfo():downstreamRemoteAddress())
  return peer and "a:" .. peer.address
end

local function windows_of(settings, consumer)
  local own = settings.consumers and settings.consumers[consumer:sub(3)]
  return own and consumer:sub(1, 2) == "n:" and own or settings.windows
end

-- The key of the count: windows begin at full minutes, hours and days (UTC). A name may be long, so that its digest stands
-- for it.
local function key_of(settings, consumer, per, begin)
  return table.concat({settings.name, per, tostring(begin), weft.hash.sha256(consumer, "base64url")}, "|")
end

-- Counts the request in each window. Returns the window that says most about what is left, as {per =, requests =, left =,
-- reset =}; `left` is below 0 when the request is too much.
local function count(settings, consumer)
  local now = math.floor(weft.time.now())
  local tightest
  local taken = {}
  for _, window in ipairs(windows_of(settings, consumer)) do
    local length = lengths[window.per]
    local begin = now - now % length
    local key = key_of(settings, consumer, window.per, begin)
    -- A second longer than the window, so that no clock can make two counts out of one.
    local used = assert(counts:incr(key, 1, 0, length + 1))
    taken[#taken + 1] = key
    local state = {per = window.per, requests = window.requests, left = window.requests - used, reset = begin + length - now}
    if not tightest or state.left < tightest.left then tightest = state end
  end
  -- A request that is refused uses nothing up.
  if tightest.left < 0 then
    for _, key in ipairs(taken) do counts:incr(key, -1) end
  end
  return tightest
end

-- As draft-ietf-httpapi-ratelimit-headers has it.
local function fields(state)
  return ('"%s";q=%d;w=%d'):format(state.per, state.requests, lengths[state.per]),
    ('"%s";r=%d;t=%d'):format(state.per, math.max(state.left, 0), state.reset)
end

function on_request(request)
  local settings = request:settings()
  local consumer = consumer_of(request, settings)
  if not consumer then
    request:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "nobody to count this request for\n")
  end
  local state = count(settings, consumer)
  local policy, limit = fields(state)
  if state.left < 0 then
    -- RFC 6585 4.
    request:respond({
      [":status"] = "429",
      ["retry-after"] = tostring(state.reset),
      ["ratelimit-policy"] = policy,
      ratelimit = limit,
      ["content-type"] = "text/plain",
    }, "the quota is used up\n")
  end
  local metadata = request:streamInfo():dynamicMetadata()
  metadata:set("quota", settings.name, {policy = policy, limit = limit})
end

function on_response(response)
  local metadata = response:streamInfo():dynamicMetadata():get("quota")
  local state = metadata and metadata[response:settings().name]
  if not state then return end
  response:headers():replace("ratelimit-policy", state.policy)
  response:headers():replace("ratelimit", state.limit)
end
