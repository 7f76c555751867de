import Foundation
import Testing
import WeftTelemetry

@Suite struct ExpositionTests {
  let registry = MetricsRegistry()

  func text(_ format: MetricsFormat = .prometheus) -> String {
    var out: [UInt8] = []
    registry.render(into: &out, format: format)
    return String(decoding: out, as: UTF8.self)
  }

  func fill(_ shard: MetricsShard) throws {
    let requests = try registry.counter(
      "weft_t_requests_total", help: "Requests with \\ and\nnewline.", labels: ["route"])
    let busy = try registry.counter("weft_t_busy_seconds_total", help: "Busy.", unit: .nanoseconds)
    let active = try registry.gauge("weft_t_active", help: "Active.")
    let latency = try registry.histogram(
      "weft_t_latency_seconds", help: "Latency.", unit: .nanoseconds, buckets: [5_000_000, 1_000_000_000],
      labels: ["route"])
    shard.counter(requests, ["a\"b\\c\nd"]).add(3)
    shard.counter(busy).add(1_500_000_001)
    shard.gauge(active).sub(2)
    let h = shard.histogram(latency, ["a"])
    h.observe(nanoseconds: 5_000_000)
    h.observe(nanoseconds: 6_000_000)
    h.observe(nanoseconds: 2_000_000_000)
  }

  @Test func prometheusText() throws {
    let shard = registry.makeShard()
    try fill(shard)
    #expect(
      text() == #"""
        # HELP weft_t_active Active.
        # TYPE weft_t_active gauge
        weft_t_active -2
        # HELP weft_t_busy_seconds_total Busy.
        # TYPE weft_t_busy_seconds_total counter
        weft_t_busy_seconds_total 1.500000001
        # HELP weft_t_latency_seconds Latency.
        # TYPE weft_t_latency_seconds histogram
        weft_t_latency_seconds_bucket{route="a",le="0.005"} 1
        weft_t_latency_seconds_bucket{route="a",le="1.0"} 2
        weft_t_latency_seconds_bucket{route="a",le="+Inf"} 3
        weft_t_latency_seconds_sum{route="a"} 2.011
        weft_t_latency_seconds_count{route="a"} 3
        # HELP weft_t_requests_total Requests with \\ and\nnewline.
        # TYPE weft_t_requests_total counter
        weft_t_requests_total{route="a\"b\\c\nd"} 3

        """#)
  }

  @Test func openMetricsText() throws {
    let shard = registry.makeShard()
    try fill(shard)
    let text = text(.openMetrics)
    #expect(text.hasSuffix("\n# EOF\n"))
    #expect(text.contains("# TYPE weft_t_requests counter\nweft_t_requests_total{"))
    #expect(text.contains("# TYPE weft_t_latency_seconds histogram\n# UNIT weft_t_latency_seconds seconds\n"))
  }

  @Test(arguments: [
    ("", MetricsFormat.prometheus), ("*/*", .prometheus), ("text/plain", .prometheus),
    (
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", .openMetrics
    ),
    ("text/plain, Application/OpenMetrics-Text; q=0.5", .prometheus),
    ("application/openmetrics-text;q=0", .prometheus), ("application/openmetrics-text;q=nonsense", .prometheus),
    (";;,,", .prometheus),
  ])
  func theAcceptHeaderChoosesTheFormat(accept: String, format: MetricsFormat) {
    #expect(MetricsFormat(accept: accept) == format)
  }

  @Test func json() throws {
    let shard = registry.makeShard()
    try fill(shard)
    var out: [UInt8] = []
    registry.snapshot().renderJSON(into: &out)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(out)) as? [String: [String: Any]])
    let series = try #require(object["weft_t_requests_total"]?["series"] as? [[String: Any]])
    #expect(series[0]["labels"] as? [String: String] == ["route": "a\"b\\c\nd"])
    #expect(series[0]["value"] as? Int == 3)
    let histogram = try #require(object["weft_t_latency_seconds"]?["series"] as? [[String: Any]])
    #expect(histogram[0]["count"] as? Int == 3)
    #expect(histogram[0]["sum"] as? Double == 2.011)
  }

  @Test func processMetricsAreSane() throws {
    try ProcessMetrics.register(in: registry, version: "1.2.3")
    let snapshot = registry.snapshot()
    let cpu = try #require(snapshot.number("process_cpu_seconds_total"))
    let memory = try #require(snapshot.number("process_resident_memory_bytes"))
    let open = try #require(snapshot.number("process_open_fds"))
    let limit = try #require(snapshot.number("process_max_fds"))
    let start = try #require(snapshot.number("process_start_time_seconds"))
    #expect(cpu > 0)
    #expect(memory > 1_000_000)
    #expect(open >= 3)
    #expect(limit >= open)
    #expect(abs(Date().timeIntervalSince1970 - start) < 24 * 3600)
    #expect(snapshot.number("weft_build_info", ["1.2.3"]) == 1)
  }

  /// Prometheus' own linter accepts everything that this target and its tests expose.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")))
  func promtoolHasNoComplaint() throws {
    let shard = registry.makeShard()
    try fill(shard)
    try ProcessMetrics.register(in: registry, version: "1.2.3")
    let bounded = try registry.counter("weft_t_bounded_total", help: "Bounded.", labels: ["a"], maxSeries: 1)
    _ = shard.counter(bounded, ["x"])
    _ = shard.counter(bounded, ["y"])
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/promtool")
    process.arguments = ["check", "metrics"]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(text().utf8))
    try input.fileHandleForWriting.close()
    let complaints = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(complaints == "")
  }
}
