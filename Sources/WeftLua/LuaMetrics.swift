import WeftFilter
import WeftTelemetry

/// The families that the Lua host counts in.
struct LuaMetrics: Sendable {
  let calls: CounterFamily
  let durations: HistogramFamily
  let errors: CounterFamily
  let suspended: GaugeFamily
  let trips: CounterFamily
  let tripped: GaugeFamily
  let trippedRequests: CounterFamily
  let backgroundRuns: CounterFamily
  let replacedStates: CounterFamily
  let stats: LuaStatFamilies

  /// One call in so many is timed: reading the thread's clock costs as much as a small script.
  static let sampling: UInt32 = 64
  private static let versionLabels = ["filter", "bundle", "digest"]

  init(_ registry: MetricsRegistry) throws {
    calls = try registry.counter(
      "weft_lua_calls_total", help: "Calls into a script.", labels: Self.versionLabels)
    durations = try registry.histogram(
      "weft_lua_call_duration_seconds", help: "CPU time of a call into a script, of one call in 64.",
      unit: .nanoseconds, buckets: HistogramBuckets.shortDurations, labels: Self.versionLabels)
    errors = try registry.counter(
      "weft_filter_errors_total", help: "Failures of a filter: error, limit, timeout.", labels: ["filter", "reason"])
    suspended = try registry.gauge(
      "weft_filter_suspended", help: "Exchanges that a filter holds back.", labels: ["filter"])
    trips = try registry.counter(
      "weft_filter_trips_total", help: "Times that a filter tripped on a worker, after too many failures.",
      labels: ["filter"])
    tripped = try registry.gauge(
      "weft_filter_tripped", help: "Workers on which a filter is tripped.", labels: ["filter"])
    trippedRequests = try registry.counter(
      "weft_filter_tripped_requests_total", help: "Requests for which a tripped filter did not run: skipped, denied.",
      labels: ["filter", "result"])
    backgroundRuns = try registry.counter(
      "weft_lua_background_runs_total", help: "Runs of on_load and weft.every: done, error, limit.",
      labels: ["bundle", "result"])
    replacedStates = try registry.counter(
      "weft_lua_states_replaced_total", help: "Lua states that took the place of one that was given up.",
      labels: ["bundle"])
    stats = try LuaStatFamilies(registry)
    let memory = try MetricDescriptor(
      .gauge, name: "weft_lua_memory_bytes", help: "Memory of a bundle's Lua states.", unit: .bytes, labels: ["bundle"])
    let longest = try MetricDescriptor(
      .gauge, name: "weft_lua_longest_call_seconds",
      help: "CPU time of the longest call that has kept its worker, if more than 4 ms.", unit: .nanoseconds,
      labels: ["bundle"])
    let givenUp = try MetricDescriptor(
      .gauge, name: "weft_lua_states_given_up", help: "Lua states that fail each call, because one could not be ended.",
      labels: ["bundle"])
    let id = ObjectIdentifier(registry)
    // Another filter of this process has registered them otherwise.
    try? registry.collected(memory) { LuaStates.memory(in: id) }
    try? registry.collected(longest) { LuaStates.longestHolds(in: id) }
    try? registry.collected(givenUp) { LuaStates.givenUp(in: id) }
  }
}

/// One filter's series on one worker.
struct LuaCounters {
  let calls: Counter
  let durations: Histogram
  let errors: Counter
  let limits: Counter
  /// Exchanges that were held back for too long.
  let timeouts: Counter
  let suspended: Gauge
  let trips: Counter
  let tripped: Gauge
  let skipped: Counter
  let denied: Counter

  /// - Parameter lease: keeps series of the version: a bundle has any number of versions in the life of a process.
  init(_ metrics: LuaMetrics, _ shard: MetricsShard, _ use: LuaFilterUse, lease: MetricsLease) {
    let filter = use.filterName
    let version = [filter, use.program.name, use.program.digest]
    calls = shard.counter(metrics.calls, version, lease: lease)
    durations = shard.histogram(metrics.durations, version, lease: lease)
    errors = shard.counter(metrics.errors, [filter, LuaFailure.Reason.error.rawValue])
    limits = shard.counter(metrics.errors, [filter, LuaFailure.Reason.limit.rawValue])
    timeouts = shard.counter(metrics.errors, [filter, "timeout"])
    suspended = shard.gauge(metrics.suspended, [filter])
    trips = shard.counter(metrics.trips, [filter])
    tripped = shard.gauge(metrics.tripped, [filter])
    skipped = shard.counter(metrics.trippedRequests, [filter, "skipped"])
    denied = shard.counter(metrics.trippedRequests, [filter, "denied"])
  }
}
