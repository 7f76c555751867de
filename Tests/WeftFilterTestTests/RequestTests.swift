import Testing

@Suite("Requests in tests of bundles")
struct RequestTests {
  @Test("a request goes through both functions, and the result shows what each side got")
  func bothWays() throws {
    try ScratchBundle.pass(
      """
      function on_request(h)
        h:headers():add("x-client", h:streamInfo():downstreamRemoteAddress())
        h:streamInfo():dynamicMetadata():set("scratch", "path", h:headers():get(":path"))
      end
      function on_response(h) h:headers():add("X-Seen", h:headers():get(":status")) end
      """,
      """
      test("a", function()
        upstream{status = 201, headers = {["set-cookie"] = {"a=1", "b=2"}}, body = "made"}
        local res = request{method = "PUT", path = "/things?x=1", host = "shop.example", client = "192.0.2.7:99",
                            headers = {accept = "*/*", ["x-n"] = 1}, body = "{}"}
        assert_equal(res.status, 201)
        assert_equal(res.body, "made")
        assert_equal(res.headers["x-seen"], "201")
        assert_equal(res.headers["X-SEEN"], "201")
        assert_equal(res.headers["set-cookie"], "a=1, b=2")
        assert_equal(header_values(res, "Set-Cookie"), {"a=1", "b=2"})
        assert_equal(res.upstream.method, "PUT")
        assert_equal(res.upstream.path, "/things?x=1")
        assert_equal(res.upstream.body, "{}")
        assert_header(res.upstream, "host", "shop.example")
        assert_header(res.upstream, "x-client", "192.0.2.7:99")
        assert_header(res.upstream, "x-n", "1")
        assert_header(res.upstream, "content-length", "2")
        assert_header(res.upstream, "cookie", false)
        assert_equal(res.metadata.scratch.path, "/things?x=1")
        assert_false(res.responded)
        assert_nil(res.error)
      end)
      """)
  }

  @Test("bodies come and go in pieces, with trailers and bytes of any kind")
  func bodies() throws {
    try ScratchBundle.pass(
      """
      function on_request(h)
        for chunk in h:bodyChunks() do chunk:setBytes("<" .. chunk:getBytes(0, chunk:length()) .. ">") end
        local trailers = h:trailers()
        if trailers then trailers:add("x-more", "yes") end
      end
      """,
      """
      test("a", function()
        upstream(function(req)
          assert_equal(req.chunks, {"<a\\0>", "<\\xff>"})
          assert_equal(req.trailers["x-more"], "yes")
          return {body = {"one", "two"}, trailers = {["x-sum"] = "6"}}
        end)
        local res = request{body = {"a\\0", "\\xff"}, trailers = {["x-t"] = "1"}}
        assert_equal(res.upstream.method, "POST")
        assert_header(res.upstream, "transfer-encoding", "chunked")
        assert_equal(res.chunks, {"one", "two"})
        assert_equal(res.trailers["X-Sum"], "6")
      end)
      """)
  }

  @Test("a filter answers itself, and the upstream gets nothing")
  func respond() throws {
    try ScratchBundle.pass(
      #"function on_request(h) h:respond({[":status"] = "403"}, "no") end"#,
      """
      test("a", function()
        local res = request{}
        assert_equal({res.status, res.body, res.responded, res.upstream}, {403, "no", true, nil})
      end)
      """)
  }

  @Test("upstreams fail as they do for a proxy")
  func upstreamFailures() throws {
    try ScratchBundle.pass(
      #"function on_response(h) h:headers():add("x-seen", "yes") end"#,
      """
      for failure, status in pairs{refused = 503, reset = 503, timeout = 504} do
        test(failure, function()
          upstream{failure = failure}
          local res = request{}
          assert_equal(res.status, status)
          assert_header(res, "x-seen", "yes")
          assert_false(res.responded)
        end)
      end
      """)
  }

  @Test("services answer, late or not at all, and calls are seen")
  func services() throws {
    try ScratchBundle.pass(
      """
      function on_request(h)
        local headers, body = h:httpCall("users",
          {[":method"] = "POST", [":path"] = "/u", [":authority"] = "u.internal", ["x-a"] = "1"}, "who", 1000)
        h:headers():replace("x-user", headers[":status"] .. (body or ""))
      end
      """,
      """
      local function answer(given)
        service("users", given)
        return request{}.upstream.headers["x-user"]
      end
      test("answers", function()
        assert_equal(answer{body = "ann"}, "200ann")
        assert_equal(answer(function(req) return {status = req.body == "who" and 418 or 500} end), "418")
        assert_equal(#calls(), 2)
        local call = calls("users")[1]
        assert_equal({call.method, call.path, call.host, call.body, call.headers["X-A"], call.timeout},
                     {"POST", "/u", "u.internal", "who", "1", 1000})
        assert_equal(calls("other"), {})
      end)
      test("late", function()
        local before = clock.now()
        assert_equal(answer{delay = 999, body = "late"}, "200late")
        assert_equal(math.floor((clock.now() - before) * 1000 + 0.5), 999)
        assert_match(answer{delay = 1001, body = "too late"}, "^50[34]")
      end)
      test("failures", function()
        for _, failure in ipairs{"refused", "reset", "timeout"} do assert_match(answer{failure = failure}, "^50[34]") end
      end)
      """)
    let problem = try ScratchBundle.problem(
      """
      function on_request(h)
        h:httpCall("users", {[":method"] = "GET", [":path"] = "/u", [":authority"] = "u"}, nil, 10)
      end
      """, #"test("a", function() request{} end)"#)
    #expect(problem.message.contains(#"calls GET /u of the service "users", which this test does not fake"#))
  }

  @Test("several requests are under way at once, and clients go away")
  func several() throws {
    try ScratchBundle.pass(
      """
      active = 0
      function on_request(h)
        active = active + 1
        h:headers():replace("x-active", tostring(active))
        h:sleep(tonumber(h:headers():get("x-wait")))
        active = active - 1
      end
      """,
      """
      local function wait(ms) return {headers = {["x-wait"] = ms}} end
      test("start and wait", function()
        local slow, fast = start(wait(500)), start(wait(100))
        local before = clock.now()
        assert_header(fast:wait().upstream, "x-active", "2")
        assert_equal(math.floor((clock.now() - before) * 1000 + 0.5), 100)
        assert_header(slow:wait().upstream, "x-active", "1")
      end)
      test("requests", function()
        local results = requests{wait(10), wait(20), wait(5)}
        assert_equal(#results, 3)
        assert_header(results[3].upstream, "x-active", "3")
      end)
      test("cancel", function()
        local gone = start(wait(1000))
        gone:cancel()
        assert_header(request(wait(0)).upstream, "x-active", "2")
      end)
      """)
  }

  @Test("each test begins anew")
  func isolation() throws {
    try ScratchBundle.pass(
      #"count = 0 function on_request(h) count = count + 1 h:headers():add("x-count", tostring(count)) h:logInfo("x") end"#,
      """
      for i = 1, 2 do
        test("test " .. i, function()
          assert_equal(clock.now(), 1700000000)
          assert_equal(os.time(), 1700000000)
          assert_header(request{}.upstream, "x-count", "1")
          assert_header(request{}.upstream, "x-count", "2")
          assert_equal(#logs(), 2)
          assert_equal(metrics("weft_lua_calls_total"), 2)
          clock.advance(60)
          service("a", {})
          upstream{status = 500}
        end)
      end
      """)
  }
}
