import Testing
import WeftFilter
import WeftIO
import WeftTelemetry

@testable import WeftLua

@Suite struct FailureTests {
  @Test func anErrorDeniesItsExchange() throws {
    let bench = try ScriptBench(
      """
      local function inner()
        error("oops")
      end
      function on_request(handle)
        if handle:headers():get(":path") == "/bad" then inner() end
      end
      """)
    let failed = try bench.request("GET", "/bad")
    #expect(failed.response?.status == 500)
    #expect(failed.upstreamRequest == nil)
    #expect(failed.flags.contains(.filterError))
    #expect(failed.details == "lua_error")
    let error = try #require(bench.errors.first)
    #expect(error.hasPrefix("script.lua:2: oops\nstack traceback:\n"))
    #expect(error.contains("script.lua:5: in function 'on_request'"))
    #expect(bench.bench.metric("weft_filter_errors_total", ["script", "error"]) == 1)
    #expect(try bench.request("GET", "/good").upstreamRequest != nil)
  }

  @Test func orIsSkipped() throws {
    let bench = try ScriptBench(
      "function on_request() error('a') end\nfunction on_response(h) h:headers():add('x', 'y') error('b') end",
      options: "onError: skip")
    let exchange = try bench.request()
    #expect(exchange.upstreamRequest != nil)
    try exchange.respond(200, body: ["fine"])
    #expect(exchange.response?.status == 200)
    #expect(exchange.response?["x"] == "y")
    #expect(bench.errors.count == 2)
    #expect(exchange.flags == [])
  }

  @Test func anErrorOnTheWayBack() throws {
    let bench = try ScriptBench("function on_response() error('b') end")
    let exchange = try bench.request()
    try exchange.respond(200, ["x-secret: 1"], body: ["secret"])
    #expect(exchange.response?.status == 500)
    #expect(exchange.response?.text == "a filter failed\n")
    #expect(exchange.response?["x-secret"] == nil)
  }

  @Test func anErrorInTheMiddleOfABody() throws {
    let script = "function on_response(h) for c in h:bodyChunks() do if c:length() == 2 then error('b') end end end"
    let denied = try ScriptBench(script)
    let exchange = try denied.request()
    try exchange.respond(200, body: ["a", "bb", "c"], chunked: true)
    // The head has gone: all that can be said is that the body is not whole.
    #expect(exchange.isAborted)
    let skipped = try ScriptBench(script, options: "onError: skip")
    let other = try skipped.request()
    try other.respond(200, body: ["a", "bb", "c"], chunked: true)
    #expect(other.response?.text == "abbc")
  }

  @Test func anErrorAfterAWait() throws {
    let bench = try ScriptBench("function on_request(h) weft.sleep(1) h:body() error('late') end")
    let exchange = try bench.request("POST", "/", body: ["a"])
    bench.bench.advance(milliseconds: 1)
    #expect(exchange.response?.status == 500)
    #expect(bench.errors.first?.hasPrefix("script.lua:1: late") == true)
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
  }

