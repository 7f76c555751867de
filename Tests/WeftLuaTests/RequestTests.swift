import CLuaHost
import Testing
import WeftFilter

@testable import WeftLua

/// weft.http and weft.all.
@Suite struct RequestTests {
  private static let services = "services: [users, shop/stock:8080]"

  private func bench(_ body: String, function: String = "on_request") throws -> ScriptBench {
    try ScriptBench("\(WeftTable.prelude)\nfunction \(function)(handle)\n\(body)\nend", options: Self.services)
  }

  @Test func anAnswer() throws {
    let bench = try bench(
      """
      local a = assert(weft.http.post{service = "users", path = "/check?a=b", authority = "users.example", timeout_ms = 250,
        headers = {["X-Tag"] = "t", ["x-list"] = {"1", "2"}, ["Content-Length"] = "99", Host = "x"}, body = "question"})
      same(201, a.status) same("bar", a.headers["x-foo"]) same("1, 2", a.headers["x-many"]) same("2", a.all_headers["x-many"][2])
      same("answer", a.body) same(1, #a.all_headers["x-foo"])
      handle:headers():add("x-value", a.body)
      """)
    let exchange = try bench.request()
    #expect(exchange.progress == .request)
    let call = try #require(bench.bench.worker.calls.first)
    #expect(call.service.name == "default/users")
    #expect(call.method == "POST" && call.target == "/check?a=b" && call.authority == "users.example")
    #expect(call.body == Array("question".utf8) && call.timeout == 250)
    #expect(call.headers.contains { $0.name == "x-tag" && $0.value == "t" })
    #expect(call.headers.filter { $0.name == "x-list" }.map(\.value) == ["1", "2"])
    bench.bench.worker.answerCall(201, ["X-Foo: bar", "x-many: 1", "X-Many: 2"], body: "answer")
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest?["x-value"] == "answer")
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
  }

  @Test func defaults() throws {
    let bench = try bench(
      "local options = {service = 'shop/stock:8080'} weft.http.get(options) assert(next(options, 'service') == nil)")
    _ = try bench.request()
    let call = try #require(bench.bench.worker.calls.first)
    #expect(call.service.name == "shop/stock:8080" && call.authority == "shop/stock:8080")
    #expect(call.method == "GET" && call.target == "/" && call.timeout == 5000 && call.body.isEmpty)
    bench.bench.worker.answerCall(204)
    #expect(bench.errors == [])
  }

  @Test(arguments: [
    ("upstream_connect_timeout", "timeout"), ("request_timeout", "timeout"), ("upstream_connect_failure", "refused"),
    ("no_healthy_upstream", "refused"), ("response_body_too_large", "too_large"),
  ])
  func withoutAnAnswer(_ failure: String, _ kind: String) throws {
    let bench = try bench(
      """
      local answer, why, kind = weft.http.get{service = "users"}
      same(nil, answer) same("\(failure)", why) same("\(kind)", kind)
      """)
    _ = try bench.request()
    bench.bench.worker.answerCall(0, failure: failure)
    #expect(bench.errors == [])
  }

  @Test func refusals() throws {
    let bench = try bench(
      """
      local answer, why, kind = weft.http.get{service = "others"}
      same(nil, answer) same("not_allowed", kind) same('the service "others" is not allowed: the bundle does not list it', why)
      answer, why, kind = weft.http.get{service = "users"}
      same(nil, answer) same("refused", kind)
      raises("'service' is missing", weft.http.get, {}) raises("'path' must be a string", weft.http.get, {service = "users", path = {}})
      raises("no option 'timeout' of weft.http.get; there are service, path, headers, body, authority, timeout_ms",
        weft.http.get, {service = "users", timeout = 10})
      raises("no option 'method' of weft.http.post", weft.http.post, {service = "users", method = "GET"})
      raises("no option 'query' of weft.http.request; there are service", weft.http.request, {service = "users", query = "a"})
      raises("each option of weft.http.request is given by name, not by number", weft.http.request, {"users"})
      raises("'timeout_ms' must be more than 0", weft.http.get, {service = "users", timeout_ms = 0})
      raises("'headers' must be a table", weft.http.get, {service = "users", headers = "x"})
      raises("is no name of a header", weft.http.get, {service = "users", headers = {["a b"] = "x"}})
      raises("is no name of a header", weft.http.get, {service = "users", headers = {[":path"] = "x"}})
      raises("is not allowed", weft.http.get, {service = "users", headers = {a = "x\\n"}})
      raises("by name", weft.http.get, {service = "users", headers = {"x"}})
      raises("not allowed", weft.http.get, {service = "users", path = "/a b"}) raises("not allowed", weft.http.get, {service = "users", authority = "a/b"})
      raises("not allowed", weft.http.request, {service = "users", method = "CONNECT"}) raises("not allowed", weft.http.request, {service = "users", method = "A B"})
      raises("inside a coroutine of the script's own", coroutine.wrap(function() weft.http.get{service = "users"} end))
      raises("table expected", weft.http.get, "users")
      raises("more than 64 calls", function() for i = 1, 100 do weft.http.get{service = "users"} end end)
      """)
    bench.bench.worker.refusesCalls = true
    _ = try bench.request()
    #expect(bench.errors == [])
    #expect(throws: (any Error).self) { try ScriptBench("weft.http.get{service = 'users'}", options: Self.services) }
  }

  @Test func sideBySide() throws {
    let bench = try bench(
      """
      local r, e = weft.all{
        function() return weft.http.get{service = "users", path = "/1"} end,
        function()
          local a = weft.http.get{service = "users", path = "/2"}
          return assert(weft.http.get{service = "users", path = "/2/" .. a.body}).body
        end,
        function() weft.sleep(10) return "slept" end,
        function() return nil, "why" end,
        function() error("raised", 0) end,
        function() return weft.http.get{service = "others"} end,
        function() coroutine.yield() end,
        function() return coroutine.wrap(function() coroutine.yield("inner") end)() end,
      }
      same("one", r[1].body) same("three", r[2]) same("slept", r[3]) same(nil, r[4]) same("why", e[4]) same(nil, r[5]) same("raised", e[5])
      same(nil, r[6]) assert(e[6]:find("not allowed")) assert(e[7]:find("unexpected yield")) same("inner", r[8])
      handle:headers():add("x-value", "done")
      """)
    let exchange = try bench.request()
    #expect(bench.errors == [])
    #expect(bench.bench.worker.calls.map(\.target) == ["/1", "/2"])
    #expect(bench.bench.worker.timerDelays == [10])
    bench.bench.worker.answerCall(200, body: "one")
    #expect(exchange.progress == .request)
    bench.bench.worker.answerCall(200, body: "two")
    #expect(bench.bench.worker.calls.map(\.target) == ["/2/two"])
    bench.bench.advance(milliseconds: 10)
    #expect(exchange.progress == .request)
    bench.bench.worker.answerCall(200, body: "three")
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest?["x-value"] == "done")
    #expect(bench.bench.worker.timerDelays == [])
  }

  @Test func mistakes() throws {
    let bench = try bench(
      """
      local r, e = weft.all{}
      same(nil, next(r)) same(nil, next(e))
      raises("element 2 is a number", weft.all, {print, 1}) raises("table expected", weft.all, print)
      local many = {} for i = 1, 33 do many[i] = print end
      raises("more than 32 functions", weft.all, many)
      r, e = weft.all{function() weft.all{} end, function() handle:body() end, function() handle:sleep(1) end}
      assert(e[1]:find("inside of weft.all")) assert(e[3]:find("cannot wait"))
      raises("coroutine of the script's own", coroutine.wrap(function() weft.all{print} end))
      local thread
      weft.all{function() thread = coroutine.running() weft.sleep(0) end}
      same(false, (coroutine.resume(thread)))
      """)
    _ = try bench.request("POST", "/", body: ["x"])
    #expect(bench.errors == [])
    #expect(throws: (any Error).self) { try ScriptBench("weft.all{print}") }
  }

  /// An exchange that ends while requests are under way takes nobody along.
  @Test func theExchangeMayEnd() throws {
    let bench = try bench(
      """
      local closed <close> = setmetatable({}, {__close = function() print("closed") end})
      weft.all{function() weft.http.get{service = "users"} end, function() weft.http.get{service = "users"} end}
      error("not reached")
      """)
    let exchange = try bench.request()
    let other = try bench.request()
    bench.bench.worker.answerCall(200)
    exchange.end()
    for _ in 0..<3 { bench.bench.worker.answerCall(200) }
    #expect(bench.errors.count == 1 && bench.errors.first?.contains("not reached") == true)
    #expect(other.response?.status == 500)
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
  }

  @Test(
    .enabled(if: wl_can_interrupt() != 0),
    arguments: [
      "weft.all{function() while true do end end}",
      "weft.all{function() weft.http.get{service = 'users'} end, function() while true do pcall(function() while true do end end) end end}",
      "while true do weft.all{function() end} end",
    ])
  func theTimeHoldsInside(_ script: String) throws {
    let bench = try ScriptBench(
      "function on_request(handle)\nif handle:headers():get(':path') == '/fine' then return end\n\(script)\nend",
      options: "limits: {cpu: 10ms}\n\(Self.services)")
    #expect(try bench.request("GET", "/bad").response?.status == 500)
    #expect(bench.errors.first?.contains("processor time") == true, "\(bench.errors)")
    #expect(try bench.request("GET", "/fine").upstreamRequest != nil)
    bench.bench.worker.answerCall(200)
  }

  @Test func inTheMiddleOfABody() throws {
    let bench = try bench(
      """
      for chunk in handle:bodyChunks() do
        local r = weft.all{function() return weft.http.get{service = "users", body = chunk:getBytes(0, chunk:length())} end}
        chunk:setBytes(r[1].body)
      end
      """, function: "on_response")
    let exchange = try bench.request()
    try exchange.respond(200, body: ["a", "b"], chunked: true)
    bench.bench.worker.answerCall(200, body: "A")
    bench.bench.worker.answerCall(200, body: "B")
    #expect(exchange.response?.text == "AB")
    #expect(bench.errors == [])
  }
}
