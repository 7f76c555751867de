local function send(body, content_type)
  return request{method = "POST", headers = {["content-type"] = content_type or "application/json"}, body = body}
end

describe("headers", function()
  test("of requests are renamed, removed, set and added", function()
    settings{request = {
      rename = {["x-old"] = "x-new"}, remove = {"x-gone"}, set = {["x-set"] = "1"}, add = {["x-more"] = "b"},
    }}
    local sent = request{headers = {["x-old"] = "o", ["x-gone"] = "g", ["x-set"] = "0", ["x-more"] = "a"}}.upstream
    assert_header(sent, "x-old", false)
    assert_header(sent, "x-new", "o")
    assert_header(sent, "x-gone", false)
    assert_equal(header_values(sent, "x-set"), {"1"})
    assert_equal(header_values(sent, "x-more"), {"a", "b"})
  end)

  test("of responses as well", function()
    settings{response = {set = {["x-api"] = "2"}, remove = {"x-debug"}}}
    upstream{headers = {["x-debug"] = "1"}}
    local res = request{}
    assert_header(res, "x-api", "2")
    assert_header(res, "x-debug", false)
  end)
end)

describe("JSON", function()
  test("fields of a request are moved, removed and set", function()
    settings{request = {json = {
      rename = {["/user/mail"] = "/email"}, remove = {"/debug", "/list/0"}, set = {["/a/b/c"] = 1, ["/tags"] = {"x"}},
    }}}
    local res = send('{"user":{"mail":"a@b.c","id":7},"debug":true,"list":[1,2,3]}')
    assert_equal(res.upstream.body, '{"a":{"b":{"c":1}},"email":"a@b.c","list":[2,3],"tags":["x"],"user":{"id":7}}')
    assert_header(res.upstream, "content-length", tostring(#res.upstream.body))
  end)

  test("a place that is not there, or that leads through a text, changes nothing", function()
    settings{request = {json = {remove = {"/x/y", "/s/t", "/l/9", "/l/z"}, set = {["/s/t"] = 1}}}}
    assert_equal(send('{"l":[1],"s":"text"}').upstream.body, '{"l":[1],"s":"text"}')
  end)

  test("~1 and ~0 stand for / and ~", function()
    settings{request = {json = {remove = {"/a~1b", "/c~0d"}}}}
    assert_equal(send('{"a/b":1,"c~d":2,"e":3}').upstream.body, '{"e":3}')
  end)

  test("of responses is changed, and what was computed over it goes", function()
    settings{response = {json = {remove = {"/internal"}}}}
    upstream{
      headers = {["content-type"] = "application/problem+json; charset=utf-8", etag = '"1"'}, body = '{"a":[],"internal":1}',
    }
    local res = request{headers = {["accept-encoding"] = "gzip", range = "bytes=0-1"}}
    assert_equal(res.body, '{"a":[]}')
    assert_header(res, "etag", false)
    assert_header(res.upstream, "accept-encoding", "identity")
    assert_header(res.upstream, "range", false)
  end)

  test("that is broken, or compressed, is refused or passed on", function()
    local change = {remove = {"/a"}}
    settings{request = {json = change}, response = {json = change}}
    assert_equal(send('{"a":').status, 400)
    assert_equal(send('"text"').status, 400)
    upstream{headers = {["content-type"] = "application/json", ["content-encoding"] = "gzip"}, body = "..."}
    assert_equal(request{}.status, 502)
    settings{request = {json = change, onInvalid = "pass"}, response = {json = change, onInvalid = "pass"}}
    assert_equal(request{}.body, "...")
    upstream(nil)
    assert_equal(send('{"a":').upstream.body, '{"a":')
  end)

  test("other bodies, and none, stay as they are", function()
    settings{request = {json = {remove = {"/a"}}}}
    assert_equal(send('{"a":1}', "text/plain").upstream.body, '{"a":1}')
    assert_equal(request{headers = {["content-type"] = "application/json"}}.status, 200)
  end)
end)

test("settings that cannot work are refused", function()
  local function refused(given, why) assert_error(function() settings(given) end, why) end
  refused({request = {set = {["x y"] = "1"}}}, "is no name of a header")
  refused({response = {add = {["x-a"] = "1\n"}}}, "settings.response.add.x-a: has a control character")
  refused({request = {json = {set = {user = 1}}}}, 'settings.request.json.set: "user" is no JSON pointer')
end)
