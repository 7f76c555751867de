import Foundation
import Synchronization
import Testing
import WeftTelemetry

/// Workers count, resolve and drop series while others scrape. Its full worth shows under ThreadSanitizer.
@Suite struct MetricsConcurrencyTests {
  @Test func scrapesSeeGrowingCountsWhileWorkersWrite() throws {
    let registry = MetricsRegistry()
    let requests = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route"])
    let active = try registry.gauge("weft_t_active", help: "Active.")
    let latency = try registry.histogram(
      "weft_t_latency_seconds", help: "Latency.", unit: .nanoseconds, buckets: HistogramBuckets.durations)
    let workers = 3
    let rounds = 200
    let running = Atomic(workers)
    let threads = (0..<workers).map { _ in
      Thread {
        let shard = registry.makeShard()
        let kept = shard.counter(requests, ["kept"])
        let gauge = shard.gauge(active)
        let histogram = shard.histogram(latency)
        for round in 0..<rounds {
          let lease = registry.makeLease()
          let passing = shard.counter(requests, ["route-\(round)"], lease: lease)
          for i in 0..<100 {
            kept.add()
            gauge.add()
            passing.add()
            histogram.observe(UInt64(i) * 1_000_000)
            gauge.sub()
          }
          withExtendedLifetime(lease) {}
        }
        running.subtract(1, ordering: .releasing)
      }
    }
    for thread in threads { thread.start() }
    var last: Double = 0
    var lastObservations: UInt64 = 0
    var text: [UInt8] = []
    while running.load(ordering: .acquiring) > 0 {
      let snapshot = registry.snapshot()
      let now = snapshot.number("weft_t_requests_total", ["kept"]) ?? 0
      #expect(now >= last)
      last = now
      let observations = snapshot.histogram("weft_t_latency_seconds")?.count ?? 0
      #expect(observations >= lastObservations)
      lastObservations = observations
      for series in snapshot.family("weft_t_requests_total")?.series ?? [] where series.labels != ["kept"] {
        // A dropped series' cells must not show the counts of the one that took them over.
        if case .counter(let n) = series.value { #expect(n <= UInt64(workers * 100)) }
      }
      text.removeAll(keepingCapacity: true)
      registry.render(into: &text)
    }
    let end = registry.snapshot()
    #expect(end.number("weft_t_requests_total", ["kept"]) == Double(workers * rounds * 100))
    #expect(end.histogram("weft_t_latency_seconds")?.count == UInt64(workers * rounds * 100))
    #expect(end.number("weft_t_active") == 0)
    #expect(end.family("weft_t_requests_total")?.series.count == 1)
  }
}
