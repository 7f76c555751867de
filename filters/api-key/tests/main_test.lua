local function key(consumer, secret, expires)
  return {consumer = consumer, sha256 = weft.hash.sha256(secret), expires = expires}
end

before_each(function()
  settings{keys = {key("ann", "k-1"), key("ann", "k-2"), key("bob", "k-3", "2023-11-15T00:00:00Z")}}
end)

test("a known key is let through, and the service is told whose it is", function()
  for secret, consumer in pairs{["k-1"] = "ann", ["k-2"] = "ann", ["k-3"] = "bob"} do
    local res = request{headers = {["x-api-key"] = secret}}
    assert_equal(res.status, 200)
    assert_header(res.upstream, "x-consumer", consumer)
    assert_header(res.upstream, "x-api-key", false)
  end
end)

test("an unknown key, an empty one, two and none are refused", function()
  for _, headers in ipairs{
    {["x-api-key"] = "k-4"}, {["x-api-key"] = ""}, {["x-api-key"] = {"k-1", "k-1"}}, {["x-consumer"] = "ann"},
    {["x-api-key"] = weft.hash.sha256("k-1")},
  } do
    local res = request{headers = headers}
    assert_equal(res.status, 401)
    assert_header(res, "www-authenticate", 'ApiKey realm="api"')
    assert_nil(res.upstream)
  end
end)

test("who has a key cannot claim to be somebody else", function()
  local res = request{headers = {["x-api-key"] = "k-1", ["x-consumer"] = "root"}}
  assert_equal(header_values(res.upstream, "x-consumer"), {"ann"})
end)

test("a key is valid until it expires", function()
  assert_equal(request{headers = {["x-api-key"] = "k-3"}}.status, 200)
  clock.set("2023-11-15T00:00:00Z")
  assert_equal(request{headers = {["x-api-key"] = "k-3"}}.status, 401)
end)

test("keys may come as bearer tokens, and go on", function()
  settings{keys = {key("ann", "k-1")}, header = "Authorization", forwardKey = true, realm = "shop"}
  local res = request{headers = {authorization = "bearer k-1"}}
  assert_equal(res.status, 200)
  assert_header(res.upstream, "authorization", "bearer k-1")
  assert_header(request{headers = {authorization = "Basic k-1"}}, "www-authenticate", 'Bearer realm="shop"')
  assert_header(
    request{headers = {authorization = "Bearer k-2"}}, "www-authenticate", 'Bearer realm="shop", error="invalid_token"')
end)

test("settings need keys, by their digests", function()
  assert_error(function() settings{} end, "keys")
  assert_error(function() settings{keys = {{consumer = "ann", sha256 = "k-1"}}} end, "sha256")
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({keys = {key("ann", "k-1", "tomorrow")}}, 'settings.keys[0].expires: "tomorrow" is no time')
  refused({keys = {key("ann", "k-1"), key("bob", "k-1")}}, "settings.keys[1].sha256: is in the list already")
end)
