-- Keys are looked up by their digest: a configuration that leaks gives no key away, and the time of a look-up tells nothing
-- about keys, for nobody can choose a digest.
local known = setmetatable({}, {__mode = "k"})

local function keys_of(settings)
  local keys = known[settings]
  if keys then return keys end
  keys = {}
  for _, key in ipairs(settings.keys) do
    local expires = key.expires and assert(weft.time.parse_rfc3339(key.expires))
    keys[key.sha256] = {consumer = key.consumer, expires = expires}
  end
  known[settings] = keys
  return keys
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  local seen = {}
  for i, key in ipairs(settings.keys) do
    if key.expires and not weft.time.parse_rfc3339(key.expires) then
      return ('"%s" is no time such as 2030-01-31T12:00:00Z'):format(key.expires), "keys", i, "expires"
    end
    if seen[key.sha256] then return "is in the list already", "keys", i, "sha256" end
    seen[key.sha256] = true
  end
end

local function key_of(headers, settings)
  local value = headers:get(settings.header)
  if not value or settings.header:lower() ~= "authorization" then return value end
  -- The scheme's case does not matter (RFC 9110 11.1).
  local scheme, token = value:match("^(%a+) +(%S+)$")
  return scheme and scheme:lower() == "bearer" and token or nil
end

local function deny(request, settings, has_key)
  local scheme = settings.header:lower() == "authorization" and "Bearer" or "ApiKey"
  local challenge = ('%s realm="%s"'):format(scheme, settings.realm)
  if scheme == "Bearer" and has_key then challenge = challenge .. ', error="invalid_token"' end
  request:respond({
    [":status"] = "401",
    ["content-type"] = "text/plain",
    -- A 401 names a way to authenticate (RFC 9110 15.5.2).
    ["www-authenticate"] = challenge,
  }, has_key and "the API key is not valid\n" or "an API key is required\n")
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local key = key_of(headers, settings)
  local entry = key and keys_of(settings)[weft.hash.sha256(key)]
  if not entry or (entry.expires and entry.expires <= weft.time.now()) then
    return deny(request, settings, key ~= nil)
  end
  if not settings.forwardKey then headers:remove(settings.header) end
  -- Replaced, so that nobody can claim to be somebody else.
  headers:replace(settings.consumerHeader, entry.consumer)
end
