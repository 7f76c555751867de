import CLuaHost
import Glibc
import Testing
import WeftFilter

@testable import WeftLua

/// States that come after one that was given up.
@Suite(.enabled(if: wl_can_give_up() != 0)) struct SuccessionTests {
  /// Follows a chain of weak keys on `/chain`, which the collector does in a time that grows with its square.
  private static let script = """
    weak = weak or setmetatable({}, {__mode = "k"})
    last = last or {}
    first = first or last
    calls = 0
    function on_load() weft.log("info", "loaded") end
    function on_request(handle)
      calls = calls + 1
      local path = handle:headers():get(":path")
      if path == "/wait" then handle:sleep(60000) end
      while path == "/chain" do
        local n = {}
        weak[last] = n
        last = n
      end
      handle:headers():replace("x", tostring(calls))
    end
    """

  private func giveUp(_ bench: ScriptBench, _ filter: LuaFilter) throws {
    for _ in 0..<100 where !filter.state.isGivenUp {
      let exchange = try bench.request("GET", "/chain")
      #expect(exchange.response?.status == 500)
      exchange.end()
    }
    #expect(filter.state.isGivenUp)
  }

  /// Lets a millisecond of the bench's time pass for each of the clock's.
  private func wait(_ bench: ScriptBench, _ condition: () -> Bool) {
    for _ in 0..<60_000 where !condition() {
      bench.bench.advance(milliseconds: 1)
      usleep(1000)
    }
    #expect(condition())
  }

  @Test func theNextOneRuns() throws {
    let bench = try ScriptBench()
    let filter = try bench.add(Self.script, options: "trip: {failures: 0}")
    #expect(try bench.request().upstreamRequest?["x"] == "1")
    try giveUp(bench, filter)
    let lost = filter.state
    wait(bench) { filter.state !== lost }
    #expect(filter.state.longestHold >= lost.longestHold && lost.longestHold > 0)
    #expect(try bench.request().upstreamRequest?["x"] == "1", "its globals begin anew")
    #expect(try bench.request().upstreamRequest?["x"] == "2")
    #expect(bench.lines.at(.info) == ["loaded", "loaded"])
    #expect(bench.bench.metric("weft_lua_states_replaced_total", ["script"]) == 1)
  }

  @Test func callsThatWaitEndWithTheirs() throws {
    let bench = try ScriptBench()
    let filter = try bench.add(Self.script, options: "trip: {failures: 0}")
    let waiting = try bench.request("GET", "/wait")
    let broken = try bench.request("GET", "/wait")
    try giveUp(bench, filter)
    weak let lost = filter.state
    wait(bench) { filter.state !== lost }
    #expect(lost != nil && filter.state.formers.contains { $0 === lost })
    broken.end()
    #expect(lost != nil)
    bench.bench.advance(milliseconds: 60_000)
    #expect(waiting.response?.status == 500)
    #expect(lost == nil)
    #expect(try bench.request().upstreamRequest?["x"] == "1")
  }

  @Test func oneThatCostsEachStateGetsNoMore() throws {
    let bench = try ScriptBench()
    let filter = try bench.add(Self.script, options: "trip: {failures: 0}\nlimits: {memory: 4MiB}")
    for row in 0...LuaSuccession.limit {
      let lost = filter.state
      try giveUp(bench, filter)
      if row == LuaSuccession.limit { break }
      let pause = LuaSuccession.pause(row)
      if pause > 1 { bench.bench.advance(milliseconds: UInt64(pause) - 1) }
      usleep(20_000)
      #expect(filter.state === lost, "\(row)")
      wait(bench) { filter.state !== lost }
    }
    #expect(bench.errors.last?.contains("had to be given up") == true)
    let last = filter.state
    for _ in 0..<10 {
      bench.bench.advance(milliseconds: 600_000)
      usleep(1000)
    }
    #expect(filter.state === last)
    #expect(try bench.request().response?.status == 500)
    #expect(bench.bench.metric("weft_lua_states_replaced_total", ["script"]) == Double(LuaSuccession.limit))
  }
}
