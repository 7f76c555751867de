describe("the tenant", function()
  test("is the first label of the host", function()
    local res = request{host = "acme.shop.example"}
    assert_header(res.upstream, "x-tenant", "acme")
  end)

  test("is none for a host of two labels", function()
    local res = request{host = "shop.example"}
    assert_header(res.upstream, "x-tenant", "none")
  end)

  test("is not what the client says", function()
    local res = request{host = "acme.shop.example", headers = {["x-tenant"] = {"evil", "worse"}}}
    assert_equal(header_values(res.upstream, "x-tenant"), {"acme"})
  end)
end)

test("header and default are settings", function()
  settings{header = "x-customer", default = "nobody"}
  local res = request{host = "localhost"}
  assert_header(res.upstream, "x-customer", "nobody")
  assert_header(res.upstream, "x-tenant", false)
end)

test("a header's name that is none is refused", function()
  local problem = assert_error(function() settings{header = "bad name"} end, "settings.header")
  assert_match(problem, "does not match the pattern")
end)

test("the host's case and port do not matter", function()
  assert_header(request{host = "ACME.shop.example:8443"}.upstream, "x-tenant", "acme")
end)

test("single hosts have tenants of their own", function()
  settings{hosts = {["acme.example"] = "acme", ["www.acme.example"] = "acme"}}
  for _, host in ipairs{"acme.example", "WWW.acme.example:80"} do
    assert_header(request{host = host}.upstream, "x-tenant", "acme")
  end
  assert_header(request{host = "shop.acme.example"}.upstream, "x-tenant", "shop")
end)

test("the region is where the client's address is", function()
  settings{regions = {
    {name = "eu", ranges = {"192.0.2.0/24", "2001:db8:1::/48"}}, {name = "us", ranges = {"198.51.100.0/24"}},
  }}
  assert_header(request{client = "192.0.2.9"}.upstream, "x-region", "eu")
  assert_header(request{client = "[2001:db8:1::7]:4000"}.upstream, "x-region", "eu")
  assert_header(request{client = "198.51.100.1"}.upstream, "x-region", "us")
  assert_header(request{client = "203.0.113.1", headers = {["x-region"] = "eu"}}.upstream, "x-region", false)
end)
