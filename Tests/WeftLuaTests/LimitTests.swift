import CLuaHost
import Glibc
import Testing
import WeftFilter

@testable import WeftLua

/// Scripts that would run for ever, or eat all memory: each ends, and the state serves the next call.
@Suite struct LimitTests {
  /// Runs `script` as the body of a function, with a limit, and says why it failed.
  private func outcome(_ script: String, limits: String) throws -> (error: String?, milliseconds: Int64, after: Bool) {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        if handle:headers():get(":path") == "/fine" then return end
        \(script)
      end
      """, options: "limits: {\(limits)}")
    let before = ThreadClock.now
    let exchange = try bench.request("GET", "/bad")
    let milliseconds = (ThreadClock.now - before) / 1_000_000
    #expect(exchange.response?.status == 500 || exchange.upstreamRequest != nil)
    let after = try bench.request("GET", "/fine").upstreamRequest != nil
    return (bench.errors.first, milliseconds, after)
  }

  static let endless: [String] = [
    "while true do end",
    "repeat until false",
    "::again:: goto again",
    "for i = 1, math.huge do end",
    "local function f() return f() end f()",
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error) end",
    "local function f() pcall(f) end while true do f() end",
    "local function f() while true do pcall(f) end end f()",
    "local function f() while true do xpcall(f, function(m) return m end) end end f()",
    "xpcall(function() while true do end end, function() while true do end end)",
    "xpcall(error, function() while true do end end)",
    "while true do xpcall(function() while true do end end, function(m) return m end) end",
    "local x <close> = setmetatable({}, {__close = function() while true do end end}) error('x')",
    "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
    "for _ in function() return 1 end do end",
    "coroutine.wrap(function() while true do end end)()",
    "while true do coroutine.wrap(function() while true do end end)() end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "local function f() return coroutine.wrap(f)() end f()",
    "local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() while true do end "
      + "end}) coroutine.yield() end) coroutine.resume(co) coroutine.close(co)",
    "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
    "setmetatable({}, {__index = function(t, k) return t[k + 1] end})[1]:x()",
    "local t = setmetatable({}, {__eq = function() while true do end end}) return t == setmetatable({}, getmetatable(t))",
    "local t = setmetatable({}, {__concat = function(a, b) return a .. b end}) return t .. t",
    "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "return #setmetatable({}, {__len = function() while true do end end})",
    // In C.
    "string.find(string.rep('a', 30000), string.rep('a-', 20) .. 'b')",
    "string.match(string.rep('a', 100000), '.-.-.-.-b')",
    "string.gsub(string.rep('a', 100000), '.*.*.*b', '')",
    "for _ in string.gmatch(string.rep('a', 100000), '.-.-.-b') do end",
    "string.find(string.rep('(', 50000), '%b()' .. string.rep('%b()', 20))",
    "while true do string.find(string.rep('a', 100000), 'b', 1, true) end",
    "table.move({}, 1, 1 << 40, 2)",
    "table.insert(setmetatable({}, {__len = function() return 1 << 40 end}), 1, 0)",
    "table.remove(setmetatable({}, {__len = function() return 1 << 40 end}), 1)",
    "table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, 1 << 40)",
    "local n = 0 table.sort(setmetatable({}, {__len = function() return 1 << 20 end, __index = function() n = n + 1 "
      + "return n % 1000 end}))",
    "table.sort({3, 1, 2}, function() while true do end end)",
    "while true do load('return 1')() end",
    "load(function() return ' ' end)",
    "while true do string.format('%s', setmetatable({}, {__tostring = function() return 'x' end})) end",
    "while true do utf8.len(string.rep('a', 100000)) end",
    "while true do next({}) end",
    "local t = {} for i = 1, 100000 do t[i] = i end while true do for i in pairs(t) do end end",
  ]

  @Test(.enabled(if: wl_can_interrupt() != 0), arguments: endless)
  func whatNeverEndsIsEnded(_ script: String) throws {
    let (error, milliseconds, after) = try outcome(script, limits: "cpu: 10ms, memory: 32MiB")
    #expect(after, "\(script): the state serves nobody any more")
    // Processor time of this thread: 10 ms, up to two ticks of 4 ms, and what a tick of the kernel's own adds.
    #expect(milliseconds < 100, "\(script): took \(milliseconds) ms")
    #expect(error != nil, "\(script)")
  }

  /// A coroutine that is used again would keep what so many calls took, out of the collector's reach.
  @Test func deepCallsLeaveNoMemoryTaken() throws {
    let bench = try ScriptBench(
      """
      local function deep(what) if what == "/deep" then return 1 + deep(what) end end
      function on_request(handle)
        local path = handle:headers():get(":path")
        local t = {}
        while path == "/much" do t[#t + 1] = ("x"):rep(1000) .. #t end
        deep(path)
        for i = 1, 100000 do t[i] = i end
      end
      """, options: "limits: {cpu: 1s, memory: 16MiB}\ntrip: {failures: 0}")
    for i in 0..<20 {
      #expect(try bench.request("GET", i % 4 == 3 ? "/deep" : "/much").response?.status == 500)
      #expect(try bench.request("GET", "/fine").upstreamRequest != nil, "\(i)")
    }
    #expect(bench.errors.allSatisfy { $0.contains("memory limit") }, "\(bench.errors)")
  }

  /// To look for the bottom of such a stack takes longer than all that the call itself may take.
  @Test(.enabled(if: wl_can_interrupt() != 0))
  func aDeepStackIsDescribedByItsTop() throws {
    let bench = try ScriptBench(
      """
      local function deep(n) if n > 0 then return 1 + deep(n - 1) end while true do end end
      function on_request() deep(100000) end
      """, options: "limits: {cpu: 20ms, memory: 64MiB}")
    _ = try bench.request()
    let error = try #require(bench.errors.first)
    #expect(error.hasPrefix("script.lua:1: the call has used up its processor time"), "\(error)")
    #expect(error.contains("\n\tscript.lua:1: in upvalue 'deep'\n"), "\(error)")
    #expect(error.hasSuffix("(more than 1000 levels)"), "\(error)")
    #expect(error.split(separator: "\n").count == 18, "\(error)")
  }

  @Test(.enabled(if: wl_can_interrupt() != 0))
  func theErrorNamesLineAndLimit() throws {
    let bench = try ScriptBench("function on_request()\n  while true do\n  end\nend", options: "limits: {cpu: 5ms}")
    _ = try bench.request()
    let error = try #require(bench.errors.first)
    #expect(error.contains(": the call has used up its processor time (5 ms)"), "\(error)")
    #expect(error.hasPrefix("script.lua:"), "\(error)")
    #expect(error.contains("in function 'on_request'"), "\(error)")
    #expect(bench.bench.metric("weft_filter_errors_total", ["script", "limit"]) == 1)
  }

  /// Waiting is not computing.
  @Test(.enabled(if: wl_can_interrupt() != 0))
  func theTimeOfAWaitDoesNotCount() throws {
    let bench = try ScriptBench(
      "function on_request(h) for i = 1, 10 do weft.sleep(1000) end h:headers():add('x', 'y') end",
      options: "limits: {cpu: 1ms}")
    let exchange = try bench.request()
    for _ in 0..<10 { bench.bench.advance(milliseconds: 1000) }
    #expect(exchange.upstreamRequest?["x"] == "y")
  }

  /// A call that ends in time is not stopped, however many of them run at a stretch.
  @Test func manyShortCallsAreNoLongOne() throws {
    let bench = try ScriptBench(
      "function on_request(h) local n = 0 for i = 1, 1000 do n = n + i end end", options: "limits: {cpu: 5ms}")
    let before = ThreadClock.now
    while ThreadClock.now - before < 200_000_000 { _ = try bench.request() }
    #expect(bench.errors == [])
  }

  @Test(.enabled(if: wl_can_interrupt() != 0))
  func loadingIsLimitedToo() {
    #expect(throws: (any Error).self) { try ScriptBench("while true do end") }
  }

  // MARK: Memory

  static let greedy: [String] = [
    "local t = {} for i = 1, math.huge do t[i] = {} end",
    "local s = 'x' while true do s = s .. s end",
    "string.rep('x', 1 << 40)",
    "string.rep('x', 100 << 20)",
    "string.rep('xxxxxxxxxxxxxxxxx', (1 << 62) // 8)",
    "local t = {} for i = 1, math.huge do t[i] = coroutine.create(function() end) end",
    "local t = {} while true do t[#t + 1] = function() return t end end",
    "local t = {string.rep('x', 1000000)} while true do t[#t + 1] = table.concat(t) end",
    "local s = string.rep('x', 1000000) return (s:gsub('x', s))",
    "kept = kept or {} while true do kept[#kept + 1] = string.rep('y', 1000) .. #kept end",
    "local function f(...) return f(1, ...) end f()",
    "local m = handle:streamInfo():dynamicMetadata() m:set('a', 'b', string.rep('x', 3 << 20)) "
      + "m:set('a', 'b', {m:get('a').b, m:get('a').b, string.rep('z', 3 << 20)})",
  ]

  @Test(arguments: greedy)
  func whatEatsMemoryIsEnded(_ script: String) throws {
    let bench = try ScriptBench()
    let filter = try bench.add(
      """
      function on_request(handle)
        if handle:headers():get(":path") == "/fine" then return end
        \(script)
      end
      """, options: "limits: {cpu: 10s, memory: 4MiB}")
    for _ in 0..<2 { #expect(try bench.request("GET", "/bad").response?.status == 500) }
    #expect(filter.state.memory <= 4 << 20)
    #expect(bench.errors.first != nil)
    #expect(try bench.request("GET", "/fine").upstreamRequest != nil)
  }

  @Test func aStateThatHasNoMemoryLeftFailsItsExchangesOnly() throws {
    let bench = try ScriptBench()
    try bench.add(
      """
      kept = {}
      function on_request(handle)
        local size = 1 << 20
        while size > 16 do
          if pcall(function() kept[#kept + 1] = string.rep("x", size) .. #kept end) then else size = size // 2 end
        end
        weft.sleep(1)
      end
      """, options: "limits: {memory: 1MiB, cpu: 10s}")
    try bench.add("function on_request(handle) handle:headers():add('x-other', 'fine') end", name: "other")
    var exchanges: [FilterBenchExchange] = []
    for _ in 0..<20 { exchanges.append(try bench.request()) }
    bench.bench.advance(milliseconds: 1)
    // Each has been answered or has gone on: none hangs, and the process lives.
    #expect(exchanges.allSatisfy { $0.progress != .request })
    #expect(bench.lines.all.contains { $0.text.contains("memory") })
  }

  @Test func aStateMayBeTooSmallToBegin() {
    #expect(throws: (any Error).self) {
      try ScriptBench("t = {} for i = 1, 100000 do t[i] = {} end", options: "limits: {memory: 256KiB}")
    }
  }

  @Test func recursionIsBounded() throws {
    for script in [
      "local function f() return 1 + f() end f()",
      "local function f(n) return (string.gsub('a', 'a', function() return f(n + 1) end)) end f(1)",
      "local t = setmetatable({}, {}) getmetatable(t).__index = function(x, k) return x[k] end return t.x",
      "local t = {} for i = 1, 10000 do t = {t} end handle:streamInfo():dynamicMetadata():set('a', 'b', t)",
      "load('return ' .. string.rep('(', 10000) .. '1' .. string.rep(')', 10000))()",
      "string.find(string.rep('x', 300), string.rep('(x', 300))",
      "string.find(string.rep('a', 300), string.rep('a?', 300) .. 'b')",
      "local co = coroutine.wrap(function(f) return f(f) end) local function g(f) return coroutine.wrap(f)(f) end g(g)",
    ] {
      let (error, _, after) = try outcome(script, limits: "cpu: 10s, memory: 16MiB")
      #expect(error != nil, "\(script)")
      #expect(after, "\(script)")
    }
  }
}
