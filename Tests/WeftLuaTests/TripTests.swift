import CLuaHost
import Testing
import WeftFilter

@testable import WeftLua

/// A filter whose script keeps failing trips, and one whose calls take long waits.
@Suite struct TripTests {
  private static let faulty = """
    function on_request(handle)
      local what = handle:headers():get("x-what")
      if what == "error" then error("oops") end
      if what == "wait" then weft.sleep(60000) end
      if what == "loop" then while true do end end
    end
    """

  private func bench(_ trip: String, _ more: String = "", script: String = faulty) throws -> ScriptBench {
    try ScriptBench(script, options: "trip: {\(trip)}\n\(more)")
  }

  private func fail(_ bench: ScriptBench, _ count: Int) throws {
    for _ in 0..<count { _ = try bench.request("GET", "/", ["x-what: error"]) }
  }

  private func runs(_ bench: ScriptBench) throws -> Bool {
    let errors = bench.bench.metric("weft_filter_errors_total", ["script", "error"])
    try fail(bench, 1)
    return bench.bench.metric("weft_filter_errors_total", ["script", "error"]) != errors
  }

  @Test func failuresTripItClosed() throws {
    let bench = try bench("failures: 3, window: 10s, for: 5s")
    try fail(bench, 2)
    #expect(try bench.request().upstreamRequest != nil)
    try fail(bench, 1)
    // Denied without running the script, whatever the request.
    let denied = try bench.request()
    #expect(denied.response?.status == 500 && denied.upstreamRequest == nil)
    #expect(denied.details == "lua_tripped" && denied.flags.contains(.filterError))
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 1)
    #expect(bench.bench.metric("weft_filter_tripped", ["script"]) == 1)
    #expect(bench.bench.metric("weft_filter_tripped_requests_total", ["script", "denied"]) == 1)
    #expect(bench.bench.metric("weft_filter_tripped_requests_total", ["script", "skipped"]) == 0)
    let line = try #require(bench.lines.all.last { $0.text.hasPrefix("the filter has tripped") })
    #expect(line.text.hasPrefix("the filter has tripped closed: 3 calls failed within 10s"), "\(line.text)")
    #expect(line.text.hasSuffix("The last error: script.lua:3: oops"), "\(line.text)")
    #expect(line.metadata["filter"] == "script" && line.metadata["bundle"] == "script")

