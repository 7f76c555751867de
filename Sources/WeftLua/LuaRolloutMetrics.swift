import WeftFilter
import WeftTelemetry

/// The families in which the versions of a bundle are told apart while one takes the place of the other.
struct LuaRolloutMetrics: Sendable {
  let requests: CounterFamily
  let errors: CounterFamily
  let failures: CounterFamily
  let durations: HistogramFamily
  let comparisons: CounterFamily

  private static let labels = ["filter", "bundle", "digest", "variant"]

  init(_ registry: MetricsRegistry) throws {
    requests = try registry.counter(
      "weft_lua_rollout_requests_total", help: "Requests that a version of a bundle had, during a rollout.",
      labels: Self.labels)
    errors = try registry.counter(
      "weft_lua_rollout_errors_total", help: "Failures of a version's script, during a rollout.", labels: Self.labels)
    failures = try registry.counter(
      "weft_lua_rollout_failures_total", help: "Requests of a version that were answered with a 5xx, during a rollout.",
      labels: Self.labels)
    durations = try registry.histogram(
      "weft_lua_rollout_request_duration_seconds",
      help: "Time of a version's requests, to their end, during a rollout.",
      unit: .nanoseconds, buckets: BundleFigures.bounds, labels: Self.labels)
    comparisons = try registry.counter(
      "weft_lua_rollout_comparisons_total",
      help: "Calls in shadow mode: both versions did the same, something different, or could not be compared.",
      labels: ["filter", "bundle", "digest", "result"])
  }
}

/// One version's series on one worker.
struct LuaVariantCounters {
  let requests: Counter
  let errors: Counter
  let failures: Counter
  let durations: Histogram

  init(_ metrics: LuaRolloutMetrics, _ shard: MetricsShard, _ use: LuaFilterUse, digest: String, variant: String) {
    let labels = [use.filterName, use.program.name, digest, variant]
    requests = shard.counter(metrics.requests, labels)
    errors = shard.counter(metrics.errors, labels)
    failures = shard.counter(metrics.failures, labels)
    durations = shard.histogram(metrics.durations, labels)
  }

  /// Counts an exchange that has ended.
  @inline(__always)
  func count(_ x: Exchange) {
    requests.add()
    if x.finalStatus >= 500 { failures.add() }
    durations.observe(nanoseconds: Int64(clamping: x.now &- x.started))
  }
}
