import Testing
import WeftFilterTest

@Suite("Clock, settings, logs and metrics in tests of bundles")
struct WorldTests {
  @Test("the clock stands still, is moved and is set; scripts and tests see the same")
  func clock() throws {
    try ScratchBundle.pass(
      """
      function on_request(h)
        h:headers():add("x-time", os.time() .. " " .. h:timestamp() .. " " .. os.date("!%FT%T") .. " " .. weft.time.now())
        h:sleep(1500)
      end
      """,
      """
      test("moves", function()
        local res = request{}
        assert_header(res.upstream, "x-time", "1700000000 1700000000000 2023-11-14T22:13:20 1700000000.0")
        assert_equal(clock.now(), 1700000001.5)
        clock.advance(0.5)
        assert_equal({os.time(), weft.time.now()}, {1700000002, 1700000002.0})
        clock.set("2030-02-28T23:59:59Z")
        assert_equal(os.date("!%FT%T"), "2030-02-28T23:59:59")
        clock.set(86400 * 366)
        assert_equal(os.date("!%F"), "1971-01-02")
      end)
      test("mistakes", function()
        assert_error(function() clock.set("tomorrow") end, "is no date")
        assert_error(function() clock.advance(-1) end, "not below 0")
      end)
      """)
  }

  @Test("settings are checked against the schema; onError and limits are taken from the configuration")
  func settings() throws {
    let bundle = try ScratchBundle([
      "bundle.yaml": """
      name: scratch
      version: 1.0.0
      settings:
        type: object
        required: [key]
        properties:
          key: {type: string}
          list: {type: array, items: {type: string}, default: [a]}
      """,
      "main.lua": """
      function on_request(h)
        local s = h:settings()
        if s.key == "fail" then error("failed on purpose") end
        h:headers():add("x-settings", s.key .. " " .. #s.list)
      end
      """,
      "tests/a.lua": """
      local function seen() return request{}.upstream.headers["x-settings"] end
      test("given", function()
        settings{key = "k"}
        assert_equal(seen(), "k 1")
        settings{key = "k", list = {}}
        assert_equal(seen(), "k 0")
        settings{key = "k", list = {"x", "y"}}
        assert_equal(seen(), "k 2")
      end)
      test("wrong", function()
        assert_error(function() request{} end, "settings.key: is missing")
        assert_error(function() settings{key = 1} end, "settings.key: expected a string")
        assert_error(function() settings{key = "k", kye = "x"} end, "settings.kye: the bundle has no such setting")
      end)
      test("skip", function()
        config{settings = {key = "fail"}, onError = "skip"}
        local res = request{allow_errors = true}
        assert_equal(res.status, 200)
        assert_match(res.error, "failed on purpose")
        config{settings = {key = "fail"}}
        assert_equal(request{allow_errors = true}.status, 500)
        assert_error(function() request{} end, "failed on purpose")
      end)
      """,
    ])
    let report = bundle.run()
    #expect(report.passed == 3, "\(report.files.map(ConsoleReport(usesColor: false, isVerbose: false).text))")
  }

  @Test("work in the background follows the clock; shared dictionaries begin empty")
  func background() throws {
    try ScratchBundle.pass(
      """
      local seen = weft.shared("seen")
      function on_load()
        local answer = weft.http.get{service = "users", path = "/keys"}
        seen:set("keys", answer and answer.body or "none")
      end
      weft.every(60, function() seen:incr("ticks", 1, 0) end)
      function on_request(h)
        h:headers():add("x-seen", tostring(seen:get("keys")) .. " " .. tostring(seen:get("ticks")))
      end
      """,
      """
      for i = 1, 2 do
        test("test " .. i, function()
          service("users", {body = "k" .. i})
          clock.advance(0.01)
          assert_header(request{}.upstream, "x-seen", "k" .. i .. " nil")
          clock.advance(150)
          assert_header(request{}.upstream, "x-seen", "k" .. i .. " 2")
          assert_equal(#calls("users"), 1)
        end)
      end
      """)
  }

  @Test("a script's own metrics go by the names that it gave them")
  func ownMetrics() throws {
    try ScratchBundle.pass(
      """
      local sizes = weft.metrics.histogram("answer_bytes", {"route"})
      local seen = weft.metrics.counter("seen_total")
      function on_request(h) seen:inc() end
      function on_log(h) sizes:observe(4, h:record().route) end
      """,
      """
      test("a", function()
        assert_nil(metrics("seen_total"))
        request{body = "hello"}
        assert_equal(metrics("seen_total"), 1)
        assert_equal(metrics("weft_lua_user_seen_total"), 1)
        assert_equal(metrics("answer_bytes", {route = "default/route#0"}), {count = 1, sum = 4})
      end)
      """)
  }

  @Test("logs and metrics are there to be looked at")
  func logs() throws {
    try ScratchBundle.pass(
      #"function on_request(h) h:logInfo("one") h:logWarn("two") h:logErr("three") print("four", 5) end"#,
      """
      test("a", function()
        request{}
        local levels = {}
        for i, line in ipairs(logs()) do levels[i] = line.level .. " " .. line.message end
        assert_equal(levels, {"info one", "warn two", "error three", "info four\\t5"})
        assert_equal(#logs("warn"), 1)
        assert_equal(metrics("weft_lua_calls_total", {bundle = "scratch"}), 1)
        assert_nil(metrics("weft_lua_calls_total", {bundle = "other"}))
        assert_nil(metrics("no_such_metric"))
        assert_error(function() metrics("weft_lua_calls_total", {bundel = "x"}) end, "has no label bundel")
      end)
      """)
  }
}
