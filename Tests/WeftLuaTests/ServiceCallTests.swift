import Testing
import WeftFilter

@testable import WeftLua

@Suite struct ServiceCallTests {
  private static let services = "services: [users, shop/stock:8080]"
  private static let fields = "{[':method'] = 'POST', [':path'] = '/check', [':authority'] = 'users'}"

  @Test func anAnswer() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local headers, body = handle:httpCall("users", {
          [":method"] = "POST", [":path"] = "/check?a=b", [":authority"] = "users.example",
          ["X-Tag"] = "t", ["set-cookie"] = {"a=1", "b=2"},
        }, "question", 5000)
        handle:headers():add("x-status", headers[":status"])
        handle:headers():add("x-foo", headers["x-foo"])
        handle:headers():add("x-many", headers["x-many"])
        handle:headers():add("x-body", body)
      end
      """, options: Self.services)
    let exchange = try bench.request()
    #expect(exchange.progress == .request)
    let call = try #require(bench.bench.worker.calls.first)
    #expect(call.service.name == "default/users")
    #expect(call.method == "POST" && call.target == "/check?a=b" && call.authority == "users.example")
    #expect(call.body == Array("question".utf8) && call.timeout == 5000)
    let sent = call.headers.map { "\($0.name): \($0.value)" }.sorted()
    #expect(sent == ["set-cookie: a=1", "set-cookie: b=2", "x-forwarded-for: 10.0.0.254", "x-tag: t"])
    bench.bench.worker.answerCall(201, ["X-Foo: bar", "x-many: 1", "x-many: 2"], body: "answer")
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest?["x-status"] == "201")
    #expect(exchange.upstreamRequest?["x-foo"] == "bar")
    #expect(exchange.upstreamRequest?["x-many"] == "2")
    #expect(exchange.upstreamRequest?["x-body"] == "answer")
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
  }

  @Test func answering() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local headers = handle:httpCall("users", \(Self.fields), nil, 100)
        handle:respond({[":status"] = "403", ["x-why"] = headers["x-why"]}, "nope")
      end
      """, options: Self.services)
    let exchange = try bench.request()
    bench.bench.worker.answerCall(200, ["x-why: because"])
    #expect(exchange.response?.status == 403)
    #expect(exchange.response?["x-why"] == "because")
  }

  @Test func options() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local headers, body = handle:httpCall("shop/stock:8080", \(Self.fields), nil,
          {timeout_ms = 250, return_duplicate_headers = true, trace_sampled = false, send_xff = false})
        handle:headers():add("x-value", table.concat(headers["x-many"], "+") .. headers["x-one"] .. tostring(body))
      end
      """, options: Self.services)
    let exchange = try bench.request()
    #expect(bench.bench.worker.calls.first?.service.name == "shop/stock:8080")
    #expect(bench.bench.worker.calls.first?.timeout == 250)
    #expect(bench.bench.worker.calls.first?.headers.isEmpty == true)
    bench.bench.worker.answerCall(200, ["x-many: 1", "x-many: 2", "x-one: 3"])
    #expect(exchange.upstreamRequest?["x-value"] == "1+23nil")
    #expect(bench.errors == [])
  }

  @Test(arguments: [false, true])
  func withoutAnAnswer(_ isRefused: Bool) throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local headers, body = handle:httpCall("users", \(Self.fields), nil, 0)
        handle:headers():add("x-value", headers[":status"] .. " " .. body)
      end
      """, options: Self.services)
    bench.bench.worker.refusesCalls = isRefused
    let exchange = try bench.request()
    if !isRefused {
      #expect(bench.bench.worker.calls.first?.timeout == 3_600_000)
      bench.bench.worker.answerCall(0, failure: "timeout")
    }
    #expect(exchange.upstreamRequest?["x-value"] == "503 upstream failure")
    #expect(bench.errors == [])
  }

  @Test func notWaiting() throws {
    for last in ["100, true", "{asynchronous = true}"] {
      let bench = try ScriptBench(
        "function on_request(handle) assert(handle:httpCall('users', \(Self.fields), 'x', \(last)) == nil) end",
        options: Self.services)
      let exchange = try bench.request()
      #expect(exchange.upstreamRequest != nil)
      #expect(bench.bench.worker.calls.count == 1)
      exchange.end()
      bench.bench.worker.answerCall(200)
      #expect(bench.errors == [])
    }
  }

  @Test func inTheMiddleOfABody() throws {
    let bench = try ScriptBench(
      """
      function on_response(handle)
        for chunk in handle:bodyChunks() do
          local _, body = handle:httpCall("users", \(Self.fields), chunk:getBytes(0, chunk:length()), 100)
          chunk:setBytes(body)
        end
      end
      """, options: Self.services)
    let exchange = try bench.request()
    try exchange.respond(200, body: ["a", "b"], chunked: true)
    bench.bench.worker.answerCall(200, body: "A")
    #expect(exchange.response?.text == "A")
    bench.bench.worker.answerCall(200, body: "B")
    #expect(exchange.response?.text == "AB")
    #expect(bench.errors == [])
  }

  @Test func theExchangeMayEndBeforeTheAnswer() throws {
    let bench = try ScriptBench(
      "function on_request(handle) handle:httpCall('users', \(Self.fields), nil, 100) error('not reached') end",
      options: Self.services)
    let exchange = try bench.request()
    exchange.end()
    bench.bench.worker.answerCall(200)
    #expect(bench.errors == [])
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
  }

  @Test(arguments: [
    ("'other', F, nil, 1", "http call cluster invalid. Must be configured"),
    ("'users', {[':path'] = '/'}, nil, 1", "http call headers must include ':path', ':method', and ':authority'"),
    ("'users', F, nil, -1", "http call timeout must be >= 0"), ("'users', F, nil", "number expected, got no value"),
    ("'users', F, nil, 1, 'yes'", "http call asynchronous flag must be 'true', 'false', or empty"),
    ("'users', F, nil, {nonesuch = 1}", "\"nonesuch\" is not valid key for httpCall() options"),
    ("'users', F, nil, {1}", "httpCall() takes options by name, not by number"),
    ("'users', F, nil, {timeout_ms = {}}", "http call option 'timeout_ms' must be a number, not table"),
    ("'users', F, nil, {timeout_ms = -1}", "http call timeout must be >= 0"),
    ("'users', F, {}, 1", "string expected, got table"), ("'users', 'x', nil, 1", "table expected, got string"),
    ("'users', {[':path'] = '/\\n'}, nil, 1", "the value for ':path' is not allowed"),
    ("'users', {['a b'] = '/'}, nil, 1", "'a b' is no name of a header"),
    ("'users', {x = true}, nil, 1", "the value for 'x' is a boolean"),
    ("{}, F, nil, 1", "string expected, got table"),
  ])
  func mistakes(_ arguments: String, _ message: String) throws {
    let bench = try ScriptBench(
      "function on_request(handle)\nlocal F = \(Self.fields)\nhandle:httpCall(\(arguments))\nend",
      options: Self.services)
    #expect(try bench.request().response?.status == 500)
    #expect(bench.errors.first?.contains(message) == true, "\(bench.errors)")
    #expect(bench.bench.worker.calls.isEmpty)
  }

  @Test func callsAreBounded() throws {
    let bench = try ScriptBench(
      "function on_request(handle) while true do handle:httpCall('users', \(Self.fields), nil, 1, true) end end",
      options: Self.services)
    _ = try bench.request()
    #expect(bench.bench.worker.calls.count == 64)
    #expect(bench.errors.first?.contains("more than 64 http calls") == true)
  }

  @Test func aBundleNamesItsServices() throws {
    let folder = try BundleFolders()
    try folder.add("caller", manifest: "services: [users]")
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path]
    #expect(try bench.decode("bundle: caller").use.services.keys.sorted() == ["users"])
    #expect(try bench.decode("bundle: caller\nservices: [keys]").use.services.keys.sorted() == ["keys", "users"])
  }
}
