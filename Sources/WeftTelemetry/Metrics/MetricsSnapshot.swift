import CLinux

/// What all metrics read at one moment, summed over the shards.
public struct MetricsSnapshot: Sendable {
  public struct Family: Sendable {
    public let descriptor: MetricDescriptor
    public let series: [Series]
  }

  public struct Series: Sendable {
    public let labels: [String]
    public let value: Value
    let labelText: [UInt8]
  }

  /// A value in its cell's unit; `MetricsSnapshot.number` gives it in the base unit.
  public enum Value: Sendable {
    case counter(UInt64)
    case gauge(Int64)
    case collected(Double)
    case histogram(HistogramValue)
  }

  public struct HistogramValue: Sendable {
    /// One bound less than counts.
    public let bounds: [UInt64]
    /// Observations by bucket, not cumulative; the last one is +Inf.
    public let counts: [UInt64]
    public let sum: UInt64

    public var count: UInt64 { counts.reduce(0, &+) }

    /// An estimate, linear within the bucket; the highest bound for what lies beyond it; nil without observations.
    public func quantile(_ q: Double) -> Double? {
      let total = count
      if total == 0 { return nil }
      let rank = min(max(q, 0), 1) * Double(total)
      var before: UInt64 = 0
      for (i, n) in counts.enumerated() where n > 0 {
        if Double(before &+ n) >= rank || i == counts.count - 1 {
          guard i < bounds.count else { break }
          let low = i == 0 ? 0 : Double(bounds[i - 1])
          return low + (Double(bounds[i]) - low) * min(max((rank - Double(before)) / Double(n), 0), 1)
        }
        before &+= n
      }
      return bounds.last.map { Double($0) }
    }
  }

  /// By name; families without series are left out.
  public let families: [Family]

  /// The family called `name`, or nil.
  public func family(_ name: String) -> Family? { families.first { $0.descriptor.name == name } }

  /// The value of a counter or gauge in the base unit, or nil for a histogram or a series that does not exist.
  public func number(_ name: String, _ labels: [String] = []) -> Double? {
    guard let family = family(name), let series = family.series.first(where: { $0.labels == labels }) else {
      return nil
    }
    let scale = family.descriptor.unit == .nanoseconds ? 1e9 : 1
    switch series.value {
    case .counter(let n): return Double(n) / scale
    case .gauge(let n): return Double(n) / scale
    case .collected(let x): return x
    case .histogram: return nil
    }
  }

  /// The histogram series, or nil.
  public func histogram(_ name: String, _ labels: [String] = []) -> HistogramValue? {
    guard case .histogram(let h) = family(name)?.series.first(where: { $0.labels == labels })?.value else { return nil }
    return h
  }
}

extension MetricsRegistry {
  /// Reads everything. Workers go on counting meanwhile: each value is one that its cell held, and a counter never reads
  /// lower than in an earlier snapshot.
  public func snapshot() -> MetricsSnapshot {
    let (families, collected) = state.withLock { state in
      state.readers += 1
      return (state.families, state.collected)
    }
    var result: [MetricsSnapshot.Family] = []
    for family in families {
      let series = family.series.compactMap { $0.map { read($0, of: family) } }
      if !series.isEmpty { result.append(.init(descriptor: family.descriptor, series: series)) }
    }
    state.withLock { state in
      state.readers -= 1
      state.emptyQuarantine()
    }
    for family in collected {
      let names = family.descriptor.labelNames
      let series = family.read().filter { $0.labels.count == names.count }.map { sample in
        MetricsSnapshot.Series(
          labels: sample.labels, value: .collected(sample.value),
          labelText: PrometheusText.labels(names, sample.labels))
      }
      if !series.isEmpty { result.append(.init(descriptor: family.descriptor, series: series)) }
    }
    let overflowed = families.filter { $0.overflowed > 0 }.map { family in
      MetricsSnapshot.Series(
        labels: [family.descriptor.name], value: .counter(family.overflowed),
        labelText: PrometheusText.labels(["metric"], [family.descriptor.name]))
    }
    if !overflowed.isEmpty { result.append(.init(descriptor: MetricsRegistry.overflowFamily, series: overflowed)) }
    return MetricsSnapshot(families: result.sorted { $0.descriptor.name < $1.descriptor.name })
  }

  private func read(_ series: SeriesState, of family: FamilyState) -> MetricsSnapshot.Series {
    var words = [UInt64](repeating: 0, count: family.cellCount)
    for case let cells? in series.cells {
      for i in 0..<words.count { words[i] &+= cl_load(cells.base + i) }
    }
    let value: MetricsSnapshot.Value
    switch family.descriptor.kind {
    case .counter: value = .counter(words[0])
    case .gauge: value = .gauge(Int64(bitPattern: words[0]))
    case .histogram:
      value = .histogram(
        .init(bounds: family.descriptor.buckets, counts: Array(words.dropFirst()), sum: words[0]))
    }
    return MetricsSnapshot.Series(labels: series.labels, value: value, labelText: series.labelText)
  }
}
