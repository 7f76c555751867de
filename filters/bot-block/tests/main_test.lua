local function status_for(agent, path)
  return request{path = path or "/", headers = {["user-agent"] = agent}}.status
end

test("scanners and scrapers are refused, browsers are not", function()
  assert_equal(status_for("sqlmap/1.7 (https://sqlmap.org)"), 403)
  assert_equal(status_for("Mozilla/5.0 (compatible; GPTBot/1.1)"), 403)
  assert_equal(status_for("Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0"), 200)
end)

test("robots.txt stays open for all", function()
  assert_equal(status_for("GPTBot/1.1", "/robots.txt"), 200)
  assert_equal(status_for("GPTBot/1.1", "/robots"), 403)
end)

test("no User-Agent is a matter of settings", function()
  assert_equal(request{}.status, 200)
  settings{blockEmpty = true}
  assert_equal(request{}.status, 403)
  assert_equal(status_for("curl/8.0"), 200)
end)

test("the lists are settings, and allowed counts more", function()
  settings{block = {"bot"}, allow = {"^Googlebot/"}}
  assert_equal(status_for("SomeBot/1.0"), 403)
  assert_equal(status_for("Googlebot/2.1"), 200)
  assert_equal(status_for("NotGooglebot/2.1"), 403)
  settings{block = {}}
  assert_equal(status_for("SomeBot/1.0"), 200)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({block = {"bot", "bot("}}, "settings.block[1]: is no regular expression: ")
  refused({paths = {"robots.txt"}}, 'settings.paths[0]: "robots.txt" is no prefix of a path')
end)
