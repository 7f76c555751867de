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
    for start in stride(from: 0, to: 24_000, by: 2_000) {
      telemetry.add(report((start..<start + 2_000).map { ("default/s\($0)", 200, 1) }))
    }
    telemetry.add(report([(String(repeating: "x", count: 10_000), 200, 1)]))
    let edges = telemetry.snapshot().edges
    #expect(edges.count == TelemetryAggregator.Limits.edges + 1)
    #expect(edges.first { $0.edge.destination == "other" }?.total.requests == 4_000)
    #expect(edges.reduce(0) { $0 + $1.total.requests } == 24_000)
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

  @Test func showsServicesAsTheySeeThemselvesAndEdgesAsCallersSeeThem() throws {
    let clock = Clock()
    let telemetry = TelemetryAggregator(clock: { clock.now.withLock { $0 } })
    clock.now.withLock { $0 += 100 }
    func add(_ source: String, _ destination: String, _ code: UInt32, _ requests: UInt64, route: String = "") {
      var report = report([(destination, code, requests)])
      report.edges[0].source = source
      report.edges[0].route = route
      // 0.8 to 1.6 ms.
      if code == 0 { report.edges[0].latency = [0, 0, 0, 0, 100] }
      telemetry.add(report)
    }
    add("default/a", "default/b", 200, 90)
    add("default/a", "default/b", 500, 10)
    add("default/a", "default/b", 0, 0)
    add("", "default/b", 200, 590)
    add("", "default/b", 500, 10)
    add("default/a", "default/c", 200, 60)
    add("default/edge", "", 400, 120, route: "default/shop#0")
    let snapshot = telemetry.snapshot()
    #expect((50...60).contains(snapshot.seconds))
    let traffic = Traffic(snapshot)
    #expect(traffic.services.map(\.service) == ["default/b", "default/c"])
    #expect(traffic.services.map(\.isReportedByItself) == [true, false])
    let own = try #require(traffic.services.first).figures
    #expect(abs(own.requestsPerSecond - 600 / snapshot.seconds) < 0.01 && own.p50 == nil)
    #expect(try abs(#require(own.successRate) - 590.0 / 600) < 0.001)
    #expect(traffic.edges.map(\.destination) == ["default/b", "default/c"])
    #expect(traffic.edges[0].figures.successRate == 0.9)
    let p50 = try #require(traffic.edges[0].figures.p50)
    #expect(p50 > 0.8 && p50 < 1.6)
    #expect(traffic.routes.map(\.route) == ["default/shop#0"] && traffic.routes[0].figures.successRate == 1)
    clock.now.withLock { $0 += 1_000 }
    #expect(Traffic(telemetry.snapshot()).services.isEmpty)
  }

  @Test func estimatesQuantilesWithinTheirBuckets() {
    #expect(Traffic.quantile(0.5, of: []) == nil && Traffic.quantile(0.5, of: [0, 0]) == nil)
    #expect(Traffic.quantile(0.5, of: [10] + [UInt64](repeating: 0, count: 23)) == 0.05)
    #expect(Traffic.quantile(1, of: [0, 10] + [UInt64](repeating: 0, count: 22)) == 0.2)
    let last = [UInt64](repeating: 0, count: 23) + [5]
    #expect(Traffic.quantile(0.99, of: last) == Traffic.bound(22))
  }
}
