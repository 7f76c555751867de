import WeftTelemetry

/// The metric families that all filters have in common.
public struct FilterMetrics: Sendable {
  let responses: CounterFamily

  public init(_ registry: MetricsRegistry) throws {
    responses = try registry.counter(
      "weft_filter_responses_total", help: "Responses that a filter gave itself.", labels: ["filter", "code_class"])
  }

  /// What one filter counts on one worker.
  /// - Parameters:
  ///   - filter: what the filter is called in configuration.
  ///   - lease: keeps the series while it lives.
  public func counters(for filter: String, in shard: MetricsShard, lease: MetricsLease? = nil) -> FilterCounters {
    FilterCounters(
      classes: ["1xx", "2xx", "3xx", "4xx", "5xx"].map { shard.counter(responses, [filter, $0], lease: lease) })
  }
}

/// Counters of one filter on one worker; see `FilterMetrics`.
public struct FilterCounters {
  let classes: [Counter]

  /// Counts a response that the filter gave itself.
  func countResponse(_ status: Int) {
    let i = status / 100 - 1
    if classes.indices.contains(i) { classes[i].add() }
  }
}
