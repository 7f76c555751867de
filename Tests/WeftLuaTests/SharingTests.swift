import CLuaHost
import Testing
import WeftFilter
import WeftTelemetry

@testable import WeftLua

@Suite struct SharingTests {
  static let script = """
    calls = (calls or 0)
    function on_request(handle)
      calls = calls + 1
      handle:headers():add("x-name", handle:settings().name)
      handle:headers():add("x-calls", calls)
    end
    """

  @Test func filtersOfOneProgramShareAState() throws {
    let bench = try ScriptBench()
    let first = try bench.add(Self.script, options: "settings: {name: one}", name: "first")
    let second = try bench.add(Self.script, options: "settings: {name: two}", name: "second")
    #expect(first.state === second.state)
    let sent = try bench.request().upstreamRequest
    #expect(sent?.values("x-name") == ["one", "two"])
    #expect(sent?.values("x-calls") == ["1", "2"])
  }

  @Test func otherCodeOtherLimitsAndOtherWorkersHaveStatesOfTheirOwn() throws {
    let bench = try ScriptBench()
    let first = try bench.add(Self.script, options: "settings: {name: one}")
    let otherCode = try bench.add(Self.script + "\n-- other", options: "settings: {name: one}")
    let otherLimit = try bench.add(Self.script, options: "settings: {name: one}\nlimits: {memory: 2MiB}")
    #expect(first.state !== otherCode.state)
    #expect(first.state !== otherLimit.state)
    let otherWorker = try ScriptBench(worker: 1)
    let elsewhere = try otherWorker.add(Self.script, options: "settings: {name: one}")
    #expect(first.state !== elsewhere.state)
  }

  @Test func aStateEndsWithItsLastFilter() throws {
    let bench = try ScriptBench()
    weak var state: LuaState?
    do {
      let type = try bench.decode("script: |\n  function on_request() end\n")
      var filters = [try type.makeFilter(bench.bench.worker), try type.makeFilter(bench.bench.worker)]
      state = (filters[0] as? LuaFilter)?.state
      #expect(state != nil)
      filters.removeFirst()
      #expect(state != nil)
    }
    #expect(state == nil)
  }

  /// Settings of filters that go are given back, so that reloads do not fill the state.
  @Test func settingsAreGivenBack() throws {
    let bench = try ScriptBench()
    let kept = try bench.add(Self.script, options: "settings: {name: kept}")
    _ = try bench.request()
    func reload(_ i: Int) throws {
      let other = FilterBench()
      _ = other
      let type = try bench.decode(
        "script: |2\n" + Self.script.split(separator: "\n").map { "  \($0)\n" }.joined()
          + "settings: {name: \"\(String(repeating: "x", count: 1000))\(i)\"}\n")
      let filter = try #require(try type.makeFilter(bench.bench.worker) as? LuaFilter)
      #expect(filter.state === kept.state)
      let chain = FilterChain([("script", filter)])
      let exchange = try bench.request()
      _ = chain.request(exchange.handle.state, from: 0)
    }
    for i in 0..<200 { try reload(i) }
    let before = kept.state.memory
    for i in 200..<1200 { try reload(i) }
    #expect(kept.state.memory < before + 400_000)
  }

  /// What a route costs in a state beyond its settings: less than 100 bytes.
  @Test func manyRoutesOfOneBundle() throws {
    let script = """
      plain = {}
      function on_request(handle)
        if handle:headers():get(":path") == "/plain" then
          for i = 1, 512 do plain[i] = {name = "p" .. i} end
        end
      end
      """
    let bench = try ScriptBench()
    let first = try bench.add(script, options: "settings: {name: r}")
    _ = try bench.request()
    func memory() -> Int {
      // Twice: what a finished cycle leaves behind is garbage of the next.
      wl_collect(first.state.host, 1)
      wl_collect(first.state.host, 1)
      return first.state.memory
    }
    let start = memory()
    _ = try bench.request("GET", "/plain")
    let plain = (memory() - start) / 512

    let before = memory()
    var filters: [LuaFilter] = []
    for i in 0..<512 {
      let type = try bench.decode(
        "script: |2\n" + script.split(separator: "\n").map { "  \($0)\n" }.joined() + "settings: {name: r\(i)}\n")
      let filter = try #require(try type.makeFilter(bench.bench.worker) as? LuaFilter)
      #expect(filter.state === first.state)
      #expect(filter.type.program === first.type.program)
      #expect(filter.state.makeSettings(try #require(filter.type.settings)) != nil)
      filters.append(filter)
    }
    let each = (memory() - before) / 512 - plain
    #expect(each < 100, "\(each) bytes a route beyond the \(plain) of its settings")
  }
}
