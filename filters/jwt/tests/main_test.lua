local vectors = require("tests.support.vectors")

local secret = "a secret of at least 32 bytes....."

local function encode(value) return weft.base64.encode_url(weft.json.encode(value)) end

-- A token of this test's own, signed with the secret.
local function token(claims, header)
  local signed = encode(header or {alg = "HS256"}) .. "." .. encode(claims)
  return signed .. "." .. weft.hash.hmac_sha256(secret, signed, "base64url")
end

local function present(text, more)
  local headers = {authorization = "Bearer " .. text}
  for name, value in pairs(more or {}) do headers[name] = value end
  return request{headers = headers}
end

local function with_secret(more)
  local values = {algorithms = {"HS256"}, keys = {{secret = secret}}}
  for name, value in pairs(more or {}) do values[name] = value end
  settings(values)
end

-- The clock stands at 1700000000.
local function soon() return math.floor(clock.now()) + 600 end

describe("keys of the settings", function()
  for algorithm, key in pairs{RS256 = "rsa", ES256 = "ec", EdDSA = "ed"} do
    test(algorithm .. " as a JSON Web Key", function()
      settings{keys = {{jwk = vectors.keys[key]}}, issuers = {"https://issuer.example"}, audiences = {"shop"}}
      local res = present(vectors.tokens[algorithm])
      assert_equal(res.status, 200)
      assert_header(res.upstream, "x-jwt-subject", "ann")
      assert_header(res.upstream, "authorization", false)
      for other, text in pairs(vectors.tokens) do
        if other ~= algorithm then assert_equal(present(text).status, 401) end
      end
    end)
  end

  test("RS256 as PEM", function()
    settings{keys = {{pem = vectors.pem}}}
    assert_equal(present(vectors.tokens.RS256).status, 200)
  end)

  test("a public key is no secret", function()
    -- The known attack: a token signed with HMAC, and the public key, which everybody has, as the secret.
    settings{algorithms = {"RS256", "HS256"}, keys = {{pem = vectors.pem}}}
    local signed = encode{alg = "HS256"} .. "." .. encode{exp = soon()}
    assert_equal(present(signed .. "." .. weft.hash.hmac_sha256(vectors.pem, signed, "base64url")).status, 401)
  end)

  test("what is no key, or none at all, is refused", function()
    local function refused(given, why) assert_error(function() settings(given) end, why) end
    refused({}, "settings: there are neither keys nor a service (jwks.service) to fetch them from")
    refused({keys = {{pem = vectors.pem}, {pem = "-----BEGIN"}}}, "settings.keys[1]: ")
    refused({keys = {{kid = "a"}}}, "settings.keys[0]: a key has one of secret, pem and jwk")
    refused({keys = {{pem = vectors.pem, jwk = vectors.keys.ec}}}, "settings.keys[0]: a key has one of secret, pem and jwk")
    refused({keys = {{jwk = {kty = "oct", k = "AAAA"}}}}, "settings.keys[0]: ")
    refused({keys = {{secret = secret}}}, "settings.keys[0]: none of the algorithms takes this key (secret)")
    refused({keys = {{pem = vectors.pem}}, claims = {["x roles"] = "roles"}}, "is no name of a header")
  end)
end)

describe("a token", function()
  before_each(function() with_secret() end)

  local function challenge(text) return present(text).headers["www-authenticate"] end

  test("is let through", function()
    assert_equal(present(token{sub = "ann", exp = soon()}).status, 200)
    local headers = {authorization = "bearer  " .. token{exp = soon()}}
    assert_equal(request{headers = headers}.status, 200)
  end)

  test("must be there", function()
    local res = request{}
    assert_equal(res.status, 401)
    assert_header(res, "www-authenticate", 'Bearer realm="api"')
    assert_equal(request{headers = {authorization = "Basic YTpi"}}.status, 401)
    assert_nil(res.upstream)
  end)

  test("must be one", function()
    local good = token{exp = soon()}
    for _, text in ipairs{
      "x", "a.b", "a.b.c", good .. ".x", good:gsub("%.", "..", 1), "..", encode{alg = "none"} .. "." .. encode{} .. ".",
      good:sub(1, -2), good .. "A",
    } do
      local res = present(text)
      assert_equal(res.status, 401, text)
      assert_contains(res.headers["www-authenticate"], 'error="invalid_token"')
    end
  end)

  test("must not be changed", function()
    local head, _, tail = token{sub = "ann", exp = soon()}:match("^(.-)%.(.-)%.(.-)$")
    assert_contains(challenge(head .. "." .. encode{sub = "root", exp = soon()} .. "." .. tail), "the signature is not valid")
  end)

  test("must be signed as the settings say", function()
    assert_contains(challenge(token({exp = soon()}, {alg = "none"})), "the algorithm is not accepted")
    assert_contains(challenge(token({exp = soon()}, {alg = "HS512"})), "the algorithm is not accepted")
    assert_contains(challenge(token({exp = soon()}, {typ = "JWT"})), "the algorithm is not accepted")
    assert_contains(challenge(token({exp = soon()}, {alg = "HS256", crit = {"b64"}})), "critical")
  end)

  test("is valid for its time, give or take a minute", function()
    local now = math.floor(clock.now())
    assert_equal(present(token{exp = now - 59}).status, 200)
    assert_contains(challenge(token{exp = now - 60}), "the token has expired")
    assert_equal(present(token{exp = soon(), nbf = now + 60}).status, 200)
    assert_contains(challenge(token{exp = soon(), nbf = now + 61}), "the token is not valid yet")
    assert_contains(challenge(token{exp = "never"}), "the token has expired")
    assert_contains(challenge(token{}), "the token never expires")
    with_secret{requireExpiry = false, leeway = 0}
    assert_equal(present(token{}).status, 200)
    assert_equal(present(token{exp = now}).status, 401)
  end)

  test("comes from somebody, and is for somebody", function()
    with_secret{issuers = {"https://a", "https://b"}, audiences = {"shop"}}
    assert_equal(present(token{exp = soon(), iss = "https://b", aud = "shop"}).status, 200)
    assert_equal(present(token{exp = soon(), iss = "https://b", aud = {"x", "shop"}}).status, 200)
    assert_contains(challenge(token{exp = soon(), iss = "https://c", aud = "shop"}), "issuer")
    assert_contains(challenge(token{exp = soon(), aud = "shop"}), "issuer")
    assert_contains(challenge(token{exp = soon(), iss = "https://a", aud = {"x"}}), "for somebody else")
    assert_contains(challenge(token{exp = soon(), iss = "https://a"}), "for somebody else")
  end)

  test("has the scopes that are asked for", function()
    with_secret{scopes = {"orders:read"}}
    assert_equal(present(token{exp = soon(), scope = "x orders:read"}).status, 200)
    local res = present(token{exp = soon(), scope = "orders:readall"})
    assert_equal(res.status, 403)
    assert_contains(res.headers["www-authenticate"], 'error="insufficient_scope"')
    assert_equal(present(token{exp = soon()}).status, 403)
  end)

  test("may come in a cookie", function()
    with_secret{cookie = "session"}
    assert_equal(request{headers = {cookie = "a=1; session=" .. token{exp = soon()}}}.status, 200)
    assert_equal(request{headers = {cookie = "session=x"}}.status, 401)
  end)
end)

