import CLuaHost
import Testing
import WeftFilter

@testable import WeftLua

@Suite struct WaitingTests {
  @Test func sleeping() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:sleep(20)
        handle:headers():add("x-slept", "1")
        weft.sleep(0.5)
        handle:headers():add("x-slept", "2")
      end
      function on_response(handle) weft.sleep(5) handle:headers():add("x-slept", "3") end
      """)
    let exchange = try bench.request()
    #expect(exchange.progress == .request)
    #expect(bench.bench.worker.timerDelays == [20])
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 1)
    bench.bench.advance(milliseconds: 19)
    #expect(exchange.progress == .request)
    bench.bench.advance(milliseconds: 1)
    #expect(bench.bench.worker.timerDelays == [1])
    bench.bench.advance(milliseconds: 1)
    #expect(exchange.upstreamRequest?.values("x-slept") == ["1", "2"])
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
    try exchange.respond(200)
    #expect(exchange.response == nil)
    bench.bench.advance(milliseconds: 5)
    #expect(exchange.response?["x-slept"] == "3")
    #expect(bench.errors == [])
  }

  /// Many calls wait at a time, each in a coroutine of its own, and none sees another's exchange.
  @Test func manyWaitAtATime() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local mine = handle:headers():get(":path")
        weft.sleep(10)
        assert(mine == handle:headers():get(":path"))
        local text = handle:body():getBytes(0, 3)
        handle:headers():add("x-value", mine .. text)
      end
      """)
    let exchanges = try (0..<50).map { try bench.request("POST", "/\($0)", body: ["b\($0)".padded]) }
    bench.bench.advance(milliseconds: 10)
    #expect(bench.errors == [])
    for (i, exchange) in exchanges.enumerated() {
      #expect(exchange.upstreamRequest?["x-value"] == "/\(i)" + "b\(i)".padded)
    }
  }

  @Test func coroutinesAreUsedAgain() throws {
    let bench = try ScriptBench()
    let filter = try bench.add(
      """
      function on_request(handle)
        local path = handle:headers():get(":path")
        if path == "/respond" then handle:respond({[":status"] = "200"}) end
        if path == "/error" then error("x") end
        if path == "/sleep" then weft.sleep(1) end
      end
      function on_response(handle) end
      """)
    let host = filter.state.host
    for _ in 0..<20 {
      for path in ["/", "/respond", "/error", "/sleep"] { _ = try bench.request("GET", path) }
    }
    #expect(wl_slots(host) == wl_free_slots(host))
    #expect(wl_slots(host) == 1)
  }

  // MARK: Exchanges that end in the middle

  @Test func aWaitingCallEndsWithItsExchange() throws {
    let bench = try ScriptBench()
    let filter = try bench.add(
      """
      closed = 0
      function on_request(handle)
        if handle:headers():get(":path") == "/count" then
          return handle:headers():add("x-closed", closed)
        end
        local guard <close> = setmetatable({}, {__close = function()
          closed = closed + 1
          -- The exchange has gone: nothing can be had of it, and nothing be waited for.
          assert(not pcall(handle.headers, handle))
          assert(not pcall(weft.sleep, 1))
          assert(not pcall(coroutine.yield))
          closed = closed + 1
        end})
        weft.sleep(1000)
        error("not reached")
      end
      """)
    let exchange = try bench.request()
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 1)
    exchange.end()
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
    bench.bench.advance(milliseconds: 2000)
    #expect(try bench.request("GET", "/count").upstreamRequest?["x-closed"] == "2")
    #expect(wl_slots(filter.state.host) == wl_free_slots(filter.state.host))
    #expect(bench.errors == [])
  }

  @Test(arguments: [
    "handle:body()", "for _ in handle:bodyChunks() do weft.sleep(5) end", "handle:trailers() weft.sleep(5)",
  ])
  func anExchangeMayEndInAnyWait(_ statement: String) throws {
    let bench = try ScriptBench()
    let filter = try bench.add(
      "function on_request(handle) \(statement) end\nfunction on_response(handle) \(statement) end")
    for steps in 0..<4 {
      let exchange = try bench.request("POST", "/", body: ["a", "b"], chunked: true)
      for _ in 0..<steps { bench.bench.advance(milliseconds: 5) }
      if exchange.progress == .upstream { try exchange.respond(200, body: ["a", "b"], chunked: true) }
      exchange.end()
    }
    #expect(wl_slots(filter.state.host) == wl_free_slots(filter.state.host))
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
    #expect(bench.errors == [])
  }

  /// A call on the request's way and one on the response's may wait at the same time.
  @Test func bothSidesMayWait() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        for chunk in handle:bodyChunks() do handle:logInfo("request " .. chunk:getBytes(0, chunk:length())) end
        handle:logInfo("request ends")
      end
      function on_response(handle)
        for chunk in handle:bodyChunks() do handle:logInfo("response " .. chunk:getBytes(0, chunk:length())) end
      end
      """)
    let exchange = try bench.request("POST", "/", body: ["a", "b"])
    try exchange.respond(200, body: ["c"])
    #expect(bench.lines.at(.info) == ["request a", "request b", "request ends", "response c"])
    #expect(bench.errors == [])
  }

  // MARK: Waiting where it is not possible

  @Test(arguments: [
    ("coroutine.wrap(function() weft.sleep(1) end)()", "cannot wait inside a coroutine of the script's own"),
    ("coroutine.wrap(function() handle:body() end)()", "cannot wait inside a coroutine of the script's own"),
    (
      "coroutine.wrap(function() handle:respond({[':status'] = '200'}) end)()",
      "cannot wait inside a coroutine of the script's own"
    ),
    ("table.sort({3, 1, 2}, function(a, b) weft.sleep(1) return a < b end)", "cannot wait here"),
    ("string.gsub('a', 'a', function() weft.sleep(1) end)", "cannot wait here"),
    ("coroutine.yield()", "script performed an unexpected yield"),
    ("coroutine.yield(1, 2, 3)", "script performed an unexpected yield"),
    ("weft.sleep(-1)", "0 to 3600000 milliseconds"), ("weft.sleep(1e9)", "0 to 3600000 milliseconds"),
    ("weft.sleep(0/0)", "0 to 3600000 milliseconds"), ("weft.sleep('x')", "number expected, got string"),
  ])
  func notHere(_ statement: String, _ message: String) throws {
    let bench = try ScriptBench("function on_request(handle) \(statement) end")
    #expect(try bench.request("POST", "/", body: ["a"]).response?.status == 500)
    #expect(bench.errors.first?.contains(message) == true, "\(bench.errors)")
  }

  @Test func waitingAtLoadTime() {
    #expect(throws: (any Error).self) { try ScriptBench("weft.sleep(1)") }
    #expect(throws: (any Error).self) { try ScriptBench("coroutine.yield()") }
  }

  /// pcall and metamethods of Lua's own do not stand in the way.
  @Test func waitingThroughAProtectedCall() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local ok, value = pcall(function() weft.sleep(1) return "a" end)
        local fine, other = xpcall(function() weft.sleep(1) error("b") end, function(m) return m .. "!" end)
        local t = setmetatable({}, {__index = function(_, key) weft.sleep(1) return key end})
        handle:headers():add("x-value", value .. other .. t.c)
      end
      """)
    let exchange = try bench.request()
    bench.bench.advance(milliseconds: 1)
    bench.bench.advance(milliseconds: 1)
    bench.bench.advance(milliseconds: 1)
    #expect(exchange.upstreamRequest?["x-value"] == "ascript.lua:3: b!c")
    #expect(bench.errors == [])
  }

  @Test func theScriptsOwnCoroutines() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local produce = coroutine.wrap(function(first)
          local got = coroutine.yield(first + 1)
          coroutine.yield(handle:headers():get(":path") .. got)
          error("end")
        end)
        local a = produce(1)
        local b = produce("x")
        local ok, message = pcall(produce)
        local co = coroutine.create(function(...) return select("#", ...) end)
        local fine, count = coroutine.resume(co, nil, nil)
        local dead, why = coroutine.resume(co)
        local open = coroutine.create(function() local x <close> = setmetatable({}, {__close = error}) coroutine.yield() end)
        coroutine.resume(open)
        local closed = coroutine.close(open)
        handle:headers():add("x-value", table.concat({
          a, b, tostring(ok), message, tostring(fine), count, tostring(dead), why, tostring(closed),
          coroutine.status(open),
        }, " "))
      end
      """)
    #expect(
      try bench.request("GET", "/p").upstreamRequest?["x-value"]
        == "2 /px false script.lua:5: end true 2 false cannot resume dead coroutine false dead")
    #expect(bench.errors == [])
  }
}

extension String {
  fileprivate var padded: String { self + String(repeating: ".", count: max(0, 3 - count)) }
}
