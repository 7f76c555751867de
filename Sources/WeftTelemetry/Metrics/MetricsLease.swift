/// Keeps the series that were resolved under it. A configuration owns one, so that the series of routes and services
/// that a reload removed disappear with the last exchange that used them, while those of what stayed keep counting.
///
/// Resolve the new configuration's series before the old one's lease goes: a series between leases starts again at 0.
public final class MetricsLease: Sendable {
  let registry: MetricsRegistry
  let id: UInt64

  init(registry: MetricsRegistry, id: UInt64) {
    self.registry = registry
    self.id = id
  }

  deinit {
    let id = id
    registry.state.withLock { $0.release(id) }
  }

  /// Also keeps those series of `other` that `isKept` says yes to: for series that are resolved only when they are first
  /// needed, and whose counts a reload must not reset.
  ///
  /// `isKept` must not use the registry.
  public func adopt(_ other: MetricsLease, where isKept: (MetricDescriptor, [String]) -> Bool) {
    precondition(other.registry === registry, "leases of one registry only")
    let (id, otherID) = (id, other.id)
    registry.state.withLock { state in
      for reference in state.leases[otherID] ?? [] {
        guard let series = state.families[reference.family].series[reference.slot] else { continue }
        if isKept(state.families[reference.family].descriptor, series.labels) { state.retain(reference, by: id) }
      }
    }
  }
}
