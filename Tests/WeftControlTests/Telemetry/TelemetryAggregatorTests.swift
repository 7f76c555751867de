import Synchronization
import Testing
import WeftProtocol

@testable import WeftControl

@Suite struct TelemetryAggregatorTests {
  private final class Clock: Sendable {
    let now = Mutex(1_000.0)
  }

  private func report(_ edges: [(String, UInt32, UInt64)], latency: [UInt64] = []) -> Weft_Discovery_V1_TelemetryReport
  {
    var report = Weft_Discovery_V1_TelemetryReport()
    report.edges = edges.map { destination, code, requests in
      var edge = Weft_Discovery_V1_EdgeCounts()
      edge.source = "default/a"
      edge.destination = destination
      edge.code = code
      edge.requests = requests
      edge.latency = latency
      return edge
    }
    return report
  }

  @Test func sumsUpAndForgetsTheLastMinute() {
    let clock = Clock()
    let telemetry = TelemetryAggregator(clock: { clock.now.withLock { $0 } })
    telemetry.add(report([("default/b", 200, 5), ("default/b", 503, 1)], latency: [1, 2]))
    telemetry.add(report([("default/b", 200, 7)], latency: [UInt64](repeating: 1, count: 40)))
    var edges = telemetry.snapshot().edges
    #expect(edges.map(\.total.requests) == [12, 1] && edges.map(\.lastMinute.requests) == [12, 1])
    // What lies beyond the last bucket is counted in it.
    #expect(edges[0].total.latency[0] == 2 && edges[0].total.latency[1] == 3)
    #expect(edges[0].total.latency.last == 17 && edges[0].total.latency.reduce(0, +) == 43)
    clock.now.withLock { $0 += 30 }
    telemetry.add(report([("default/b", 200, 100)]))
    clock.now.withLock { $0 += 35 }
    edges = telemetry.snapshot().edges
    #expect(edges[0].total.requests == 112 && edges[0].lastMinute.requests == 100)
    #expect(edges[1].lastMinute.requests == 0)
    clock.now.withLock { $0 += 1_000 }
    #expect(telemetry.snapshot().edges[0].lastMinute.requests == 0)
  }

  @Test func staysBounded() {
    let telemetry = TelemetryAggregator()
    for start in stride(from: 0, to: 12_000, by: 2_000) {
      telemetry.add(report((start..<start + 2_000).map { ("default/s\($0)", 200, 1) }))
    }
    telemetry.add(report([(String(repeating: "x", count: 10_000), 200, 1)]))
    let edges = telemetry.snapshot().edges
    #expect(edges.count == TelemetryAggregator.Limits.edges + 1)
    #expect(edges.first { $0.edge.destination == "other" }?.total.requests == 2_000)
    #expect(edges.reduce(0) { $0 + $1.total.requests } == 12_000)
  }

  @Test func tellsVersionsOfAFilterApart() {
    let telemetry = TelemetryAggregator()
    var report = Weft_Discovery_V1_TelemetryReport()
    for (digest, errors) in [("sha256:a", UInt64(1)), ("sha256:b", 9)] {
      var filter = Weft_Discovery_V1_FilterCounts()
      filter.filter = "default/f"
      filter.digest = digest
      filter.calls = 10
      filter.errors = errors
      filter.samples = (0..<20).map { "difference \($0)" }
      report.filters.append(filter)
    }
    telemetry.add(report)
    telemetry.add(report)
    let filters = telemetry.snapshot().filters
    #expect(filters.map(\.total.errors) == [2, 18] && filters.map(\.total.calls) == [20, 20])
    #expect(filters[0].samples.count == 10)
  }
}
