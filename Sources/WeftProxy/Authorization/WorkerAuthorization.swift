import WeftTelemetry

/// A snapshot's authorization on one worker: the same table, with the worker's counters.
final class WorkerAuthorization {
  let table: AuthorizationTable
  /// By the policy's number: how often it decided, audited, or would have decided.
  private let counters: UnsafeMutablePointer<Counter>
  /// Requests and connections that no ALLOW policy matched.
  private let unmatched: Counter
  /// The same for ALLOW policies that are only tried.
  private let wouldBeUnmatched: Counter

  init(_ table: AuthorizationTable, _ families: ProxyMetrics, _ shard: MetricsShard, lease: MetricsLease) {
    self.table = table
    counters = .allocate(capacity: max(table.policies.count, 1))
    for (i, policy) in table.policies.enumerated() {
      let decision =
        switch (policy.action, policy.isDryRun) {
        case (.audit, _): "audited"
        case (.allow, false): "allowed"
        case (.allow, true): "would_allow"
        case (_, false): "denied"
        case (_, true): "would_deny"
        }
      (counters + i).initialize(
        to: shard.counter(families.authorization, [policy.name.bytes.string, decision], lease: lease))
    }
    unmatched = shard.counter(families.authorization, ["none", "denied"], lease: lease)
    wouldBeUnmatched = shard.counter(families.authorization, ["none", "would_deny"], lease: lease)
  }

  deinit {
    counters.deinitialize(count: table.policies.count)
    counters.deallocate()
  }

  @inline(__always)
  func count(_ decision: AuthorizationDecision) {
    if decision.policy >= 0 {
      counters[Int(decision.policy)].add()
    } else if !decision.isAllowed {
      unmatched.add()
    }
  }

  /// - Parameter policy: -1: no ALLOW policy that is tried would allow.
  func countObservation(_ policy: Int32) {
    if policy >= 0 { counters[Int(policy)].add() } else { wouldBeUnmatched.add() }
  }
}

/// What policies said of an exchange, for its log. Holds only while its generation is that of the exchange, so that
/// exchanges without policies need not reset it.
struct AuthorizationRecord {
  var generation = UInt32.max
  var decision = AuthorizationDecision(isAllowed: true, policy: -1)
  /// The first AUDIT policy that matched; -1: none.
  var audit: Int32 = -1
  /// Of the request, once it was verified.
  var token: VerifiedToken?
  /// A token of the request is not good.
  var isUnauthenticated = false
}
