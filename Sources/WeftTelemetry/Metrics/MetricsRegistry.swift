/// All metrics of a process.
///
/// Made for threads that share nothing: each has a `MetricsShard` with cells of its own and increments them without
/// lock or read-modify-write; a scrape sums over the shards. Registering, resolving a series and scraping take a lock
/// and may happen on any thread at any time.
///
/// Series are bounded by family (`MetricDescriptor.maxSeries`): label sets beyond the bound share one series whose
/// labels all read `other`, and are counted in `weft_metrics_series_overflow_total`.
public final class MetricsRegistry: Sendable {
  let state = Locked(RegistryState())

  public init() {}

  deinit {
    state.withLock { state in
      for shard in state.shards { shard.arena.destroy() }
      for family in state.families { family.layout?.free() }
    }
  }

  // MARK: Families

  /// Registers a family of counters. Registering an equal family again gives the same one.
  /// - Throws: `MetricError` when the name breaks the naming rules or is taken by a different family.
  public func counter(
    _ name: String, help: String, unit: MetricUnit = .count, labels: [String] = [],
    maxSeries: Int = MetricDescriptor.defaultMaxSeries
  ) throws -> CounterFamily {
    CounterFamily(
      id: try register(
        MetricDescriptor(.counter, name: name, help: help, unit: unit, labels: labels, maxSeries: maxSeries)))
  }

  /// Registers a family of gauges; see `counter`.
  public func gauge(
    _ name: String, help: String, unit: MetricUnit = .count, labels: [String] = [],
    maxSeries: Int = MetricDescriptor.defaultMaxSeries
  ) throws -> GaugeFamily {
    GaugeFamily(
      id: try register(
        MetricDescriptor(.gauge, name: name, help: help, unit: unit, labels: labels, maxSeries: maxSeries)))
  }

  /// Registers a family of histograms; see `counter`.
  /// - Parameter buckets: upper bounds in the unit, ascending, at most 32, without +Inf.
  public func histogram(
    _ name: String, help: String, unit: MetricUnit, buckets: [UInt64], labels: [String] = [],
    maxSeries: Int = MetricDescriptor.defaultMaxSeries
  ) throws -> HistogramFamily {
    HistogramFamily(
      id: try register(
        MetricDescriptor(
          .histogram, name: name, help: help, unit: unit, labels: labels, buckets: buckets, maxSeries: maxSeries)))
  }

  /// Registers a family whose values are read at each scrape instead of being kept in cells.
  /// - Parameter read: called on the scraping thread, without the registry's lock held; gives the present samples, each
  ///   with one value a label name. A sample with another number of labels is left out.
  public func collected(_ descriptor: MetricDescriptor, read: @escaping @Sendable () -> [CollectedSample]) throws {
    if descriptor.kind == .histogram {
      throw MetricError(metric: descriptor.name, reason: "a histogram cannot be collected")
    }
    try state.withLock { state in
      if state.byName[descriptor.name] != nil
        || state.collected.contains(where: { $0.descriptor.name == descriptor.name })
        || descriptor.name == MetricsRegistry.overflowFamily.name
      {
        throw MetricError(metric: descriptor.name, reason: "is registered already")
      }
      state.collected.append(CollectedFamily(descriptor: descriptor, read: read))
    }
  }

  /// Every registered family, by name.
  public var families: [MetricDescriptor] {
    let (cells, collected) = state.withLock { ($0.families.map(\.descriptor), $0.collected.map(\.descriptor)) }
    return (cells + collected + [MetricsRegistry.overflowFamily]).sorted { $0.name < $1.name }
  }

  private func register(_ descriptor: MetricDescriptor) throws -> MetricFamilyID {
    let index = try state.withLock { state throws(MetricError) in
      if let index = state.byName[descriptor.name] {
        if state.families[index].descriptor == descriptor { return index }
        throw MetricError(
          metric: descriptor.name, reason: "is registered with another type, help, unit, labels or bound")
      }
      if state.collected.contains(where: { $0.descriptor.name == descriptor.name })
        || descriptor.name == MetricsRegistry.overflowFamily.name
      {
        throw MetricError(metric: descriptor.name, reason: "is registered already")
      }
      let layout = descriptor.kind == .histogram ? HistogramLayout(bounds: descriptor.buckets) : nil
      state.families.append(FamilyState(descriptor: descriptor, layout: layout))
      state.byName[descriptor.name] = state.families.count - 1
      return state.families.count - 1
    }
    return MetricFamilyID(registry: ObjectIdentifier(self), index: index)
  }

  // MARK: Users

  /// Cells for one thread, which alone may write them.
  public func makeShard() -> sending MetricsShard {
    MetricsShard(registry: self, index: state.withLock { $0.openShard() })
  }

  /// A claim on series, to be held by what uses them: a configuration, a pool. Series that no lease uses any more are
  /// dropped.
  public func makeLease() -> MetricsLease {
    let id = state.withLock { state in
      state.nextLease += 1
      state.leases[state.nextLease] = []
      return state.nextLease
    }
    return MetricsLease(registry: self, id: id)
  }

  static let overflowFamily = MetricDescriptor(
    unchecked: .counter, name: "weft_metrics_series_overflow_total",
    help: "Times that a label set had to share a family's overflow series.", labels: ["metric"])
}

/// A family whose values are read at each scrape.
struct CollectedFamily: Sendable {
  let descriptor: MetricDescriptor
  let read: @Sendable () -> [CollectedSample]
}

/// One value of a collected family, in the base unit (seconds, bytes).
public struct CollectedSample: Sendable {
  public let labels: [String]
  public let value: Double

  public init(labels: [String] = [], value: Double) {
    self.labels = labels
    self.value = value
  }
}
