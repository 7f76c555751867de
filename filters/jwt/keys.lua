-- The keys that signatures are checked with. A key is {kid =, kind =, alg =, key =}: `kind` is what it can do, `key` a public
-- key or a secret.
local keys = {}

-- The kind of key that an algorithm takes. A key is never used for another: a public key, which everybody has, must not serve
-- as the secret of an HMAC (RFC 8725 2.1).
local kinds = {HS = "secret", RS = "RSA", PS = "RSA", ES = "EC", Ed = "Ed25519"}

-- Keys that a set may have; more are left out.
local most = 64

local function text(value) return type(value) == "string" and value or nil end

local function public(source, kid, alg)
  local key, why = weft.crypto.public_key(source)
  if not key then return nil, why end
  return {kid = kid, kind = key:kind(), alg = alg, key = key}
end

-- A key of the settings; nil and why for one that is none.
function keys.from_settings(entry)
  local forms = 0
  for _, form in ipairs{"secret", "pem", "jwk"} do
    if entry[form] then forms = forms + 1 end
  end
  if forms ~= 1 then return nil, "a key has one of secret, pem and jwk" end
  if entry.secret then return {kid = entry.kid, kind = "secret", key = entry.secret} end
  if entry.pem then return public(entry.pem, entry.kid) end
  local jwk = {}
  for name, value in pairs(entry.jwk) do jwk[name] = value end
  return public(jwk, entry.kid or text(jwk.kid), text(jwk.alg))
end

-- The keys of a JSON Web Key Set (RFC 7517 5) that can check signatures; nil when the text is none. Keys of unknown kinds are
-- left out, as the RFC says, and so are secrets: they do not come over a network.
function keys.from_jwks(body)
  local set = weft.json.decode(body)
  if type(set) ~= "table" or type(set.keys) ~= "table" then return nil end
  local found = {}
  for _, jwk in ipairs(set.keys) do
    if type(jwk) == "table" and (jwk.use == nil or jwk.use == "sig") and #found < most then
      found[#found + 1] = public(jwk, text(jwk.kid), text(jwk.alg))
    end
  end
  return found
end

-- Whether a key may be used for an algorithm, and for tokens that name `kid`.
function keys.fits(key, alg, kid)
  if key.kind ~= kinds[alg:sub(1, 2)] or (key.alg and key.alg ~= alg) then return false end
  return kid == nil or key.kid == nil or key.kid == kid
end

-- Whether one of the keys made the signature; and whether there was one that might have.
function keys.verify(list, parsed)
  local alg, kid = parsed.header.alg, parsed.header.kid
  local is_known = false
  for _, key in ipairs(list) do
    if keys.fits(key, alg, kid) then
      is_known = true
      if weft.crypto.verify(alg, key.key, parsed.signed, parsed.signature) then return true, true end
    end
  end
  return false, is_known
end

return keys
