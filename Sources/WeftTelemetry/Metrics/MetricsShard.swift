/// One thread's cells. Not to be shared: its handles count without synchronisation because one thread alone uses them.
///
/// Resolving a series takes the registry's lock, so a worker does it when it takes over a configuration, not per
/// request. The same labels give the same cells. When a shard goes, its counts stay in the sums and its gauges go to 0.
public final class MetricsShard {
  public let registry: MetricsRegistry
  private let index: Int

  init(registry: MetricsRegistry, index: Int) {
    self.registry = registry
    self.index = index
  }

  deinit {
    let index = index
    registry.state.withLock { $0.closeShard(index) }
  }

  /// The counter of `family` with these labels, in the order of the family's label names.
  /// - Parameter lease: keeps the series while it lives; without one the series stays for the process' life.
  public func counter(_ family: CounterFamily, _ labels: [String] = [], lease: MetricsLease? = nil) -> Counter {
    Counter(cell: resolve(family.id, labels, lease).0.base)
  }

  /// The gauge of `family` with these labels; see `counter`.
  public func gauge(_ family: GaugeFamily, _ labels: [String] = [], lease: MetricsLease? = nil) -> Gauge {
    Gauge(cell: resolve(family.id, labels, lease).0.base)
  }

  /// The histogram of `family` with these labels; see `counter`.
  public func histogram(_ family: HistogramFamily, _ labels: [String] = [], lease: MetricsLease? = nil) -> Histogram {
    let (cells, layout) = resolve(family.id, labels, lease)
    guard let layout else { preconditionFailure("a histogram family has a layout") }
    return Histogram(
      cells: cells.base, bounds: UnsafePointer(layout.base),
      first: UnsafeRawPointer(layout.base + layout.wordCount).assumingMemoryBound(to: UInt8.self))
  }

  private func resolve(
    _ family: MetricFamilyID, _ labels: [String], _ lease: MetricsLease?
  ) -> (Cells, HistogramLayout?) {
    precondition(family.registry == ObjectIdentifier(registry), "a family belongs to the registry that made it")
    precondition(lease == nil || lease?.registry === registry, "a lease belongs to the registry that made it")
    let (index, lease) = (index, lease?.id)
    return registry.state.withLock { state in
      let cells = state.resolve(family: family.index, shard: index, labels: labels, lease: lease)
      return (cells, state.families[family.index].layout)
    }
  }
}
