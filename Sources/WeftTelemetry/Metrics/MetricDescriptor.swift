/// What a family of series measures.
public enum MetricKind: String, Sendable, CaseIterable {
  /// Only ever grows, from 0 at the start of the process.
  case counter
  /// Goes up and down.
  case gauge
  /// Counts observations in buckets, with their sum.
  case histogram
}

/// What the integer in a cell counts, and so how a scrape prints it.
public enum MetricUnit: Sendable {
  /// Things: printed as they are.
  case count
  /// Bytes: printed as they are; the name says `_bytes`.
  case bytes
  /// Cells hold nanoseconds; printed as seconds; the name says `_seconds`.
  case nanoseconds
}

/// A family of series: one name, one meaning, one set of label names.
public struct MetricDescriptor: Sendable, Equatable {
  /// The overflow series' value for every label.
  public static let overflowLabel = "other"
  /// Series of a family beyond which new label sets share the overflow series, unless the family says otherwise.
  public static let defaultMaxSeries = 1000

  public let name: String
  /// One sentence for `# HELP` and docs/metrics.md.
  public let help: String
  public let kind: MetricKind
  public let unit: MetricUnit
  public let labelNames: [String]
  /// Upper bounds of a histogram's buckets in the cell's unit, ascending, without the last one (+Inf).
  public let buckets: [UInt64]
  /// Series with labels of their own, the overflow series not counted.
  public let maxSeries: Int

  /// - Throws: `MetricError` for a name that Prometheus or its naming rules refuse, a missing help text, bad labels,
  ///   bad buckets.
  public init(
    _ kind: MetricKind, name: String, help: String, unit: MetricUnit = .count, labels: [String] = [],
    buckets: [UInt64] = [], maxSeries: Int = MetricDescriptor.defaultMaxSeries
  ) throws {
    self.kind = kind
    self.name = name
    self.help = help
    self.unit = unit
    self.labelNames = labels
    self.buckets = buckets
    self.maxSeries = max(maxSeries, 1)
    try MetricNaming.check(self)
  }

  /// For the registry's own families, whose names are known to be good.
  init(unchecked kind: MetricKind, name: String, help: String, labels: [String]) {
    self.kind = kind
    self.name = name
    self.help = help
    unit = .count
    labelNames = labels
    buckets = []
    maxSeries = MetricDescriptor.defaultMaxSeries
  }

  /// The row that stands for this family in docs/metrics.md: a test looks for it there.
  public var documentationRow: String {
    let labels = labelNames.isEmpty ? "" : " " + labelNames.map { "`\($0)`" }.joined(separator: ", ")
    return "| `\(name)` | \(kind.rawValue) |\(labels) | \(help) |"
  }
}

/// Why a family was refused.
public struct MetricError: Error, Equatable, CustomStringConvertible {
  public let metric: String
  public let reason: String

  public var description: String { "metric \(metric): \(reason)" }
}
