import Testing
import WeftConfig
import WeftFilter
import WeftFilters
import WeftTelemetry

@Suite struct RetryTests {
  /// Which outcomes are repeated under which conditions.
  @Test(arguments: [
    ("5xx", "connect refused reset timeout 500 502 503 504 599"),
    ("gateway-error", "connect refused reset timeout 502 503 504"),
    ("reset", "connect refused reset timeout"),
    ("connect-failure", "connect"),
    ("refused-stream", "refused"),
    ("retriable-4xx", "409"),
    ("retriable-status-codes", "418"),
  ])
  func conditions(condition: String, repeated: String) throws {
    let codes = condition == "retriable-status-codes" ? "statusCodes: [418]" : ""
    let bench = try bench(Retry.self, "retryOn: [\(condition)]\n\(codes)")
    let outcomes: [(String, AttemptOutcome)] =
      [("connect", .connectFailure), ("refused", .refused), ("reset", .reset), ("timeout", .timeout)]
      + [200, 302, 404, 409, 418, 429, 500, 502, 503, 504, 599].map { ("\($0)", .response($0)) }
    for (name, outcome) in outcomes {
      let exchange = try bench.request()
      let expected = repeated.split(separator: " ").contains(Substring(name))
      #expect(try (exchange.attemptFails(outcome) != nil) == expected, "\(name)")
    }
  }

  @Test func theDefaultIsWhatIsSafe() throws {
    let bench = try bench(Retry.self, "{}")
    #expect(try bench.request().attemptFails(.connectFailure) != nil)
    #expect(try bench.request().attemptFails(.response(503)) != nil)
    #expect(try bench.request().attemptFails(.reset) != nil)
    #expect(try bench.request().attemptFails(.response(500)) == nil)
    #expect(try bench.request("POST").attemptFails(.reset) == nil)
    #expect(try bench.request("POST").attemptFails(.response(503)) == nil)
    #expect(try bench.request("POST").attemptFails(.connectFailure) != nil)
    #expect(try bench.request("POST").attemptFails(.refused) != nil)
    #expect(bench.metric("weft_filter_retries_total", ["retry", "not_idempotent"]) == 2)
    #expect(bench.metric("weft_filter_retries_total", ["retry", "retried"]) == 5)
  }

  @Test(arguments: [
    ("[POST]", "POST", true), ("[POST]", "GET", false), ("[\"*\"]", "PATCH", true), ("[PURGE]", "PURGE", true),
    ("[PURGE]", "LOCK", false), ("[GET, POST]", "POST", true),
  ])
  func methods(methods: String, method: String, isRepeated: Bool) throws {
    let bench = try bench(Retry.self, "methods: \(methods)")
    #expect(try (bench.request(method).attemptFails(.response(503)) != nil) == isRepeated)
  }

  @Test func attemptsAreCounted() throws {
    let bench = try bench(Retry.self, "attempts: 2")
    let exchange = try bench.request()
    #expect(try exchange.attemptFails(.response(503)) != nil)
    #expect(try exchange.attemptFails(.reset) != nil)
    #expect(exchange.flags.isEmpty)
    #expect(try exchange.attemptFails(.response(503)) == nil)
    #expect(exchange.flags == .upstreamRetryLimitExceeded)
    #expect(bench.metric("weft_filter_retries_total", ["retry", "exhausted"]) == 1)
    let none = FilterBench()
    try none.add(Retry.self, "attempts: 0")
    let other = try none.request()
    #expect(try other.attemptFails(.reset) == nil)
    #expect(other.flags.isEmpty)
  }

  @Test func headersCanAskForARetry() throws {
    let bench = try bench(
      Retry.self,
      "retryOn: [retriable-headers]\nretriableHeaders: [{name: X-Retry}, {name: x-code, value: again}]")
    #expect(try bench.request().attemptFails(.response(200), ["x-retry: please"]) != nil)
    #expect(try bench.request().attemptFails(.response(200), ["X-Code: again"]) != nil)
    #expect(try bench.request().attemptFails(.response(200), ["x-code: not again"]) == nil)
    #expect(try bench.request().attemptFails(.response(200)) == nil)
  }

