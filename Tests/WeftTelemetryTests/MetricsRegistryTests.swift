import Testing
import WeftTelemetry

@Suite struct MetricsRegistryTests {
  let registry = MetricsRegistry()

  @Test func sumsOverShards() throws {
    let requests = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route"])
    let active = try registry.gauge("weft_t_active", help: "Active.")
    let a = registry.makeShard()
    let b = registry.makeShard()
    a.counter(requests, ["x"]).add()
    b.counter(requests, ["x"]).add(4)
    b.counter(requests, ["y"]).add(2)
    a.gauge(active).add(3)
    b.gauge(active).sub(1)
    let snapshot = registry.snapshot()
    #expect(snapshot.number("weft_t_requests_total", ["x"]) == 5)
    #expect(snapshot.number("weft_t_requests_total", ["y"]) == 2)
    #expect(snapshot.number("weft_t_requests_total", ["z"]) == nil)
    #expect(snapshot.number("weft_t_active") == 2)
  }

  @Test func sameLabelsGiveTheSameCells() throws {
    let family = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route"])
    let shard = registry.makeShard()
    let one = shard.counter(family, ["x"])
    let two = shard.counter(family, ["x"])
    one.add()
    #expect(two.value == 1)
    #expect(shard.counter(family, ["y"]).value == 0)
  }

  @Test func gaugesGoBelowZeroAndAreSet() throws {
    let family = try registry.gauge("weft_t_level", help: "Level.")
    let shard = registry.makeShard()
    let gauge = shard.gauge(family)
    gauge.sub(5)
    #expect(registry.snapshot().number("weft_t_level") == -5)
    gauge.set(7)
    #expect(gauge.value == 7)
    #expect(registry.snapshot().number("weft_t_level") == 7)
  }

