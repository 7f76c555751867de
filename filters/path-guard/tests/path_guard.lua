for _, path in ipairs{"/.git/config", "/.env", "/internal/admin"} do
  test(path .. " is forbidden", function()
    local res = request{path = path}
    assert_equal(res.status, 403)
    assert_equal(res.body, "forbidden\n")
    assert_true(res.responded)
    assert_nil(res.upstream)
  end)
end

test("other paths go on as they are", function()
  local res = request{path = "/index.html?internal=/internal/"}
  assert_equal(res.status, 200)
  assert_equal(res.upstream.path, "/index.html?internal=/internal/")
end)

test("the prefixes are a setting", function()
  settings{prefixes = {"/private/"}}
  assert_equal(request{path = "/private/x"}.status, 403)
  assert_equal(request{path = "/.git/config"}.status, 200)
end)

test("no prefixes guard nothing", function()
  settings{prefixes = {}}
  assert_equal(request{path = "/.git/config"}.status, 200)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({prefixes = {"/", ".git"}}, 'settings.prefixes[1]: ".git" is no prefix of a path')
end)
