import Glibc
import WeftTelemetry

/// What the supervisor counts.
final class StatusMetrics {
  private let shard: MetricsShard
  private let reloads: CounterFamily
  private let lastSucceeded: Gauge
  private let lastApplied: Gauge
  private let stalls: CounterFamily
  private let lookups: CounterFamily
  private let checks: CounterFamily
  private let keyFetches: CounterFamily
  private let keySets: GaugeFamily

  init(_ registry: MetricsRegistry, version: String) throws {
    try ProcessMetrics.register(in: registry, version: version)
    shard = registry.makeShard()
    reloads = try registry.counter(
      "weft_config_reloads_total", help: "Reloads: applied, rejected.", labels: ["result"])
    lastSucceeded = shard.gauge(
      try registry.gauge(
        "weft_config_last_reload_successful", help: "1 when the last reload was applied, else 0."))
    lastApplied = shard.gauge(
      try registry.gauge(
        "weft_config_last_applied_timestamp_seconds",
        help: "When a configuration was last applied, in seconds since the Unix epoch.", unit: .nanoseconds))
    stalls = try registry.counter(
      "weft_worker_stalls_total", help: "Times that an event loop did not turn for three seconds.", labels: ["worker"])
    lookups = try registry.counter(
      "weft_upstream_dns_lookups_total", help: "Lookups of endpoints' names: success, failure, timeout.",
      labels: ["result"])
    checks = try registry.counter(
      "weft_upstream_health_checks_total", help: "Health checks of endpoints: success, failure, timeout.",
      labels: ["service", "result"])
    keyFetches = try registry.counter(
      "weft_request_authentication_key_fetches_total",
      help: "Fetches of key sets (jwksUri): success, failure, timeout.", labels: ["result"])
    keySets = try registry.gauge(
      "weft_request_authentication_key_sets",
      help: "Key sets by address: current, stale (the last fetch failed), missing (none has succeeded).",
      labels: ["state"])
  }

  func haveKeySets(current: Int, stale: Int, missing: Int) {
    for (state, count) in [("current", current), ("stale", stale), ("missing", missing)] {
      shard.gauge(keySets, [state]).set(count)
    }
  }

  func fetchedKeys(_ result: String) { shard.counter(keyFetches, [result]).add() }

  func checked(_ service: String, _ result: String) { shard.counter(checks, [service, result]).add() }

  func reloaded(_ result: String, ok: Bool) {
    shard.counter(reloads, [result]).add()
    lastSucceeded.set(ok ? 1 : 0)
    if ok { lastApplied.set(time(nil) * 1_000_000_000) }
  }

  func lookedUp(_ result: String) { shard.counter(lookups, [result]).add() }

  func stalled(_ worker: Int) { shard.counter(stalls, [String(worker)]).add() }
}
