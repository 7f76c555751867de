local function status_for(client) return request{client = client}.status end

test("without lists everybody may come", function()
  assert_equal(status_for("203.0.113.9"), 200)
end)

test("who is denied may not", function()
  settings{deny = {"203.0.113.0/24", "2001:db8::/32"}}
  local res = request{client = "203.0.113.9"}
  assert_equal(res.status, 403)
  assert_nil(res.upstream)
  assert_equal(status_for("203.0.114.9"), 200)
  assert_equal(status_for("[2001:db8::5]:4000"), 403)
  assert_equal(status_for("[2001:db9::5]:4000"), 200)
end)

test("only who is allowed may", function()
  settings{allow = {"10.0.0.0/8", "192.168.1.7"}}
  assert_equal(status_for("10.255.0.1"), 200)
  assert_equal(status_for("192.168.1.7"), 200)
  assert_equal(status_for("192.168.1.8"), 403)
end)

test("denied counts more than allowed", function()
  settings{allow = {"10.0.0.0/8"}, deny = {"10.66.0.0/16"}, status = 404}
  assert_equal(status_for("10.65.0.1"), 200)
  assert_equal(status_for("10.66.0.1"), 404)
end)

test("what clients say of themselves does not count", function()
  settings{allow = {"10.0.0.0/8"}}
  assert_equal(request{client = "203.0.113.9", headers = {["x-forwarded-for"] = "10.0.0.1"}}.status, 403)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({deny = {"10.0.0.0/8", "10.0.0.0/33"}}, 'settings.deny[1]: "10.0.0.0/33" is no address or range')
  refused({allow = {"example.com"}}, 'settings.allow[0]: "example.com" is no address or range')
end)
