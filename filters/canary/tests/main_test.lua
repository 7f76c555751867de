local function mark(headers)
  return request{headers = headers}.upstream.headers["x-release"]
end

before_each(function() settings{mark = "x-release"} end)

test("header or cookie ask for the canary", function()
  assert_equal(mark{["x-canary"] = "always"}, "true")
  assert_equal(mark{cookie = "canary=always"}, "true")
  assert_equal(mark{cookie = "a=1; canary=always; b=2"}, "true")
  assert_equal(mark{cookie = {"a=1", "canary=always"}}, "true")
end)

test("others stay on the stable release", function()
  assert_nil(mark{})
  assert_nil(mark{["x-canary"] = "never"})
  assert_nil(mark{cookie = "canary=never; xcanary=always; mycanary=always"})
end)

test("a client's own mark does not count", function()
  assert_nil(mark{["x-release"] = "true"})
end)

test("names and values are settings", function()
  settings{header = {name = "x-beta", value = "1"}, cookie = {name = ""}, mark = "x-release"}
  assert_equal(mark{["x-beta"] = "1"}, "true")
  assert_nil(mark{["x-canary"] = "always", cookie = "canary=always"})
end)

test("an endpoint changes nothing in the request", function()
  settings{endpoint = "10.0.0.5:8080"}
  local res = request{headers = {["x-canary"] = "always"}}
  assert_equal(res.status, 200)
  assert_header(res.upstream, "x-release", false)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({}, "say where the canary is")
  refused({endpoint = "canary.internal:80"}, 'settings.endpoint: "canary.internal:80" is no address with a port')
  refused({endpoint = "10.0.0.5"}, "settings.endpoint: ")
  refused({mark = "x-release", header = {name = ""}, cookie = {name = ""}}, "nothing asks for the canary")
end)
