local schemes = require("schemes")

local function is_signed(scheme, secrets, text, signatures)
  local found = false
  for _, secret in ipairs(secrets) do
    local expected = weft.hash.hmac_sha256(scheme.key(secret), text, scheme.format)
    for _, signature in ipairs(signatures) do
      -- In constant time, and without an early way out: how long it takes tells nothing about the signature.
      if weft.crypto.equal(expected, signature) then found = true end
    end
  end
  return found
end

-- Runs before the settings are used; what it returns is an error of the configuration.
function check_settings(settings)
  for i, secret in ipairs(settings.secrets) do
    if not pcall(schemes[settings.scheme].key, secret) then
      return "a secret that begins with whsec_ goes on in base64", "secrets", i
    end
  end
end

local function refuse(request, why)
  request:logInfo("webhook refused: " .. why)
  -- One answer for all reasons: the sender knows what it has sent, and nobody else needs to.
  request:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "the signature is not valid\n")
end

function on_request(request)
  local settings = request:settings()
  local scheme = schemes[settings.scheme]
  local prefix, signatures, time = scheme.read(request:headers())
  -- Checked before the body is read, so that strangers cannot make the proxy collect bodies.
  if not prefix or #signatures == 0 then return refuse(request, "no signature") end
  -- The time is part of what is signed: an old request cannot be sent again (a replay).
  if time and math.abs(weft.time.now() - tonumber(time)) > settings.tolerance then
    return refuse(request, "the signature's time is too far away")
  end
  local body = request:body(true)
  local text = prefix .. body:getBytes(0, body:length())
  if not is_signed(scheme, settings.secrets, text, signatures) then return refuse(request, "wrong signature") end
end
