import Testing
import WeftTelemetry

@testable import WeftMesh

@Suite("What a proxy reports")
struct TelemetryCollectorTests {
  @Test("is what was added since the last report: callers' edges, the app as the service itself, routes")
  func increments() throws {
    let registry = MetricsRegistry()
    let shard = registry.makeShard()
    let requests = try registry.counter(
      "weft_upstream_requests_total", help: "Attempts.", labels: ["service", "code_class"])
    let firstByte = try registry.histogram(
      "weft_upstream_first_byte_duration_seconds", help: "Time.", unit: .nanoseconds,
      buckets: [500_000, 1_000_000, 60_000_000_000], labels: ["service"])
    let routes = try registry.counter("weft_http_requests_total", help: "Requests.", labels: ["route", "code_class"])
    let good = shard.counter(requests, ["default/ratings:80", "2xx"])
    let bad = shard.counter(requests, ["default/ratings:80", "5xx"])
    let app = shard.counter(requests, ["default/weft-app:80", "2xx"])
    let latency = shard.histogram(firstByte, ["default/ratings:80"])
    let route = shard.counter(routes, ["default/front#0", "4xx"])
    for _ in 0..<3 { good.add() }
    bad.add()
    app.add()
    route.add()
    latency.observe(700_000)
    latency.observe(90_000_000_000)

    var collector = TelemetryCollector()
    let report = collector.report(registry.snapshot(), source: "default/reviews")
    let lines = report.edges.map { "\($0.source)>\($0.destination) \($0.route) \($0.code): \($0.requests)" }.sorted()
    #expect(
      lines == [
        ">default/reviews  200: 1", "default/reviews> default/front#0 400: 1", "default/reviews>default/ratings  0: 0",
        "default/reviews>default/ratings  200: 3", "default/reviews>default/ratings  500: 1",
      ])
    let times = try #require(report.edges.first { $0.code == 0 }?.latency)
    // Up to 1 ms: below 1.6 ms; beyond the last bound: in the last bucket.
    #expect(times.count == 24 && times[4] == 1 && times[23] == 1 && times.reduce(0, +) == 2)

    good.add()
    let next = collector.report(registry.snapshot(), source: "default/reviews").edges
    #expect(next.count == 1 && next[0].requests == 1 && next[0].code == 200)
    #expect(collector.report(registry.snapshot(), source: "default/reviews").edges.isEmpty)
  }

  @Test("calls of scripts and their time, by version of the bundle, beside what a rollout counts")
  func scripts() throws {
    let registry = MetricsRegistry()
    let shard = registry.makeShard()
    let labels = ["filter", "bundle", "digest"]
    let family = try registry.counter("weft_lua_calls_total", help: "Calls.", labels: labels)
    let times = try registry.histogram(
      "weft_lua_call_duration_seconds", help: "Time.", unit: .nanoseconds, buckets: [1_000, 1_000_000], labels: labels)
    let variants = try registry.counter(
      "weft_lua_rollout_requests_total", help: "Requests.", labels: labels + ["variant"])
    let (old, new) = (["default/f", "default/tag", "sha256:a"], ["default/f", "default/tag", "sha256:b"])
    for _ in 0..<130 { shard.counter(family, old).add() }
    shard.counter(family, new).add()
    shard.counter(variants, new + ["candidate"]).add()
    for time in [2_000, 4_000] as [UInt64] { shard.histogram(times, old).observe(time) }
    var collector = TelemetryCollector()
    let first = collector.report(registry.snapshot(), source: "default/edge").filters
    #expect(
      first.map { "\($0.digest) \($0.variant) \($0.calls) \($0.scriptCalls) \($0.timedCalls) \($0.timedNanoseconds)" }
        == ["sha256:b candidate 1 0 0 0", "sha256:a  0 130 2 6000", "sha256:b  0 1 0 0"])
    #expect(first.allSatisfy { $0.filter == "default/f" && $0.bundle == "default/tag" })
    shard.histogram(times, old).observe(1_500)
    let next = collector.report(registry.snapshot(), source: "default/edge").filters
    #expect(next.count == 1 && next[0].timedCalls == 1 && next[0].timedNanoseconds == 1_500 && next[0].scriptCalls == 0)
  }

  @Test("bounds of histograms fall into the first bucket that holds them")
  func buckets() {
    #expect(TelemetryCollector.bucket(nanoseconds: 100_000) == 0)
    #expect(TelemetryCollector.bucket(nanoseconds: 100_001) == 1)
    #expect(TelemetryCollector.bucket(nanoseconds: 500_000) == 3)
    #expect(TelemetryCollector.bucket(nanoseconds: .max) == TelemetryCollector.Limits.buckets - 1)
  }

  @Test("a report is bounded, and what does not fit is summed up")
  func bounds() throws {
    let registry = MetricsRegistry()
    let shard = registry.makeShard()
    let requests = try registry.counter(
      "weft_upstream_requests_total", help: "Attempts.", labels: ["service", "code_class"], maxSeries: 5_000)
    for number in 0..<3_000 { shard.counter(requests, ["default/s\(number):80", "2xx"]).add() }
    var collector = TelemetryCollector()
    let edges = collector.report(registry.snapshot(), source: "default/edge").edges
    #expect(edges.count <= TelemetryCollector.Limits.edges)
    #expect(edges.reduce(0) { $0 + $1.requests } == 3_000)
    #expect(edges.contains { $0.source == "other" && $0.destination == "other" && $0.requests > 900 })
  }
}
