-- The parts of a token (RFC 7515, RFC 7519), and what must be true of its claims. Nothing here looks at keys.
local token = {}

local function decode_object(text)
  local bytes = weft.base64.decode_url(text)
  local value = bytes and weft.json.decode(bytes)
  return type(value) == "table" and value or nil
end

-- Returns a table with the header, the claims, what is signed and the signature; or nil and why not.
function token.parse(text)
  local head, body, tail = text:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not head then return nil, "this is no token" end
  local header, claims, signature = decode_object(head), decode_object(body), weft.base64.decode_url(tail)
  if not header or not claims or not signature then return nil, "this is no token" end
  -- Extensions that must be understood, none of which is known here (RFC 7515 4.1.11).
  if header.crit ~= nil then return nil, "the token has critical extensions" end
  return {header = header, claims = claims, signed = head .. "." .. body, signature = signature}
end

local function contains(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

-- `aud` is one text or a list of them (RFC 7519 4.1.3).
local function is_for(audiences, audience)
  if type(audience) == "string" then return contains(audiences, audience) end
  for _, one in ipairs(type(audience) == "table" and audience or {}) do
    if contains(audiences, one) then return true end
  end
  return false
end

-- Returns why the claims are not acceptable now; nil when they are.
function token.problem(claims, settings, now)
  local expiry, start = claims.exp, claims.nbf
  if expiry == nil and settings.requireExpiry then return "the token never expires" end
  if expiry ~= nil and (type(expiry) ~= "number" or now >= expiry + settings.leeway) then return "the token has expired" end
  if start ~= nil and (type(start) ~= "number" or now < start - settings.leeway) then return "the token is not valid yet" end
  if #settings.issuers > 0 and not contains(settings.issuers, claims.iss) then return "the issuer is not accepted" end
  if #settings.audiences > 0 and not is_for(settings.audiences, claims.aud) then return "the token is for somebody else" end
end

-- Whether the token has all scopes (RFC 8693 4.2: one text, separated by spaces).
function token.has_scopes(claims, scopes)
  local scope = type(claims.scope) == "string" and " " .. claims.scope .. " " or ""
  for _, wanted in ipairs(scopes) do
    if not scope:find(" " .. wanted .. " ", 1, true) then return false end
  end
  return true
end

-- The claim as the value of a header; nil for what has no plain form, or would not be safe in one. A list is joined by
-- commas, so that none may be in an element.
function token.header_value(claim)
  local kind = type(claim)
  if kind == "table" and claim[1] ~= nil then
    local parts = {}
    for i, one in ipairs(claim) do
      local part = type(one) ~= "table" and token.header_value(one)
      if not part or part:find(",", 1, true) then return nil end
      parts[i] = part
    end
    return table.concat(parts, ",")
  end
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then return nil end
  local text = tostring(claim)
  return #text <= 4096 and not text:find("%c") and text or nil
end

return token
