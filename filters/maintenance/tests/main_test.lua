test("everybody gets 503, and is told when to come back", function()
  local res = request{}
  assert_equal(res.status, 503)
  assert_header(res, "retry-after", "300")
  assert_header(res, "cache-control", "no-store")
  assert_equal(res.body, "Down for maintenance: We will be back shortly.\n")
  assert_nil(res.upstream)
end)

test("the answer is what the client accepts", function()
  settings{title = "Closed", message = "a < b & c"}
  local page = request{headers = {accept = "text/html,application/xhtml+xml,*/*;q=0.8"}}
  assert_header(page, "content-type", "text/html; charset=utf-8")
  assert_contains(page.body, "<p>a &lt; b &amp; c</p>")
  local json = request{headers = {accept = "application/json"}}
  assert_equal(weft.json.decode(json.body), {error = "Closed", message = "a < b & c"})
end)

test("some addresses and paths get through", function()
  settings{allow = {"192.0.2.0/24"}, paths = {"/healthz"}}
  assert_equal(request{client = "192.0.2.5"}.status, 200)
  assert_equal(request{path = "/healthz?full=1"}.status, 200)
  assert_equal(request{path = "/healthz/more"}.status, 503)
  assert_equal(request{}.status, 503)
end)

test("it can be switched off", function()
  settings{enabled = false}
  assert_equal(request{}.status, 200)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({allow = {"192.0.2.0/240"}}, 'settings.allow[0]: "192.0.2.0/240" is no address or range')
  refused({paths = {"healthz"}}, 'settings.paths[0]: "healthz" is no path')
end)
