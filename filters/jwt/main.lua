local token = require("token")
local keys = require("keys")
local jwks = require("jwks")

-- What settings amount to, by the settings: made once, gone with them.
local compiled = setmetatable({}, {__mode = "k"})

local function plan_of(settings)
  local plan = compiled[settings]
  if plan then return plan end
  plan = {algorithms = {}, keys = {}, fetches = settings.jwks.service ~= ""}
  for _, name in ipairs(settings.algorithms) do plan.algorithms[name] = true end
  for i, entry in ipairs(settings.keys) do plan.keys[i] = keys.from_settings(entry) end
  compiled[settings] = plan
  return plan
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  if #settings.keys == 0 and settings.jwks.service == "" then
    return "there are neither keys nor a service (jwks.service) to fetch them from"
  end
  for i, entry in ipairs(settings.keys) do
    local key, why = keys.from_settings(entry)
    if not key then return why, "keys", i end
    local serves = false
    for _, algorithm in ipairs(settings.algorithms) do serves = serves or keys.fits(key, algorithm) end
    if not serves then
      return ("none of the algorithms takes this key (%s); name one in \"algorithms\""):format(key.kind), "keys", i
    end
  end
  for header in pairs(settings.claims) do
    if not header:find("^[%w-]+$") then return "is no name of a header", "claims", header end
  end
end

local function token_of(headers, settings)
  local authorization = headers:get("authorization")
  if authorization then
    -- The scheme's case does not matter (RFC 9110 11.1).
    local scheme, text = authorization:match("^(%a+) +(%S+)$")
    return scheme and scheme:lower() == "bearer" and text or nil
  end
  return settings.cookie ~= "" and weft.cookie.get(headers, settings.cookie) or nil
end

-- RFC 6750 3.1: a request without a token is told the realm and nothing else.
local function deny(request, settings, status, why, code)
  local challenge = ('Bearer realm="%s"'):format(settings.realm)
  if code then challenge = ('%s, error="%s", error_description="%s"'):format(challenge, code, why) end
  request:respond({
    [":status"] = status, ["www-authenticate"] = challenge, ["content-type"] = "text/plain",
  }, why .. "\n")
end

local function is_genuine(request, parsed, plan, settings)
  local genuine = keys.verify(plan.keys, parsed)
  if genuine or not plan.fetches then return genuine end
  local known
  genuine, known = keys.verify(jwks.get(request, settings.jwks) or {}, parsed)
  if genuine or known then return genuine end
  local fetched = jwks.renew(request, settings.jwks)
  if not fetched then
    -- Nothing can be said about the token, and that is not the client's fault.
    request:respond({
      [":status"] = "503", ["retry-after"] = "10", ["content-type"] = "text/plain",
    }, "no keys to check tokens with\n")
  end
  return (keys.verify(fetched, parsed))
end

function on_request(request)
  local settings = request:settings()
  local headers = request:headers()
  local plan = plan_of(settings)
  local text = token_of(headers, settings)
  -- Whatever comes of the token: what clients say of themselves does not get through.
  for header in pairs(settings.claims) do headers:remove(header) end
  if not text then deny(request, settings, "401", "a token is required") end

  local parsed, why = token.parse(text)
  if not parsed then deny(request, settings, "401", why, "invalid_token") end
  -- The list decides, not the token; "none" cannot be on the list (RFC 8725 3.1).
  if not plan.algorithms[parsed.header.alg] then
    deny(request, settings, "401", "the algorithm is not accepted", "invalid_token")
  end
  if not is_genuine(request, parsed, plan, settings) then
    deny(request, settings, "401", "the signature is not valid", "invalid_token")
  end
  why = token.problem(parsed.claims, settings, weft.time.now())
  if why then deny(request, settings, "401", why, "invalid_token") end
  if not token.has_scopes(parsed.claims, settings.scopes) then
    deny(request, settings, "403", "the token lacks a scope", "insufficient_scope")
  end

  for header, claim in pairs(settings.claims) do
    local value = token.header_value(parsed.claims[claim])
    if value then headers:replace(header, value) end
  end
  if not settings.forwardToken then headers:remove("authorization") end
end
