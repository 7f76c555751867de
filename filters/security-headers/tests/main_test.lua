test("the defaults are set", function()
  local res = request{}
  assert_header(res, "x-content-type-options", "nosniff")
  assert_header(res, "x-frame-options", "DENY")
  assert_header(res, "referrer-policy", "strict-origin-when-cross-origin")
  assert_contains(res.headers["content-security-policy"], "frame-ancestors 'none'")
end)

test("what tells too much is removed", function()
  upstream{headers = {server = "Apache/2.4.1", ["x-powered-by"] = "PHP/5.2"}}
  local res = request{}
  assert_header(res, "x-powered-by", false)
  assert_not_equal(res.headers.server, "Apache/2.4.1")
end)

test("what the service says stands", function()
  upstream{headers = {["x-frame-options"] = "SAMEORIGIN"}}
  assert_equal(header_values(request{}, "x-frame-options"), {"SAMEORIGIN"})
  settings{override = true}
  assert_equal(header_values(request{}, "x-frame-options"), {"DENY"})
end)

test("a header is left out, another one added", function()
  settings{headers = {["x-frame-options"] = "", ["cross-origin-resource-policy"] = "same-site"}}
  local res = request{}
  assert_header(res, "x-frame-options", false)
  assert_header(res, "cross-origin-resource-policy", "same-site")
  assert_header(res, "x-content-type-options", "nosniff")
end)

test("Strict-Transport-Security goes out over TLS only", function()
  assert_header(request{}, "strict-transport-security", false)
  assert_header(request{tls = true}, "strict-transport-security", "max-age=31536000")
  settings{hsts = {maxAge = 60, includeSubDomains = true, preload = true}}
  assert_header(request{tls = true}, "strict-transport-security", "max-age=60; includeSubDomains; preload")
  settings{hsts = {enabled = false}}
  assert_header(request{tls = true}, "strict-transport-security", false)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({headers = {["x y"] = "1"}}, "is no name of a header")
  refused({headers = {["x-a"] = "1\n2"}}, "settings.headers.x-a: has a control character")
end)