describe("claims", function()
  test("reach the service in headers, and nothing else does", function()
    with_secret{claims = {["x-roles"] = "roles", ["x-level"] = "level", ["x-mail"] = "email"}, forwardToken = true}
    local text = token{sub = "ann", exp = soon(), roles = {"a", "b"}, level = 3}
    local sent = present(text, {["x-jwt-subject"] = "root", ["x-mail"] = "root@example.org", ["x-roles"] = "admin"}).upstream
    assert_equal(header_values(sent, "x-jwt-subject"), {"ann"})
    assert_equal(header_values(sent, "x-roles"), {"a,b"})
    assert_header(sent, "x-level", "3")
    assert_header(sent, "x-mail", false)
    assert_header(sent, "authorization", "Bearer " .. text)
  end)

  test("that would not be safe in a header are left out", function()
    with_secret{claims = {["x-a"] = "a", ["x-b"] = "b", ["x-c"] = "c"}}
    local sent = present(token{exp = soon(), a = "1\r\nx-evil: 1", b = {"admin,user"}, c = {d = 1}}).upstream
    for _, name in ipairs{"x-a", "x-b", "x-c", "x-evil"} do assert_header(sent, name, false) end
  end)
end)

describe("keys of a service", function()
  local source = {service = "idp", path = "/keys"}

  before_each(function()
    config{settings = {jwks = source}, services = {"idp"}}
  end)

  local function serve(...)
    local keys = {...}
    service("idp", function() return {delay = 20, body = weft.json.encode{keys = keys}} end)
  end

  test("are fetched once and kept", function()
    serve(vectors.keys.rsa, vectors.keys.ec, {kty = "unknown"}, "x")
    assert_equal(present(vectors.tokens.RS256).status, 200)
    assert_equal(present(vectors.tokens.ES256).status, 200)
    assert_equal(#calls("idp"), 1)
    assert_equal(calls("idp")[1].path, "/keys")
    assert_equal(calls("idp")[1].host, "idp")
  end)

  test("are fetched once for many requests at the same time", function()
    serve(vectors.keys.rsa)
    local spec = {headers = {authorization = "Bearer " .. vectors.tokens.RS256}}
    for _, res in ipairs(requests{spec, spec, spec, spec}) do assert_equal(res.status, 200) end
    assert_equal(#calls("idp"), 1)
  end)

  test("are fetched anew after a while", function()
    serve(vectors.keys.rsa)
    present(vectors.tokens.RS256)
    clock.advance(301)
    serve(vectors.keys.ec)
    assert_equal(present(vectors.tokens.RS256).status, 401)
    assert_equal(present(vectors.tokens.ES256).status, 200)
    assert_equal(#calls("idp"), 2)
  end)

  test("are fetched for a key that is new, but not each time", function()
    serve(vectors.keys.rsa)
    present(vectors.tokens.RS256)
    assert_equal(present(vectors.tokens.ES256).status, 401)
    assert_equal(#calls("idp"), 1)
    serve(vectors.keys.rsa, vectors.keys.ec)
    clock.advance(10)
    assert_equal(present(vectors.tokens.ES256).status, 200)
    assert_equal(#calls("idp"), 2)
  end)

  test("stay in use when the service is down", function()
    serve(vectors.keys.rsa)
    present(vectors.tokens.RS256)
    service("idp", {status = 500})
    clock.advance(301)
    assert_equal(present(vectors.tokens.RS256).status, 200)
    assert_contains(logs("warn")[1].message, "no keys from idp/keys: status 500")
  end)

  test("that cannot be had are not the client's fault", function()
    for _, answer in ipairs{{status = 404}, {body = "{"}, {failure = "refused"}} do
      service("idp", answer)
      local res = present(vectors.tokens.RS256)
      assert_equal(res.status, 503)
      assert_header(res, "retry-after", "10")
      clock.advance(10)
    end
  end)

  test("for encryption, and secrets, are not used", function()
    local other = {use = "enc"}
    for name, value in pairs(vectors.keys.rsa) do other[name] = other[name] or value end
    serve(other, {kty = "oct", k = weft.base64.encode_url(secret)})
    assert_equal(present(vectors.tokens.RS256).status, 401)
  end)
end)