  @Test(arguments: [
    ("error({})", "(error object is a table value)"), ("error(nil)", "(error object is a nil value)"),
    ("error(setmetatable({}, {__tostring = function() error('x') end}))", "(error object is a table value)"),
    ("error('no place', 0)", "no place"), ("error(42)", "42"), ("local x = nil + 1", "attempt to perform arithmetic"),
    ("nothing()", "attempt to call a nil value (global 'nothing')"),
    ("local function f() return f() + 1 end f()", "s"),
    ("string.rep('x', -1):bad()", "attempt to call a nil value (method 'bad')"),
  ])
  func anyKindOfError(_ statement: String, _ message: String) throws {
    let bench = try ScriptBench("function on_request(handle) \(statement) end")
    for _ in 0..<2 { #expect(try bench.request().response?.status == 500) }
    #expect(bench.errors.first?.contains(message) == true, "\(bench.errors)")
  }

  @Test func theLogOfErrorsIsBounded() throws {
    let bench = try ScriptBench("function on_request() error('x') end", options: "trip: {failures: 0}")
    for _ in 0..<50 { _ = try bench.request() }
    #expect(bench.errors.count == 5)
    bench.bench.advance(milliseconds: 1000)
    _ = try bench.request()
    #expect(bench.errors.count == 6)
    #expect(bench.lines.all.last?.metadata["suppressed"] == "45")
    #expect(bench.bench.metric("weft_filter_errors_total", ["script", "error"]) == 51)
  }

  @Test func calls() throws {
    let bench = try ScriptBench("function on_request() end\nfunction on_response() end\nfunction on_log() end")
    for _ in 0..<3 {
      let exchange = try bench.request()
      try exchange.respond(200)
      exchange.end()
    }
    #expect(bench.calls() == 9)
    let memory = try #require(bench.bench.metric("weft_lua_memory_bytes", ["script"]))
    #expect(memory > 10_000 && memory < 200_000)
  }

  // MARK: Objects that a script keeps

  @Test(arguments: [
    "kept.handle:headers()", "kept.headers:get('a')", "kept.headers:add('a', 'b')", "kept.info:protocol()",
    "kept.metadata:get('a')", "kept.dynamic:set('a', 'b', 1)", "kept.connection:ssl()", "kept.body:getBytes(0, 1)",
    "kept.body:setBytes('x')", "for _ in pairs(kept.headers) do end", "kept.iterate()", "kept.chunks()",
    "kept.handle:respond({[':status'] = '200'})", "kept.handle:settings()", "kept.handle:timestamp()",
  ])
  func whatIsKeptReachesNoOtherExchange(_ statement: String) throws {
    let bench = try ScriptBench(
      """
      kept = {}
      function on_request(handle)
        if handle:headers():get(":path") == "/keep" then
          kept.handle = handle
          kept.headers = handle:headers()
          kept.info = handle:streamInfo()
          kept.metadata = handle:metadata()
          kept.dynamic = handle:streamInfo():dynamicMetadata()
          kept.connection = handle:connection()
          kept.iterate = pairs(kept.headers)
          kept.chunks = handle:bodyChunks()
          kept.body = handle:streamInfo()
          weft.sleep(1000)
        elseif handle:headers():get(":path") == "/body" then
          kept.body = handle:body()
          weft.sleep(1000)
        else
          \(statement)
        end
      end
      """)
    // Two exchanges wait, one has ended: a third one may use nothing of theirs.
    let waiting = try bench.request("POST", "/keep", body: ["secret"])
    let other = try bench.request("POST", "/body", body: ["secret"])
    #expect(try bench.request("GET", "/use").response?.status == 500)
    let error = try #require(bench.errors.first)
    #expect(error.contains("object used outside of proper scope"), "\(error)")
    waiting.end()
    other.end()
  }

  @Test func aKeptCoroutineOfACallCannotBeResumed() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local path = handle:headers():get(":path")
        if path == "/keep" then
          kept = coroutine.running()
          weft.sleep(1000)
        elseif path == "/resume" then
          coroutine.resume(kept)
        elseif path == "/close" then
          coroutine.close(kept)
        elseif path == "/wrap" then
          coroutine.close(coroutine.running())
        end
      end
      """)
    let waiting = try bench.request("GET", "/keep")
    for path in ["/resume", "/close", "/wrap"] { #expect(try bench.request("GET", path).response?.status == 500) }
    #expect(bench.errors.count == 3)
    #expect(bench.errors.allSatisfy { $0.contains("this coroutine belongs to the proxy") }, "\(bench.errors)")
    bench.bench.advance(milliseconds: 1000)
    #expect(waiting.upstreamRequest != nil)
  }

  @Test func methodsNeedTheirObject() throws {
    for statement in [
      "handle.headers()", "handle.headers(1)", "handle.headers({})", "handle.headers(handle:headers())",
      "handle:headers().get(handle, 'a')", "handle:streamInfo().protocol(nil)",
    ] {
      let bench = try ScriptBench("function on_request(handle) \(statement) end")
      #expect(try bench.request().response?.status == 500)
      #expect(bench.errors.first?.contains("bad argument #1") == true, "\(statement): \(bench.errors)")
    }
  }
}