  @Test func pausesDoubleUpToTheirBoundAndSpreadEvenly() throws {
    let bench = try bench(Retry.self, "attempts: 5\nbackoff: {base: 100ms, max: 300ms}\nbudget: {percent: 100}")
    var sums = [0.0, 0.0, 0.0]
    var highest: [UInt32] = [0, 0, 0]
    let rounds = 2000
    for _ in 0..<rounds {
      let exchange = try bench.request()
      for i in 0..<3 {
        let pause = try #require(try exchange.attemptFails(.response(503)))
        sums[i] += Double(pause)
        highest[i] = max(highest[i], pause)
      }
      exchange.end()
      bench.advance(milliseconds: 5000)
    }
    for (i, bound) in [100.0, 200.0, 300.0].enumerated() {
      #expect(Double(highest[i]) <= bound)
      #expect(Double(highest[i]) > 0.97 * bound)
      #expect(abs(sums[i] / Double(rounds) - bound / 2) < 0.05 * bound)
    }
  }

  @Test(arguments: [
    (503, ["retry-after: 2"], 2000...2100 as ClosedRange<UInt32>?),
    (429, ["retry-after: 5"], 5000...5100),
    (503, ["retry-after: 6"], nil),
    (503, ["retry-after: 99999999999999999999"], 0...100),
    (503, ["retry-after: soon"], 0...100),
    (503, ["retry-after: Tue, 14 Nov 2023 22:13:23 GMT"], 3000...3100),
    (503, ["retry-after: Tue, 14 Nov 2023 22:13:30 GMT"], nil),
    (503, ["retry-after: Sun, 06 Nov 1994 08:49:37 GMT"], 0...100),
    (429, ["x-ratelimit-reset: 3"], 3000...3100),
    (429, ["x-ratelimit-reset: 1700000004"], 4000...4100),
    (429, ["ratelimit-reset: 600"], nil),
    (503, ["x-ratelimit-reset: 3"], 0...100),
    (503, [], 0...100),
  ])
  func theUpstreamSaysWhen(status: Int, headers: [String], pause: ClosedRange<UInt32>?) throws {
    // The bench's clock stands at 14 Nov 2023 22:13:20.
    let bench = try bench(Retry.self, "retryOn: [5xx]\nstatusCodes: [429]\nbackoff: {base: 100ms}")
    let given = try bench.request().attemptFails(.response(status), headers)
    if let pause {
      #expect(try pause.contains(#require(given)))
    } else {
      #expect(given == nil)
      #expect(bench.metric("weft_filter_retries_total", ["retry", "retry_after"]) == 1)
    }
  }

  @Test func retryAfterCanBeIgnored() throws {
    let bench = try bench(Retry.self, "maxRetryAfter: 0s")
    let pause = try bench.request().attemptFails(.response(503), ["retry-after: 3600"])
    #expect(try #require(pause) <= 25)
  }

  // MARK: The budget

  @Test func retriesAreAShareOfTheRequests() throws {
    let bench = try bench(Retry.self, "budget: {percent: 20, interval: 10s, minRetryRate: {count: 0}}")
    func retried(of requests: Int) throws -> Int {
      var n = 0
      for _ in 0..<requests where try bench.request().attemptFails(.response(503)) != nil { n += 1 }
      return n
    }
    #expect(try retried(of: 1000) == 200)
    #expect(bench.metric("weft_filter_retries_total", ["retry", "no_budget"]) == 800)
    // Half of the interval later the window still holds those requests and retries.
    bench.advance(milliseconds: 5000)
    #expect(try retried(of: 100) == 20)
    bench.advance(milliseconds: 20_000)
    #expect(try retried(of: 10) == 2)
  }

