import WeftFilter
import WeftTelemetry

/// A family of counters of one filter type, with the series of one filter: registered when the configuration is decoded,
/// resolved when the filter is made, kept as long as the filter type's value lives.
struct FilterSeries: Sendable {
  private let family: CounterFamily
  private let filter: String
  private let lease: MetricsLease

  /// Several filters of one type share the family.
  /// - Parameter label: the name of a label behind `filter`, whose values are a short fixed list.
  init(
    _ context: FilterTypeContext, _ name: String, help: String, unit: MetricUnit = .count, label: String? = nil
  ) throws {
    family = try context.metrics.counter(
      name, help: help, unit: unit, labels: ["filter"] + (label.map { [$0] } ?? []))
    filter = context.name
    lease = context.metrics.makeLease()
  }

  /// The worker's counter with this value of the label.
  func counter(_ worker: WorkerContext, _ value: String? = nil) -> Counter {
    worker.metrics.counter(family, [filter] + (value.map { [$0] } ?? []), lease: lease)
  }
}
