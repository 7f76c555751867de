-- A service that counts how often it is asked. `answer` is what it says; a function decides by the request.
local asked
local function serve(answer)
  asked = 0
  upstream(function(req)
    asked = asked + 1
    local this = type(answer) == "function" and answer(req) or answer
    return {status = this.status, headers = this.headers, body = this.body or "answer " .. asked, chunked = this.chunked}
  end)
end

local fresh = {["cache-control"] = "max-age=60"}

local function get(path, headers, more)
  local spec = {path = path or "/a", headers = headers}
  for name, value in pairs(more or {}) do spec[name] = value end
  return request(spec)
end

-- How often the service is asked when the same request comes twice.
local function asked_for(answer, headers, more)
  serve(answer)
  get("/a", headers, more)
  get("/a", headers, more)
  return asked
end

test("a fresh response is given again, with its age", function()
  serve{headers = {["cache-control"] = "max-age=60", ["content-type"] = "text/plain", link = {"<a>", "<b>"}}}
  local first = get()
  assert_header(first, "cache-status", "weft; fwd=uri-miss")
  clock.advance(20.5)
  local second = get()
  assert_equal(asked, 1)
  assert_equal(second.body, "answer 1")
  assert_header(second, "content-type", "text/plain")
  assert_equal(header_values(second, "link"), {"<a>", "<b>"})
  assert_header(second, "age", "20")
  assert_header(second, "cache-status", "weft; hit; ttl=39")
  assert_nil(second.upstream)
end)

test("a stale one is fetched again", function()
  serve{headers = fresh}
  get()
  clock.advance(60)
  assert_equal(get().body, "answer 2")
end)

test("URLs and hosts are kept apart", function()
  serve{headers = fresh}
  assert_equal(get("/a").body, "answer 1")
  assert_equal(get("/a?x=1").body, "answer 2")
  assert_equal(get("/a", nil, {host = "other.example"}).body, "answer 3")
  assert_equal(get("/a", nil, {tls = true}).body, "answer 4")
  assert_equal(get("/a", nil, {host = "EXAMPLE.com"}).body, "answer 1")
end)

describe("how long:", function()
  test("s-maxage counts more than max-age, max-age more than Expires", function()
    serve{headers = {["cache-control"] = "max-age=1, s-maxage=100", expires = "Thu, 01 Jan 1970 00:00:00 GMT"}}
    get()
    clock.advance(99)
    assert_equal(get().body, "answer 1")
    clock.advance(1)
    assert_equal(get().body, "answer 2")
  end)

  test("Expires counts from Date", function()
    serve{headers = {date = weft.time.http_date(clock.now()), expires = weft.time.http_date(clock.now() + 30)}}
    get()
    clock.advance(29)
    assert_equal(get().body, "answer 1")
    clock.advance(1)
    assert_equal(get().body, "answer 2")
  end)

  test("the age that a response has already counts", function()
    serve{headers = {["cache-control"] = "max-age=60", age = "50"}}
    get()
    clock.advance(5)
    assert_header(get(), "age", "55")
    clock.advance(5)
    assert_equal(get().body, "answer 2")
  end)

  test("and so does the time since Date", function()
    serve{headers = {["cache-control"] = "max-age=60", date = weft.time.http_date(clock.now() - 50), age = "10"}}
    assert_header(get(), "age", "10")
    assert_header(get(), "age", "50")
    clock.advance(10)
    assert_equal(get().body, "answer 2")
  end)

  test("Date is added where it is missing, and stays the same", function()
    serve{headers = fresh}
    local date = weft.time.http_date(clock.now())
    get()
    clock.advance(30)
    assert_header(get(), "date", date)
  end)

  test("without a word from the service as settings say", function()
    assert_equal(asked_for{}, 2)
    settings{defaultTtl = 10}
    assert_equal(asked_for{}, 1)
    assert_equal(asked_for({status = 404}, nil, {host = "other.example"}), 2)
  end)

  test("never longer than maxTtl", function()
    settings{maxTtl = 10}
    serve{headers = fresh}
    get()
    clock.advance(10)
    assert_equal(get().body, "answer 2")
  end)
end)

describe("not kept:", function()
  for _, control in ipairs{
    "no-store", "private", "no-cache", "max-age=0", "max-age=x", "max-age=60, private", "max-age=60, No-Store", 'max-age=60, max-age=0',
    'max-age=60, private="set-cookie"', "s-maxage=0, max-age=60",
  } do
    test(control, function() assert_equal(asked_for{headers = {["cache-control"] = control}}, 2) end)
  end

  for name, answer in pairs{
    ["with a cookie"] = {headers = {["cache-control"] = "max-age=60", ["set-cookie"] = "sid=1"}},
    ["Vary: *"] = {headers = {["cache-control"] = "max-age=60", vary = "accept, *"}},
    ["a part"] = {status = 206, headers = {["cache-control"] = "max-age=60", ["content-range"] = "bytes 0-1/2"}},
    ["an error"] = {status = 500, headers = {["cache-control"] = "max-age=60"}},
    ["an Expires that is no date"] = {headers = {expires = "0"}},
  } do
    test(name, function() assert_equal(asked_for(answer), 2) end)
  end

  test("a body that is too long", function()
    settings{maxBody = 10}
    assert_equal(asked_for{headers = fresh, body = "12345678901"}, 2)
    assert_equal(asked_for{headers = fresh, body = {"123456", "78901"}, chunked = true}, 2)
    assert_equal(asked_for{headers = fresh, body = {"12345", "67890"}, chunked = true}, 1)
  end)
end)

