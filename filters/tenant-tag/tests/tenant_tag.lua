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
