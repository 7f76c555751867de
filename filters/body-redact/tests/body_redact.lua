local function answer(body, content_type)
  upstream{headers = {["content-type"] = content_type or "application/json"}, body = body}
  return request{}
end

test("card numbers are replaced", function()
  local res = answer('{"card":"4111 1111 1111 1111","note":"paid"}')
  assert_equal(res.body, '{"card":"[redacted]","note":"paid"}')
  assert_header(res, "x-redacted", "1")
  assert_header(res, "content-length", tostring(#res.body))
end)

test("a number that comes in two pieces is replaced, too", function()
  local res = answer({"card 4111-1111-", "1111-1111, 4111111111111111"}, "text/plain; charset=utf-8")
  assert_equal(res.body, "card [redacted], [redacted]")
  assert_header(res, "x-redacted", "2")
end)

test("a body without a match stays as it is", function()
  local res = answer('{"card":null}')
  assert_equal(res.body, '{"card":null}')
  assert_header(res, "x-redacted", false)
end)

test("other types of content stay as they are", function()
  local res = answer("4111111111111111", "image/png")
  assert_equal(res.body, "4111111111111111")
end)

test("an empty body is no problem", function()
  assert_equal(answer("", "text/plain").status, 200)
  upstream{status = 204, headers = {["content-type"] = "text/plain"}}
  assert_equal(request{}.status, 204)
end)

test("pattern and replacement are settings", function()
  settings{pattern = "%a+@%a+%.%a+", replacement = "someone"}
  assert_equal(answer("mail to bob@example.org", "text/plain").body, "mail to someone")
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({pattern = "["}, "settings.pattern: is no Lua pattern: malformed pattern")
  refused({pattern = "%d*"}, "settings.pattern: finds the empty text")
  refused({replacement = "%"}, "settings.replacement: is no replacement: ")
end)
