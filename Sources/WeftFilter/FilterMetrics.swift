import WeftTelemetry

/// The metric families that all filters have in common.
public struct FilterMetrics: Sendable {
  fileprivate let responses: CounterFamily

  public init(_ registry: MetricsRegistry) throws {
    responses = try registry.counter(
      "weft_filter_responses_total", help: "Responses that a filter gave itself.", labels: ["filter", "code_class"])
  }

  /// What one filter counts on one worker.
  /// - Parameter filter: what the filter is called in configuration.
  public func counters(for filter: String, in shard: MetricsShard) -> FilterCounters {
    FilterCounters(self, filter, shard)
  }
}

/// Counters of one filter on one worker; see `FilterMetrics`. The series live as long as this object does, and begin with
/// what they first count: most filters never answer themselves, and routes may have thousands of filters.
public final class FilterCounters {
  private static let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"]
  private let metrics: FilterMetrics
  private let filter: String
  private let shard: MetricsShard
  private var lease: MetricsLease?
  private var responses: [Counter?] = Array(repeating: nil, count: FilterCounters.classes.count)

  fileprivate init(_ metrics: FilterMetrics, _ filter: String, _ shard: MetricsShard) {
    self.metrics = metrics
    self.filter = filter
    self.shard = shard
  }

  /// Counts a response that the filter gave itself.
  func countResponse(_ status: Int) {
    let i = status / 100 - 1
    if !responses.indices.contains(i) { return }
    if let counter = responses[i] { return counter.add() }
    let lease = lease ?? shard.registry.makeLease()
    self.lease = lease
    let counter = shard.counter(metrics.responses, [filter, Self.classes[i]], lease: lease)
    responses[i] = counter
    counter.add()
  }
}
