-- Key sets that are fetched from a service and kept. Each worker has its own, shared by all routes that name the same place.
local keys = require("keys")

local jwks = {}

local sets = {}

-- Seconds between two attempts, so that tokens with made-up key identifiers cannot make the proxy flood the service.
local pause = 10

local function set_of(source)
  local name = table.concat({source.service, source.authority, source.path}, "\n")
  sets[name] = sets[name] or {}
  return sets[name]
end

local function fetch(request, set, source)
  set.attempted = weft.time.monotonic()
  -- The client of this request may go away while it waits; nobody waits for it longer than this.
  set.busy_until = set.attempted + source.timeout / 1000 + 1
  local headers, body = request:httpCall(source.service, {
    [":method"] = "GET",
    [":path"] = source.path,
    [":authority"] = source.authority ~= "" and source.authority or source.service,
    accept = "application/jwk-set+json, application/json",
  }, nil, source.timeout)
  set.busy_until = nil
  local found = headers[":status"] == "200" and keys.from_jwks(body or "")
  if found then
    set.keys, set.fetched = found, weft.time.monotonic()
  else
    -- What is there stays in use: an identity provider that is down for a while takes nobody with it.
    request:logWarn(("no keys from %s%s: status %s"):format(source.service, source.path, headers[":status"]))
  end
end

local function is_busy(set) return set.busy_until ~= nil and weft.time.monotonic() < set.busy_until end

local function may_fetch(set)
  return not is_busy(set) and (not set.attempted or weft.time.monotonic() - set.attempted >= pause)
end

-- The keys, fetched when they are not there or old; nil when there are none to be had. One request fetches them; others go on
-- with the old ones, and wait only when there are none.
function jwks.get(request, source)
  local set = set_of(source)
  local is_old = not set.fetched or weft.time.monotonic() - set.fetched >= source.refresh
  if is_old and may_fetch(set) then fetch(request, set, source) end
  while not set.keys and is_busy(set) do request:sleep(10) end
  return set.keys
end

-- Fetches the keys again because a token names one that is not among them: issuers change their keys now and then.
function jwks.renew(request, source)
  local set = set_of(source)
  if may_fetch(set) then fetch(request, set, source) end
  return set.keys
end

return jwks