    // Half open: one is tried.
    bench.bench.advance(milliseconds: 4999)
    #expect(try bench.request().response?.status == 500)
    bench.bench.advance(milliseconds: 1)
    #expect(try bench.request().upstreamRequest != nil)
    #expect(bench.bench.metric("weft_filter_tripped", ["script"]) == 0)
    #expect(bench.lines.at(.notice) == ["the filter runs again, after 5 s in which 2 requests were denied"])
    #expect(try bench.request().upstreamRequest != nil)
  }

  @Test func orOpen() throws {
    for (trip, more) in [("failures: 3", "onError: skip"), ("failures: 3, mode: open", "onError: deny")] {
      let bench = try bench(trip, more)
      try fail(bench, 3)
      for _ in 0..<5 { #expect(try bench.request("GET", "/", ["x-what: error"]).upstreamRequest != nil) }
      #expect(bench.errors.count == 4, "three errors and the line that tells of them: \(bench.errors)")
      #expect(bench.bench.metric("weft_filter_tripped_requests_total", ["script", "skipped"]) == 5)
      #expect(bench.bench.metric("weft_filter_tripped_requests_total", ["script", "denied"]) == 0)
    }
  }

  @Test func aTrialThatFailsIsFollowedByAnother() throws {
    let bench = try bench("failures: 3, for: 5s")
    try fail(bench, 3)
    for n in 2...4 {
      bench.bench.advance(milliseconds: 5000)
      #expect(try runs(bench))
      #expect(try !runs(bench), "one at a time")
      #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == Double(n))
      #expect(bench.bench.metric("weft_filter_tripped", ["script"]) == 1)
    }
    #expect(bench.lines.all.filter { $0.text.hasPrefix("the filter has tripped") }.count == 1, "said once")
    bench.bench.advance(milliseconds: 5000)
    #expect(try bench.request().upstreamRequest != nil)
    #expect(bench.bench.metric("weft_filter_tripped", ["script"]) == 0)
  }

  @Test func aTrialThatWaitsHoldsUpTheOthersForSoLongAtMost() throws {
    let bench = try bench("failures: 3, for: 5s")
    try fail(bench, 3)
    bench.bench.advance(milliseconds: 5000)
    let trial = try bench.request("GET", "/", ["x-what: wait"])
    #expect(try bench.request().response?.status == 500)
    bench.bench.advance(milliseconds: 5000)
    #expect(try bench.request().upstreamRequest != nil, "a second trial")
    #expect(try bench.request().upstreamRequest != nil)
    trial.end()
    // An exchange that ends undecided makes room at once.
    try fail(bench, 3)
    bench.bench.advance(milliseconds: 5000)
    let left = try bench.request("GET", "/", ["x-what: wait"])
    left.end()
    #expect(try bench.request().upstreamRequest != nil)
  }

  /// A request that can be made to fail closes the filter to nobody else, as long as most succeed.
  @Test func aShareOfAllMustFail() throws {
    let bench = try bench("failures: 3, percent: 50, window: 10s")
    for _ in 0..<30 {
      try fail(bench, 1)
      for _ in 0..<2 { #expect(try bench.request().upstreamRequest != nil) }
    }
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 0)
    try fail(bench, 31)
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 1)
  }

  /// A request is a call of each function that the script defines.
  @Test func theShareIsOfRequestsAndNotOfCalls() throws {
    let bench = try bench(
      "failures: 4, percent: 100", "onError: skip",
      script: "function on_request() error('x') end\nfunction on_response() end\nfunction on_log() end")
    for _ in 0..<4 {
      let exchange = try bench.request()
      try exchange.respond(200)
      exchange.end()
    }
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 1)
  }

  @Test func failuresOfLongAgoDoNotCount() throws {
    let bench = try bench("failures: 3, window: 1s")
    for _ in 0..<10 {
      try fail(bench, 2)
      bench.bench.advance(milliseconds: 1000)
    }
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 0)
  }

  @Test func itMayBeToldNeverToTrip() throws {
    let bench = try bench("failures: 0")
    try fail(bench, 100)
    #expect(bench.bench.metric("weft_filter_errors_total", ["script", "error"]) == 100)
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 0)
  }

  /// The trial is over when the last function has run: a filter that fails on the way back stays tripped.
  @Test func aTrialIsAWholeExchange() throws {
    let bench = try bench(
      "failures: 3, for: 5s", script: "function on_request() end\nfunction on_response() error('x') end")
    for _ in 0..<3 { try bench.request().respond(200) }
    #expect(bench.bench.metric("weft_filter_tripped", ["script"]) == 1)
    bench.bench.advance(milliseconds: 5000)
    let trial = try bench.request()
    #expect(trial.upstreamRequest != nil)
    #expect(bench.bench.metric("weft_filter_tripped", ["script"]) == 1)
    try trial.respond(200)
    #expect(trial.response?.status == 500 && trial.details == "lua_error")
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 2)
    #expect(try bench.request().response?.status == 500)
  }

  /// The way back of an exchange whose request went through when the filter still ran.
  @Test func closedHoldsForResponsesToo() throws {
    let bench = try bench(
      "failures: 3",
      script: "function on_request(h) if h:headers():get('x-what') then error('x') end end\n"
        + "function on_response(h) h:headers():add('x', 'y') end")
    let before = try bench.request()
    try fail(bench, 3)
    try before.respond(200, ["x-secret: 1"])
    #expect(before.response?.status == 500 && before.response?["x-secret"] == nil)
  }

  @Test func onLogOnly() throws {
    let bench = try bench("failures: 3, for: 5s", script: "function on_log(h) error('x') end")
    for _ in 0..<5 {
      let exchange = try bench.request()
      try exchange.respond(200)
      exchange.end()
    }
    #expect(bench.bench.metric("weft_filter_errors_total", ["script", "error"]) == 3)
    #expect(bench.bench.metric("weft_filter_tripped_requests_total", ["script", "skipped"]) == 2)
  }

  @Test func whatGoesOutOfForceIsNotTripped() throws {
    let bench = try bench("failures: 3")
    try fail(bench, 3)
    bench.bench.removeFilters()
    #expect(bench.bench.metric("weft_filter_tripped", ["script"]) == 0)
  }

  @Test(arguments: [
    ("failures: -1", "trip.failures"), ("percent: 0", "trip.percent"), ("percent: 101", "trip.percent"),
    ("window: 1ms", "trip.window"), ("for: 2h", "trip.for"), ("mode: shut", "trip.mode: unknown value \"shut\""),
    ("errors: 5", "trip.errors: unknown field"),
  ])
  func mistakes(_ trip: String, _ message: String) {
    let error = #expect(throws: (any Error).self) { try bench(trip) }
    #expect("\(error as Any)".contains(message), "\(error as Any)")
  }

  // MARK: Pace

  @Test(.enabled(if: wl_can_interrupt() != 0))
  func aCallThatBreaksItsTimeHoldsUpTheFilterAlone() throws {
    let bench = try ScriptBench()
    bench.pacesCalls = true
    try bench.add(Self.faulty, options: "limits: {cpu: 10ms}")
    #expect(try bench.request("GET", "/", ["x-what: loop"]).response?.status == 500)
    let held = try (0..<3).map { _ in try bench.request() }
    #expect(held.allSatisfy { $0.upstreamRequest == nil && $0.response == nil })
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 3)
    let gone = try bench.request()
    gone.end()
    bench.bench.advance(milliseconds: 1000)
    #expect(held.allSatisfy { $0.upstreamRequest != nil })
    #expect(bench.bench.metric("weft_filter_suspended", ["script"]) == 0)
  }

  @Test(.enabled(if: wl_can_interrupt() != 0))
  func itIsNotHeldUpForEver() throws {
    let bench = try ScriptBench()
    bench.pacesCalls = true
    try bench.add(Self.faulty, options: "limits: {cpu: 10ms}\ntrip: {failures: 0}")
    let loops = try (0..<20).map { _ in try bench.request("GET", "/", ["x-what: loop"]) }
    for _ in 0..<20 { bench.bench.advance(milliseconds: 1000) }
    #expect(loops.allSatisfy { $0.response?.status == 500 })
    // One a second, for ten seconds.
    let ran = loops.count { $0.details == "lua_error" }
    #expect((9...13).contains(ran), "\(ran) ran")
    #expect(loops.count { $0.details == "lua_held_back" } == 20 - ran)
    #expect(bench.bench.metric("weft_filter_errors_total", ["script", "timeout"]) == Double(20 - ran))
    #expect(try bench.request().upstreamRequest != nil)
  }

  /// What is held back and asks again is no call: it does not make the failures look few.
  @Test(.enabled(if: wl_can_interrupt() != 0))
  func loopsUnderLoadTripTheFilter() throws {
    let bench = try ScriptBench()
    bench.pacesCalls = true
    try bench.add(Self.faulty, options: "limits: {cpu: 2ms}")
    let loops = try (0..<64).map { _ in try bench.request("GET", "/", ["x-what: loop"]) }
    for _ in 0..<400 { bench.bench.advance(milliseconds: 20) }
    #expect(bench.bench.metric("weft_filter_trips_total", ["script"]) == 1)
    #expect(bench.calls() == 20)
    #expect(loops.count { $0.details == "lua_error" } == 20)
    #expect(loops.count { $0.details == "lua_tripped" } == 44)
  }

  /// Work in the background that breaks a limit each time takes ever less of the worker.
  @Test(.enabled(if: wl_can_interrupt() != 0))
  func backgroundWorkThatLoops() throws {
    let bench = try ScriptBench()
    try bench.add(
      """
      for i = 1, 8 do weft.every(0.1, function() while true do end end) end
      function on_request() end
      """, options: "limits: {cpu: 5ms}")
    func runs() -> Double { bench.bench.metric("weft_lua_background_runs_total", ["script", "limit"]) ?? 0 }
    for _ in 0..<100 { bench.bench.advance(milliseconds: 10) }
    let first = runs()
    #expect(first >= 8 && first <= 35, "\(first) runs in the first second")
    for _ in 0..<6000 { bench.bench.advance(milliseconds: 100) }
    let before = runs()
    for _ in 0..<600 { bench.bench.advance(milliseconds: 100) }
    #expect(runs() - before <= 9, "at most once a minute each")
    #expect(runs() > before)
  }
}
