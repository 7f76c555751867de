local function answer(body, headers)
  headers = headers or {}
  headers["content-type"] = headers["content-type"] or "application/json"
  upstream{headers = headers, body = body}
  return request{headers = {["accept-encoding"] = "gzip", range = "bytes=0-10"}}
end

local function redacted(value)
  return weft.json.decode(answer(weft.json.encode(value)).body)
end

test("fields are replaced by their names, wherever they are", function()
  assert_equal(redacted{
    user = {name = "Ann", Password = "x", ["api-key"] = "y", api_key = {1, 2}}, list = {{ssn = 1}, {token = weft.json.null}},
  }, {
    user = {name = "Ann", Password = "[redacted]", ["api-key"] = "[redacted]", api_key = "[redacted]"},
    list = {{ssn = "[redacted]"}, {token = weft.json.null}},
  })
end)

test("addresses, cards and accounts are found in texts", function()
  assert_equal(redacted{"write to ann.b+c@mail.example.org, or not"}, {"write to [redacted], or not"})
  assert_equal(redacted{"card 4111 1111 1111 1111."}, {"card [redacted]."})
  assert_equal(redacted{card = 4111111111111111}, {card = "[redacted]"})
  assert_equal(redacted{"to DE89 3704 0044 0532 0130 00 now"}, {"to [redacted] now"})
end)

test("what only looks like them is left alone", function()
  local value = {"order 4111 1111 1111 1112", "DE88370400440532013000", "a@b", 1234567890123456, 1.5, true, "+49 30 1234567"}
  assert_equal(redacted(value), value)
end)

test("what is looked for is a setting", function()
  settings{fields = {}, detect = {"phone"}, patterns = {[[\bsku-\d+]]}, mask = "***"}
  assert_equal(redacted{"call +49 (30) 123 45 67", "sku-17 by a@b.example", {password = "x"}},
    {"call ***", "*** by a@b.example", {password = "x"}})
end)

test("a clean response stays as it is, byte by byte", function()
  local res = answer('{ "b": 1,  "a": [] }', {etag = '"1"'})
  assert_equal(res.body, '{ "b": 1,  "a": [] }')
  assert_header(res, "etag", '"1"')
end)

test("what was computed over a changed body goes", function()
  local res = answer('{"password":"x"}', {etag = '"1"', ["content-digest"] = "sha-256=:x:"})
  assert_equal(res.body, '{"password":"[redacted]"}')
  assert_header(res, "etag", false)
  assert_header(res, "content-digest", false)
  assert_header(res, "content-length", tostring(#res.body))
end)

test("the service is asked for whole, plain responses", function()
  local res = answer("{}")
  assert_header(res.upstream, "accept-encoding", "identity")
  assert_header(res.upstream, "range", false)
end)

test("what cannot be read is held back, or passed on", function()
  for _, case in ipairs{{'{"a":', {}}, {"...", {["content-encoding"] = "gzip"}}} do
    settings{}
    local res = answer(case[1], case[2])
    assert_equal(res.status, 502)
    assert_equal(#res.body:gsub("the service's answer is not valid\n", ""), 0)
    settings{onInvalid = "pass"}
    assert_equal(answer(case[1], case[2]).body, case[1])
  end
end)

test("other content, and none, is not looked at", function()
  assert_equal(answer("a@b.example", {["content-type"] = "text/plain"}).body, "a@b.example")
  upstream{status = 204, headers = {["content-type"] = "application/json"}}
  assert_equal(request{}.status, 204)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({patterns = {"EMP", "("}}, "settings.patterns[1]: is no regular expression: ")
  refused({patterns = {"x*"}}, "settings.patterns[0]: finds the empty text")
end)