  @Test func aFewRetriesAreAlwaysAllowed() throws {
    let bench = try bench(Retry.self, "budget: {percent: 0, interval: 10s, minRetryRate: {count: 3, interval: 2s}}")
    var n = 0
    for _ in 0..<100 where try bench.request().attemptFails(.response(503)) != nil { n += 1 }
    #expect(n == 15)
    bench.advance(milliseconds: 10_000)
    #expect(try bench.request().attemptFails(.response(503)) != nil)
  }

  @Test func workersShareOneBudget() throws {
    let metrics = MetricsRegistry()
    let benches = (0..<4).map { FilterBench(worker: $0, of: 4, metrics: metrics) }
    let type = try benches[0].decode(Retry.self, "budget: {percent: 10, minRetryRate: {count: 0}}")
    for bench in benches { try bench.add(type) }
    // All requests come to one worker, all failures to another.
    for _ in 0..<1000 { try benches[0].request() }
    var n = 0
    for _ in 0..<300 where try benches[3].request().attemptFails(.response(503)) != nil { n += 1 }
    #expect((100...130).contains(n))
  }

  // MARK: What the worker is told

  @Test func bodyAndTimeLimits() throws {
    let bench = try bench(Retry.self, "perTryTimeout: 250ms\nmaxBodyBytes: 1KiB")
    let policy = try #require(try bench.request().retryPolicy)
    #expect(policy.perTryTimeout == 250)
    #expect(policy.replayLimit == 1024)
    let plain = FilterBench()
    try plain.add(Retry.self, "{}")
    #expect(try plain.request().retryPolicy?.perTryTimeout == 0)
    #expect(try plain.request().retryPolicy?.replayLimit == 64 * 1024)
  }

  @Test func theRetryOfARoute() throws {
    let route = try #require(try routeRule("retry: {codes: [500, 429], attempts: 2, backoff: 100ms}").retry)
    var registry = FilterRegistry()
    BuiltInFilters.register(into: &registry)
    let bench = FilterBench()
    let make = try #require(registry.routeRetry)
    bench.add(try make(route, bench.context("r/0.retry")).makeFilter(bench.worker))
    for _ in 0..<50 {
      let exchange = try bench.request()
      let first = try #require(try exchange.attemptFails(.response(500)))
      #expect((100...200).contains(first))
      let second = try #require(try exchange.attemptFails(.connectFailure))
      #expect((100...300).contains(second))
      #expect(try exchange.attemptFails(.response(500)) == nil)
    }
    #expect(try bench.request().attemptFails(.response(503)) == nil)
    #expect(try bench.request().attemptFails(.timeout) != nil)
    #expect(try bench.request("POST").attemptFails(.timeout) == nil)
    #expect(try bench.request("POST").attemptFails(.response(429)) != nil)
  }

  @Test(arguments: [
    ("attempts: -1", "attempts: -1 is out of range; allowed are 0 to 100"),
    ("retryOn: [6xx]", "retryOn[0]: unknown value \"6xx\""),
    ("retryOn: []", "retryOn: needs at least 1 element"),
    ("retryOn: [retriable-status-codes]", "retryOn: retriable-status-codes needs \"statusCodes\""),
    ("retryOn: [retriable-headers]", "retryOn: retriable-headers needs \"retriableHeaders\""),
    ("statusCodes: [200]", "statusCodes[0]: 200 is out of range; allowed are 400 to 599"),
    ("methods: [get]", "methods[0]: \"get\" is not allowed; use a method such as GET, in upper case, or \"*\" for all"),
    ("backoff: {base: 1s, max: 10ms}", "backoff.max: 10ms is shorter than the base, 1s"),
    ("backoff: {base: 1}", "backoff.base: expected a duration, not the number 1; add a unit, such as 1s"),
    ("maxBodyBytes: 1GiB", "maxBodyBytes: 1GiB is out of range; allowed are 0 to 16MiB"),
    ("budget: {percent: 101}", "budget.percent: 101 is out of range; allowed are 0 to 100"),
    ("budget: {interval: 10ms}", "budget.interval: 10ms is out of range; allowed are 1s to 1h"),
    ("retries: 2", "retries: unknown field \"retries\""),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(Retry.self, yaml)
    #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
  }
}