describe("requests", function()
  test("with cookies bypass the cache, unless settings say otherwise", function()
    assert_equal(asked_for({headers = fresh}, {cookie = "sid=1"}), 2)
    settings{cookies = "ignore"}
    assert_equal(asked_for({headers = fresh}, {cookie = "sid=1"}), 1)
  end)

  test("with credentials get what the service makes public, and nothing else is kept for them", function()
    local headers = {authorization = "Bearer x"}
    assert_equal(asked_for({headers = fresh}, headers), 2)
    for _, control in ipairs{"public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"} do
      assert_equal(asked_for({headers = {["cache-control"] = control}}, headers, {host = #control .. ".example"}), 1)
    end
  end)

  test("that ask for a fresh response get one", function()
    for _, control in ipairs{"no-cache", "max-age=0", "max-age=5", "min-fresh=55"} do
      serve{headers = fresh}
      get("/" .. control)
      clock.advance(6)
      assert_equal(get("/" .. control, {["cache-control"] = control}).body, "answer 2", control)
    end
    serve{headers = fresh}
    get("/pragma")
    assert_equal(get("/pragma", {pragma = "no-cache"}).body, "answer 2")
  end)

  test("that forbid it are not kept", function()
    assert_equal(asked_for({headers = fresh}, {["cache-control"] = "no-store"}), 2)
  end)

  test("for what is in the cache only get 504 when it is not", function()
    serve{headers = fresh}
    assert_equal(get("/a", {["cache-control"] = "only-if-cached"}).status, 504)
    get("/a")
    assert_equal(get("/a", {["cache-control"] = "only-if-cached"}).status, 200)
  end)

  test("for a part go to the service", function()
    serve{headers = fresh}
    get()
    assert_equal(get("/a", {range = "bytes=0-1"}).body, "answer 2")
  end)

  test("HEAD is answered from a GET, but not kept", function()
    serve{headers = fresh}
    get("/a", nil, {method = "HEAD"})
    get("/a", nil, {method = "HEAD"})
    assert_equal(asked, 2)
    get()
    assert_equal(get("/a", nil, {method = "HEAD"}).status, 200)
    assert_equal(asked, 3)
  end)

  test("that change something make the cache forget", function()
    for method, forgets in pairs{POST = true, PUT = true, DELETE = true, PATCH = true, OPTIONS = false} do
      serve{headers = fresh}
      get("/" .. method)
      request{path = "/" .. method, method = method}
      get("/" .. method)
      assert_equal(asked, forgets and 3 or 2, method)
    end
  end)

  test("that fail to change something do not", function()
    serve(function(req) return {status = req.method == "POST" and 403 or 200, headers = fresh} end)
    get()
    request{path = "/a", method = "POST"}
    get()
    assert_equal(asked, 2)
  end)
end)

describe("Vary", function()
  before_each(function()
    serve(function(req)
      return {headers = {["cache-control"] = "max-age=60", vary = "Accept-Language"}, body = req.headers["accept-language"] or "none"}
    end)
  end)

  test("keeps a response for each value", function()
    for _, language in ipairs{"de", "en", "de", "en", "de"} do
      assert_equal(get("/a", {["accept-language"] = language}).body, language)
    end
    assert_equal(get("/a").body, "none")
    assert_equal(asked, 3)
  end)

  test("a change makes the cache forget all of them", function()
    get("/a", {["accept-language"] = "de"})
    get("/a", {["accept-language"] = "en"})
    request{path = "/a", method = "DELETE"}
    get("/a", {["accept-language"] = "de"})
    assert_equal(asked, 4)
  end)
end)

describe("conditional requests", function()
  before_each(function()
    serve{headers = {
      ["cache-control"] = "max-age=60", etag = '"v1"', ["last-modified"] = "Mon, 13 Nov 2023 00:00:00 GMT", ["x-other"] = "1",
    }}
    get()
  end)

  test("are answered with 304 when the client has it", function()
    for _, tags in ipairs{'"v1"', 'W/"v1"', '"v0", "v1"', "*"} do
      local res = get("/a", {["if-none-match"] = tags})
      assert_equal(res.status, 304, tags)
      assert_equal(res.body, "")
      assert_header(res, "etag", '"v1"')
      assert_header(res, "x-other", false)
    end
    assert_equal(get("/a", {["if-modified-since"] = "Mon, 13 Nov 2023 00:00:00 GMT"}).status, 304)
    assert_equal(asked, 1)
  end)

  test("are answered in full when it has another one", function()
    assert_equal(get("/a", {["if-none-match"] = '"v2"'}).status, 200)
    assert_equal(get("/a", {["if-none-match"] = '"v2"', ["if-modified-since"] = "Tue, 14 Nov 2023 00:00:00 GMT"}).status, 200)
    assert_equal(get("/a", {["if-modified-since"] = "Sun, 12 Nov 2023 00:00:00 GMT"}).status, 200)
    assert_equal(asked, 1)
  end)
end)

test("bytes of any kind come back as they were", function()
  local bytes = "\0\1\xff\xfe\r\n" .. ("x"):rep(1000)
  serve{headers = fresh, body = bytes}
  get()
  assert_equal(get().body, bytes)
end)

test("what the cache did may be left unsaid", function()
  settings{status = false}
  serve{headers = fresh}
  get()
  assert_header(get(), "cache-status", false)
end)
