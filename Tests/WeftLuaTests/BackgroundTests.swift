import CLuaHost
import Testing
import WeftFilter

@testable import WeftLua

/// on_load, weft.every, weft.log.
@Suite struct BackgroundTests {
  private func infos(_ bench: ScriptBench) -> [String] { bench.lines.at(.info) }

  @Test func onLoadRunsOnce() throws {
    let bench = try ScriptBench(
      """
      local n = 0
      function on_load() n = n + 1 print("loaded", n) end
      function on_request(handle) handle:headers():add("x", tostring(n)) end
      """)
    #expect(infos(bench) == ["loaded\t1"])
    for _ in 0..<3 { #expect(try bench.request().upstreamRequest?["x"] == "1") }
    #expect(infos(bench) == ["loaded\t1"])
    #expect(bench.bench.metric("weft_lua_background_runs_total", ["script", "done"]) == 1)
  }

  @Test func atIntervals() throws {
    let bench = try ScriptBench(
      """
      local n = 0
      weft.every(0.5, function() n = n + 1 weft.log("info", "run ", n) end)
      weft.every(1, function() weft.log("info", "each") end, {worker = "each"})
      function on_request(handle) end
      """)
    #expect(infos(bench) == [])
    bench.bench.advance(milliseconds: 499)
    #expect(infos(bench) == [])
    bench.bench.advance(milliseconds: 1)
    #expect(infos(bench) == ["run \t1"])
    bench.bench.advance(milliseconds: 500)
    #expect(infos(bench).sorted() == ["each", "run \t1", "run \t2"])
    bench.bench.advance(milliseconds: 5000)
    #expect(infos(bench).count == 5, "what was missed is not made up for")
    bench.bench.advance(milliseconds: 500)
    #expect(infos(bench).filter { $0.hasPrefix("run") }.count >= 4)
    #expect(bench.errors == [])
  }

  @Test func oneWorkerOrEach() throws {
    let bench = try ScriptBench(
      """
      weft.every(1, function() print("one") end, {worker = "one"})
      weft.every(1, function() print("each") end, {worker = "each"})
      function on_request(handle) end
      """, worker: 1)
    bench.bench.advance(milliseconds: 1000)
    #expect(infos(bench) == ["each"])
  }

  /// A run waits for services and time, and never overlaps with itself.
  @Test func runsWait() throws {
    let bench = try ScriptBench(
      """
      weft.every(1, function()
        print("begin")
        local a = assert(weft.http.get{service = "users", path = "/keys"})
        weft.sleep(300)
        local r = weft.all{function() return weft.http.get{service = "users"} end, function() weft.sleep(50) return "s" end}
        print("end", a.body, r[1].body, r[2])
      end)
      function on_request(handle) end
      """, options: "services: [users]")
    let worker = bench.bench.worker
    bench.bench.advance(milliseconds: 1000)
    #expect(worker.calls.map(\.target) == ["/keys"])
    bench.bench.advance(milliseconds: 5000)
    #expect(infos(bench) == ["begin"])
    worker.answerCall(200, body: "k")
    bench.bench.advance(milliseconds: 1)
    #expect(worker.calls.isEmpty)
    bench.bench.advance(milliseconds: 300)
    #expect(worker.calls.count == 1)
    bench.bench.advance(milliseconds: 50)
    worker.answerCall(200, body: "l")
    bench.bench.advance(milliseconds: 1)
    #expect(infos(bench) == ["begin", "end\tk\tl\ts"])
    bench.bench.advance(milliseconds: 1)
    #expect(infos(bench).last == "begin")
    #expect(bench.errors == [])
  }

  @Test func errorsAreLoggedAndCounted() throws {
    let bench = try ScriptBench(
      """
      function on_load() error("at load") end
      weft.every(1, function() error("in the background") end)
      function on_request(handle) end
      """)
    #expect(bench.errors.count == 1 && bench.errors[0].contains("at load"))
    bench.bench.advance(milliseconds: 1000)
    bench.bench.advance(milliseconds: 1000)
    #expect(bench.errors.count == 3 && bench.errors[1].contains("script.lua:2: in the background"))
    #expect(bench.bench.metric("weft_lua_background_runs_total", ["script", "error"]) == 3)
    #expect(try bench.request().upstreamRequest != nil)
  }

  @Test(.enabled(if: wl_can_interrupt() != 0))
  func theLimitsHold() throws {
    let bench = try ScriptBench(
      """
      weft.every(1, function() while true do end end)
      weft.every(1, function() local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end)
      function on_request(handle) end
      """, options: "limits: {cpu: 10ms, memory: 1MiB}")
    bench.bench.advance(milliseconds: 1000)
    // The second one waits for a while after the first.
    bench.bench.advance(milliseconds: 500)
    #expect(bench.bench.metric("weft_lua_background_runs_total", ["script", "limit"]) == 2)
    #expect(try bench.request().upstreamRequest != nil)
  }

  /// When nothing uses the filter any more, what runs is cancelled, and its variables are closed.
  @Test func itEndsWithTheConfiguration() throws {
    let bench = try ScriptBench()
    let filter = try bench.add(
      """
      weft.every(1, function()
        local closed <close> = setmetatable({}, {__close = function() closings = (closings or 0) + 1 end})
        weft.http.get{service = "users"}
        error("not reached")
      end)
      weft.every(1, function() end)
      function on_request(handle) handle:headers():add("x", tostring(closings)) end
      """, options: "services: [users]")
    bench.bench.advance(milliseconds: 1000)
    #expect(bench.bench.worker.calls.count == 1)
    filter.onStop()
    bench.bench.advance(milliseconds: 1000)
    bench.bench.worker.answerCall(200)
    bench.bench.advance(milliseconds: 5000)
    #expect(bench.bench.metric("weft_lua_background_runs_total", ["script", "done"]) == 1)
    #expect(try bench.request().upstreamRequest?["x"] == "1")
    #expect(bench.errors == [])
    // Another configuration with the same bundle begins again.
    filter.onStart()
    bench.bench.advance(milliseconds: 1000)
    #expect(bench.bench.worker.calls.count == 1)
    filter.onStop()
    bench.bench.worker.answerCall(200)
  }

  @Test(arguments: [
    ("weft.every(0.05, print)", "0.1 to 86400 seconds"), ("weft.every(1, 2)", "function expected"),
    ("weft.every(1, print, {worker = 'all'})", "invalid option"),
    ("weft.every(1, print, {workers = 'one'})", "no option 'workers' of weft.every; there are worker"),
    ("for i = 1, 17 do weft.every(1, print) end", "more than 16 times"),
    ("on_load = 1", "on_load is a number and no function"),
  ])
  func mistakes(_ script: String, _ message: String) throws {
    do {
      _ = try ScriptBench("\(script)\nfunction on_request(handle) end")
      Issue.record("no error")
    } catch {
      #expect("\(error)".contains(message), "\(error)")
    }
  }

  @Test func onlyWhileLoading() throws {
    let bench = try ScriptBench("function on_request(handle) weft.every(1, print) end")
    _ = try bench.request()
    #expect(
      bench.errors.first?.contains("while a script is loaded") == true
        || bench.errors.first?.contains("is loaded") == true)
  }

  /// A handle that a script has kept is of no use in the background.
  @Test func noHandleThere() throws {
    let bench = try ScriptBench(
      """
      local kept, headers
      weft.every(1, function()
        print(pcall(kept.headers, kept)) print(pcall(headers.get, headers, "x")) print(pcall(kept.logInfo, kept, "x"))
      end)
      function on_request(handle) kept = handle headers = handle:headers() end
      """)
    _ = try bench.request()
    bench.bench.advance(milliseconds: 1000)
    #expect(infos(bench).filter { $0.contains("object used outside of proper scope") }.count >= 2, "\(infos(bench))")
  }
}
