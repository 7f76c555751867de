-- What is under way on this worker, by what the requests have in common. The first request of its kind, the leader, goes to
-- the service; those that follow wait for its answer.
local flights, count, last = {}, 0, 0
-- At the default size of bodies, half of the memory.
local most = 128

-- Headers that are about one connection or one client.
local not_shared = {["content-length"] = true, ["x-request-id"] = true, ["x-correlation-id"] = true}

local function key_of(request, settings)
  local headers = request:headers()
  -- Others change something, and must happen each for itself.
  if headers:get(":method") ~= "GET" then return nil end
  local parts = {request:streamInfo():routeName(), headers:get(":scheme"), headers:get(":authority"), headers:get(":path")}
  for i, name in ipairs(settings.headers) do parts[4 + i] = headers:get(name) or "" end
  -- With lengths, so that no two lists of texts give one key.
  for i, part in ipairs(parts) do parts[i] = #part .. ":" .. part end
  return weft.hash.sha256(table.concat(parts))
end

-- The number tells a flight from later ones of the same kind.
local function take_off(key)
  count, last = count + 1, last + 1
  flights[key] = {number = last}
  return {key = key, number = last}
end

-- Ends a leader's flight: with an answer for all; or with none, so that one of those who wait goes next; or, `alone`, so that
-- each of them goes for itself.
local function land(leader, answer, alone)
  local flight = flights[leader.key]
  if not flight or flight.number ~= leader.number then return end
  flights[leader.key] = nil
  count = count - 1
  flight.ended, flight.answer, flight.alone = true, answer, alone
end

local function wait_for(flight, deadline)
  -- Answers that are near are taken soon, those that are far seldom looked for.
  local pause = 1
  while not flight.ended and weft.time.monotonic() < deadline do
    weft.sleep(pause)
    pause = math.min(pause * 1.5, 20)
  end
end

function on_request(request)
  local settings = request:settings()
  local key = key_of(request, settings)
  if not key then return end
  local deadline = weft.time.monotonic() + settings.wait / 1000
  while flights[key] do
    local flight = flights[key]
    wait_for(flight, deadline)
    if flight.answer then request:respond(flight.answer.headers, flight.answer.body) end
    if flight.alone or not flight.ended then return end
  end
  if count >= most then return end
  request:streamInfo():dynamicMetadata():set("coalesce", "leader", take_off(key))
end

-- What on_request has left for a leader; nil for all others.
local function leader_of(handle)
  local metadata = handle:streamInfo():dynamicMetadata():get("coalesce")
  return metadata and metadata.leader
end

local function names_all(vary, names)
  for name in (vary or ""):lower():gmatch("[^,%s]+") do
    local found = false
    for _, known in ipairs(names) do found = found or known:lower() == name end
    if not found then return false end
  end
  return true
end

-- Whether others may have the answer, too. `private` is no obstacle: who waits has sent the same cookies and credentials.
local function may_share(headers, settings)
  local control = (headers:get("cache-control") or ""):lower()
  if control:find("no-store", 1, true) or headers:get("set-cookie") then return false end
  if (tonumber(headers:get("content-length")) or 0) > settings.maxBody then return false end
  return names_all(headers:get("vary"), settings.headers)
end

local function copy(headers)
  local fields = {}
  for name, value in pairs(headers) do
    if not not_shared[name] then
      fields[name] = fields[name] or {}
      table.insert(fields[name], value)
    end
  end
  fields[":status"] = headers:get(":status")
  return fields
end

function on_response(response)
  local leader = leader_of(response)
  if not leader then return end
  local settings = response:settings()
  local headers = response:headers()
  if not may_share(headers, settings) then return land(leader, nil, true) end
  local fields = copy(headers)
  -- Piece by piece: the leader's client gets them as they come.
  local pieces, length = {}, 0
  for chunk in response:bodyChunks() do
    length = length + chunk:length()
    if length > settings.maxBody then return land(leader, nil, true) end
    pieces[#pieces + 1] = chunk:getBytes(0, chunk:length())
  end
  land(leader, {headers = fields, body = table.concat(pieces)})
end

-- A leader whose client went away, or whose answer broke off: the next one goes.
function on_log(exchange)
  local leader = leader_of(exchange)
  if leader then land(leader) end
end