  /// Every bound, and the values on either side of it, falls into the bucket that a plain search gives.
  @Test(arguments: [
    HistogramBuckets.durations, HistogramBuckets.shortDurations, HistogramBuckets.sizes, [0, 1, 2, 3, 4],
  ])
  func observationsFallIntoTheirBucket(bounds: [UInt64]) throws {
    let family = try registry.histogram("weft_t_things", help: "Things.", unit: .count, buckets: bounds)
    let shard = registry.makeShard()
    let histogram = shard.histogram(family)
    var expected = [UInt64](repeating: 0, count: bounds.count + 1)
    var sum: UInt64 = 0
    var values: [UInt64] = [0, 1, 1 << 62]
    for bound in bounds { values += [bound &- 1, bound, bound + 1] }
    for value in values {
      histogram.observe(value)
      expected[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
      sum &+= value
    }
    let read = try #require(registry.snapshot().histogram("weft_t_things"))
    #expect(read.counts == expected)
    #expect(read.sum == sum)
    #expect(read.count == UInt64(values.count))
  }

  @Test func extremeObservationsAreTaken() throws {
    let family = try registry.histogram("weft_t_seconds", help: "T.", unit: .nanoseconds, buckets: [10, 20])
    let shard = registry.makeShard()
    let histogram = shard.histogram(family)
    histogram.observe(.max)
    histogram.observe(nanoseconds: -5)
    #expect(registry.snapshot().histogram("weft_t_seconds")?.counts == [1, 0, 1])
  }

  @Test func quantilesAreEstimated() throws {
    let family = try registry.histogram("weft_t_things", help: "T.", unit: .count, buckets: [10, 20, 40])
    let shard = registry.makeShard()
    let histogram = shard.histogram(family)
    #expect(registry.snapshot().histogram("weft_t_things")?.quantile(0.5) == nil)
    for _ in 0..<10 { histogram.observe(5) }
    for _ in 0..<10 { histogram.observe(15) }
    let read = try #require(registry.snapshot().histogram("weft_t_things"))
    #expect(read.quantile(0.5) == 10)
    #expect(read.quantile(0.75) == 15)
    #expect(read.quantile(1) == 20)
    histogram.observe(1000)
    #expect(registry.snapshot().histogram("weft_t_things")?.quantile(1) == 40)
  }

  @Test func equalRegistrationsShareAndOthersAreRefused() throws {
    let one = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route"])
    let two = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route"])
    let shard = registry.makeShard()
    shard.counter(one, ["x"]).add()
    #expect(shard.counter(two, ["x"]).value == 1)
    #expect(throws: MetricError.self) {
      try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["service"])
    }
    #expect(throws: MetricError.self) {
      try registry.collected(MetricDescriptor(.counter, name: "weft_t_requests_total", help: "Requests.")) { [] }
    }
    #expect(throws: MetricError.self) {
      try registry.counter("weft_metrics_series_overflow_total", help: "Mine.")
    }
  }

  // MARK: Bounds

  @Test func labelSetsBeyondTheBoundShareOneSeries() throws {
    let family = try registry.counter(
      "weft_t_requests_total", help: "Requests.", labels: ["path", "code"], maxSeries: 3)
    let a = registry.makeShard()
    let b = registry.makeShard()
    for i in 0..<10 { a.counter(family, ["/\(i)", "200"]).add() }
    b.counter(family, ["/2", "200"]).add()
    b.counter(family, ["/9", "200"]).add()
    let snapshot = registry.snapshot()
    #expect(snapshot.family("weft_t_requests_total")?.series.count == 4)
    #expect(snapshot.number("weft_t_requests_total", ["/2", "200"]) == 2)
    #expect(snapshot.number("weft_t_requests_total", ["other", "other"]) == 8)
    #expect(snapshot.number("weft_metrics_series_overflow_total", ["weft_t_requests_total"]) == 8)
  }

  @Test func theOverflowLabelMayBeNamed() throws {
    let family = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["path"], maxSeries: 1)
    let shard = registry.makeShard()
    shard.counter(family, ["other"]).add()
    shard.counter(family, ["a"]).add()
    shard.counter(family, ["b"]).add()
    #expect(registry.snapshot().number("weft_t_requests_total", ["a"]) == 1)
    #expect(registry.snapshot().number("weft_t_requests_total", ["other"]) == 2)
  }

  // MARK: Life

  @Test func countsOutliveTheirShardAndLevelsDoNot() throws {
    let requests = try registry.counter("weft_t_requests_total", help: "Requests.")
    let active = try registry.gauge("weft_t_active", help: "Active.")
    var shard: MetricsShard? = registry.makeShard()
    shard?.counter(requests).add(3)
    shard?.gauge(active).set(9)
    shard = nil
    #expect(registry.snapshot().number("weft_t_requests_total") == 3)
    #expect(registry.snapshot().number("weft_t_active") == 0)
    let next = registry.makeShard()
    next.counter(requests).add()
    #expect(registry.snapshot().number("weft_t_requests_total") == 4)
  }

  @Test func aReloadDropsOnlyWhatNobodyUses() throws {
    let family = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route"])
    let shard = registry.makeShard()
    var old: MetricsLease? = registry.makeLease()
    shard.counter(family, ["kept"], lease: old).add(5)
    shard.counter(family, ["gone"], lease: old).add(5)
    shard.counter(family, ["process"]).add(5)
    let new = registry.makeLease()
    shard.counter(family, ["kept"], lease: new).add()
    shard.counter(family, ["new"], lease: new).add()
    #expect(registry.snapshot().number("weft_t_requests_total", ["gone"]) == 5)
    old = nil
    let snapshot = registry.snapshot()
    #expect(snapshot.number("weft_t_requests_total", ["gone"]) == nil)
    #expect(snapshot.number("weft_t_requests_total", ["kept"]) == 6)
    #expect(snapshot.number("weft_t_requests_total", ["new"]) == 1)
    #expect(snapshot.number("weft_t_requests_total", ["process"]) == 5)
    // What comes back starts anew.
    #expect(shard.counter(family, ["gone"], lease: new).value == 0)
    _ = old
  }

  @Test func adoptedSeriesKeepTheirCounts() throws {
    let family = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route", "code"])
    let shard = registry.makeShard()
    var old: MetricsLease? = registry.makeLease()
    shard.counter(family, ["kept", "5xx"], lease: old).add(2)
    shard.counter(family, ["gone", "5xx"], lease: old).add(2)
    let new = registry.makeLease()
    if let old { new.adopt(old) { descriptor, labels in descriptor.labelNames[0] == "route" && labels[0] == "kept" } }
    old = nil
    #expect(registry.snapshot().family("weft_t_requests_total")?.series.map(\.labels) == [["kept", "5xx"]])
    #expect(shard.counter(family, ["kept", "5xx"], lease: new).value == 2)
    _ = old
  }

  @Test func droppedSeriesMakeRoom() throws {
    let family = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route"], maxSeries: 2)
    let shard = registry.makeShard()
    for generation in 0..<50 {
      let lease = registry.makeLease()
      for i in 0..<2 {
        let counter = shard.counter(family, ["\(generation)/\(i)"], lease: lease)
        #expect(counter.value == 0)
        counter.add(7)
      }
      withExtendedLifetime(lease) {}
    }
    #expect(registry.snapshot().families.isEmpty)
  }

  @Test func collectedFamiliesAreReadAtTheScrape() throws {
    try registry.collected(MetricDescriptor(.gauge, name: "weft_t_level", help: "Level.", labels: ["a"])) {
      [.init(labels: ["x"], value: 1.5), .init(labels: [], value: 2)]
    }
    #expect(registry.snapshot().number("weft_t_level", ["x"]) == 1.5)
    #expect(registry.snapshot().family("weft_t_level")?.series.count == 1)
  }

  @Test func familiesAreListedWithTheirDocumentation() throws {
    _ = try registry.counter("weft_t_requests_total", help: "Requests.", labels: ["route", "code"])
    #expect(registry.families.map(\.name) == ["weft_metrics_series_overflow_total", "weft_t_requests_total"])
    #expect(
      registry.families[1].documentationRow == "| `weft_t_requests_total` | counter | `route`, `code` | Requests. |")
  }
}
