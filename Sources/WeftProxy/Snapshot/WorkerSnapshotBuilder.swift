import WeftFilter
import WeftTelemetry

/// Builds a worker's copy of a snapshot: its filters, chains and counters. Runs on the supervisor's thread.
struct WorkerSnapshotBuilder {
  let families: ProxyMetrics
  /// Keeps the series of this configuration's routes.
  let lease: MetricsLease
  let accessLogs: AccessLogs

  /// - Parameter previous: the filters of the worker's last snapshot, to be carried over where nothing has changed.
  /// - Throws: what a filter type says when it cannot make its filter.
  func build(
    _ snapshot: Snapshot, for context: ProxyWorkerContext, previous: [FilterKey: HTTPFilter]
  ) throws -> WorkerSnapshot {
    var byKey: [FilterKey: HTTPFilter] = [:]
    var filters: [(name: String, filter: HTTPFilter)] = []
    for spec in snapshot.filters {
      let filter = try previous[spec.key] ?? make(spec, for: context)
      byKey[spec.key] = filter
      filters.append((spec.key.name, filter))
    }
    var chains: [[Int]: FilterChain] = [:]
    func chain(_ indices: [Int]) -> FilterChain {
      if let known = chains[indices] { return known }
      let made = FilterChain(indices.map { filters[$0] })
      chains[indices] = made
      return made
    }
    let rules = RuleRef.allocate(capacity: max(snapshot.rules.count, 1))
    for (i, spec) in snapshot.rules.enumerated() {
      (rules + i).initialize(
        to: WorkerRule(
          spec: spec, backends: spec.backends.map { ($0.weight, $0.service, chain($0.filters)) },
          metrics: RouteMetrics(families, context.metrics, route: spec.name.bytes.string, lease: lease),
          asksPolicies: snapshot.authorization != nil))
    }
    return WorkerSnapshot(
      snapshot: snapshot, rules: rules, ruleCount: snapshot.rules.count, filters: byKey, lease: lease,
      accessLog: accessLogs.makeWorkerLog(),
      authorization: snapshot.authorization.map { WorkerAuthorization($0, families, context.metrics, lease: lease) })
  }

  private func make(_ spec: FilterSpec, for context: ProxyWorkerContext) throws -> HTTPFilter {
    let filter = try spec.type.makeFilter(context)
    filter.counters = families.filters.counters(for: spec.key.name, in: context.metrics)
    return filter
  }
}
