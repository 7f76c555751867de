local uuid = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-[47]%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

test("each request gets an identifier of its own, which the response carries", function()
  local first, second = request{}, request{}
  local id = first.upstream.headers["x-correlation-id"]
  assert_match(id, uuid)
  assert_equal(id:sub(15, 15), "7")
  assert_header(first, "x-correlation-id", id)
  assert_not_equal(second.upstream.headers["x-correlation-id"], id)
end)

test("a stranger's identifier is replaced", function()
  local res = request{headers = {["x-correlation-id"] = {"mine", "and mine"}}}
  assert_match(header_values(res.upstream, "x-correlation-id")[1], uuid)
  assert_equal(#header_values(res.upstream, "x-correlation-id"), 1)
end)

describe("a trusted client", function()
  before_each(function() settings{trusted = {"10.0.0.0/8"}} end)

  test("keeps its identifier", function()
    local res = request{client = "10.1.2.3", headers = {["x-correlation-id"] = "order-7"}}
    assert_header(res.upstream, "x-correlation-id", "order-7")
    assert_header(res, "x-correlation-id", "order-7")
    assert_match(request{client = "11.0.0.1", headers = {["x-correlation-id"] = "a"}}.headers["x-correlation-id"], uuid)
  end)

  test("does not keep one that is no plain token", function()
    for _, id in ipairs{"a b", "<script>", ("x"):rep(129), "a,b"} do
      assert_match(request{headers = {["x-correlation-id"] = id}}.headers["x-correlation-id"], uuid)
    end
  end)
end)

test("header, format and echo are settings", function()
  settings{header = "x-trace", format = "uuid4", echo = false}
  local res = request{}
  assert_equal(res.upstream.headers["x-trace"]:sub(15, 15), "4")
  assert_header(res, "x-trace", false)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({trusted = {"everybody"}}, 'settings.trusted[0]: "everybody" is no address or range')
end)
