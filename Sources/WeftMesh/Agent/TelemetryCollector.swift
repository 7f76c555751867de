import WeftProtocol
import WeftTelemetry

/// Turns the proxy's figures, which count up, into what has been added since the last report.
struct TelemetryCollector {
  /// Edges of one report; the rest is summed up as "other".
  private static let edgeLimit = 2_000
  private static let filterLimit = 500

  private var before: [String: UInt64] = [:]

  /// - Parameter source: this proxy, NAMESPACE/NAME.
  mutating func report(_ metrics: MetricsSnapshot, source: String) -> Weft_Discovery_V1_TelemetryReport {
    var report = Weft_Discovery_V1_TelemetryReport()
    var now: [String: UInt64] = [:]
    var edges: [[String]: UInt64] = [:]
    for (labels, count) in counters("weft_upstream_requests_total", metrics) where labels.count == 2 {
      guard let added = added("edge", labels, count, &now) else { continue }
      edges[[Self.service(labels[0]), labels[1]], default: 0] += added
    }
    for (i, (key, count)) in edges.sorted(by: { $0.value > $1.value }).enumerated() {
      report.edges.append(
        .with {
          $0.source = source
          $0.destination = i < Self.edgeLimit - 1 ? key[0] : "other"
          $0.code = Self.code(key[1])
          $0.requests = count
        })
      if report.edges.count >= Self.edgeLimit { break }
    }
    var filters: [String: (errors: UInt64, denied: UInt64)] = [:]
    for (labels, count) in counters("weft_filter_errors_total", metrics) {
      guard let name = labels.first, let added = added("errors", labels, count, &now) else { continue }
      filters[name, default: (0, 0)].errors += added
    }
    for (labels, count) in counters("weft_filter_responses_total", metrics) {
      guard let name = labels.first, let added = added("denied", labels, count, &now) else { continue }
      filters[name, default: (0, 0)].denied += added
    }
    for (name, counts) in filters.sorted(by: { $0.key < $1.key }).prefix(Self.filterLimit) {
      report.filters.append(
        .with {
          $0.filter = name
          $0.errors = counts.errors
          $0.denied = counts.denied
        })
    }
    before = now
    return report
  }

  private func counters(_ name: String, _ metrics: MetricsSnapshot) -> [([String], UInt64)] {
    (metrics.family(name)?.series ?? []).compactMap { series in
      if case .counter(let count) = series.value { (series.labels, count) } else { nil }
    }
  }

  private func added(_ what: String, _ labels: [String], _ count: UInt64, _ now: inout [String: UInt64]) -> UInt64? {
    let key = ([what] + labels).joined(separator: "\u{1f}")
    now[key] = count
    let last = before[key] ?? 0
    // A series that has begun anew counts from zero.
    let added = count >= last ? count - last : count
    return added > 0 ? added : nil
  }

  /// `default/reviews:80` is port 80 of default/reviews.
  private static func service(_ name: String) -> String { String(name.prefix { $0 != ":" }) }

  /// `2xx` as 200.
  private static func code(_ text: String) -> UInt32 {
    UInt32(text) ?? text.first.flatMap { $0.wholeNumberValue }.map { UInt32($0) * 100 } ?? 0
  }
}
