import WeftTLS
import WeftTelemetry

/// The metric families of TLS. docs/metrics.md explains them.
struct TLSFamilies: Sendable {
  /// Of one side: handshakes by version, resumptions, failures by reason.
  struct Side: Sendable {
    let handshakes: CounterFamily
    let resumptions: CounterFamily
    let failures: CounterFamily
  }

  let downstream: Side
  let upstream: Side

  init(_ r: MetricsRegistry) throws {
    downstream = Side(
      handshakes: try r.counter(
        "weft_downstream_tls_handshakes_total", help: "Complete TLS handshakes with clients, by version.",
        labels: ["listener", "version"]),
      resumptions: try r.counter(
        "weft_downstream_tls_resumptions_total", help: "Handshakes of clients that resumed a session.",
        labels: ["listener"]),
      failures: try r.counter(
        "weft_downstream_tls_failures_total", help: "TLS handshakes with clients that failed, by reason.",
        labels: ["listener", "reason"]))
    upstream = Side(
      handshakes: try r.counter(
        "weft_upstream_tls_handshakes_total", help: "Complete TLS handshakes with a service's endpoints, by version.",
        labels: ["service", "version"]),
      resumptions: try r.counter(
        "weft_upstream_tls_resumptions_total", help: "Handshakes with endpoints that resumed a session.",
        labels: ["service"]),
      failures: try r.counter(
        "weft_upstream_tls_failures_total", help: "TLS handshakes with endpoints that failed, by reason.",
        labels: ["service", "reason"]))
  }
}

/// Counters of handshakes on one side: of a listener, or of a service.
final class TLSMetrics {
  private let v12: Counter
  private let v13: Counter
  private let resumed: Counter
  private let failures: [Counter]
  /// Keeps the series while the owner lives.
  private let lease: MetricsLease

  /// - Parameter owner: the listener's or service's name.
  init(_ side: TLSFamilies.Side, _ shard: MetricsShard, owner: String) {
    let lease = shard.registry.makeLease()
    self.lease = lease
    v12 = shard.counter(side.handshakes, [owner, "TLSv1.2"], lease: lease)
    v13 = shard.counter(side.handshakes, [owner, "TLSv1.3"], lease: lease)
    resumed = shard.counter(side.resumptions, [owner], lease: lease)
    failures = TLSFailure.Reason.allCases.map { shard.counter(side.failures, [owner, $0.rawValue], lease: lease) }
  }

  func established(_ session: TLSSession) {
    if session.version == .v12 { v12.add() } else { v13.add() }
    if session.isResumed { resumed.add() }
  }

  func failed(_ reason: TLSFailure.Reason) {
    for (i, known) in TLSFailure.Reason.allCases.enumerated() where known == reason { failures[i].add() }
  }
}
