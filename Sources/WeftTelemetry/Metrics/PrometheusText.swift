/// The exposition formats that a scrape may ask for.
public enum MetricsFormat: Sendable {
  /// Prometheus text format 0.0.4.
  case prometheus
  /// OpenMetrics text format 1.0.0.
  case openMetrics

  /// The Content-Type header's value.
  public var contentType: String {
    switch self {
    case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
    case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
    }
  }

  /// The format for an Accept header: OpenMetrics when it is named and not ranked below plain text, else Prometheus.
  public init(accept: String) {
    var openMetrics = 0.0
    var text = 0.0
    for range in accept.prefix(4096).split(separator: ",").prefix(64) {
      let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      let quality = parts.first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      switch parts.first {
      case "application/openmetrics-text": openMetrics = max(openMetrics, quality)
      case "text/plain": text = max(text, quality)
      default: break
      }
    }
    self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .prometheus
  }
}

extension MetricsRegistry {
  /// Appends a scrape's answer to `out`.
  public func render(into out: inout [UInt8], format: MetricsFormat = .prometheus) {
    snapshot().render(into: &out, format: format)
  }
}

extension MetricsSnapshot {
  /// Appends this snapshot in an exposition format.
  public func render(into out: inout [UInt8], format: MetricsFormat = .prometheus) {
    for family in families { PrometheusText.append(family, format, &out) }
    if format == .openMetrics { out.append(contentsOf: "# EOF\n".utf8) }
  }
}

/// Writes families as text.
enum PrometheusText {
  static func append(_ family: MetricsSnapshot.Family, _ format: MetricsFormat, _ out: inout [UInt8]) {
    let d = family.descriptor
    // OpenMetrics names a counter's family without the suffix that its samples carry.
    let base = format == .openMetrics && d.kind == .counter ? String(d.name.dropLast("_total".count)) : d.name
    out.append(contentsOf: "# HELP \(base) ".utf8)
    appendEscaped(d.help, quotes: format == .openMetrics, &out)
    out.append(contentsOf: "\n# TYPE \(base) \(d.kind.rawValue)\n".utf8)
    if format == .openMetrics {
      switch d.unit {
      case .count: break
      case .bytes: out.append(contentsOf: "# UNIT \(base) bytes\n".utf8)
      case .nanoseconds: out.append(contentsOf: "# UNIT \(base) seconds\n".utf8)
      }
    }
    for series in family.series {
      switch series.value {
      case .counter(let n): sample(d.name, series.labelText, number(n, d.unit), &out)
      case .gauge(let n):
        let magnitude = number(n.magnitude, d.unit)
        sample(d.name, series.labelText, n < 0 ? "-" + magnitude : magnitude, &out)
      case .collected(let x): sample(d.name, series.labelText, number(x), &out)
      case .histogram(let h): append(h, d, series.labelText, &out)
      }
    }
  }

  private static func append(
    _ h: MetricsSnapshot.HistogramValue, _ d: MetricDescriptor, _ labels: [UInt8], _ out: inout [UInt8]
  ) {
    var running: UInt64 = 0
    for (i, n) in h.counts.enumerated() {
      running &+= n
      out.append(contentsOf: d.name.utf8)
      out.append(contentsOf: "_bucket{".utf8)
      if !labels.isEmpty {
        out.append(contentsOf: labels)
        out.append(UInt8(ascii: ","))
      }
      let bound = i < h.bounds.count ? canonical(number(h.bounds[i], d.unit)) : "+Inf"
      out.append(contentsOf: "le=\"\(bound)\"} \(running)\n".utf8)
    }
    sample(d.name + "_sum", labels, number(h.sum, d.unit), &out)
    sample(d.name + "_count", labels, String(running), &out)
  }

  private static func sample(_ name: String, _ labels: [UInt8], _ value: String, _ out: inout [UInt8]) {
    out.append(contentsOf: name.utf8)
    if !labels.isEmpty {
      out.append(UInt8(ascii: "{"))
      out.append(contentsOf: labels)
      out.append(UInt8(ascii: "}"))
    }
    out.append(UInt8(ascii: " "))
    out.append(contentsOf: value.utf8)
    out.append(UInt8(ascii: "\n"))
  }

  /// A cell's value in the base unit, exact.
  static func number(_ n: UInt64, _ unit: MetricUnit) -> String {
    guard unit == .nanoseconds else { return String(n) }
    let (whole, rest) = n.quotientAndRemainder(dividingBy: 1_000_000_000)
    if rest == 0 { return String(whole) }
    var digits = Array(String(rest).utf8)
    digits.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: 9 - digits.count), at: 0)
    while digits.last == UInt8(ascii: "0") { digits.removeLast() }
    return "\(whole)." + String(decoding: digits, as: UTF8.self)
  }

  static func number(_ x: Double) -> String {
    if x.isNaN { return "NaN" }
    if x.isInfinite { return x < 0 ? "-Inf" : "+Inf" }
    if x.rounded() == x && x.magnitude < 9_007_199_254_740_992 { return String(Int64(x)) }
    return x.description
  }

  /// OpenMetrics writes a bucket's bound as a float in any case; the same text in both formats keeps a series' identity
  /// when a server changes the format that it asks for.
  private static func canonical(_ number: String) -> String { number.utf8.contains(0x2e) ? number : number + ".0" }

  /// `name="value",...`, escaped.
  static func labels(_ names: [String], _ values: [String]) -> [UInt8] {
    var out: [UInt8] = []
    for (name, value) in zip(names, values) {
      if !out.isEmpty { out.append(UInt8(ascii: ",")) }
      out.append(contentsOf: name.utf8)
      out.append(contentsOf: "=\"".utf8)
      appendEscaped(value, quotes: true, &out)
      out.append(UInt8(ascii: "\""))
    }
    return out
  }

  private static func appendEscaped(_ text: String, quotes: Bool, _ out: inout [UInt8]) {
    for c in text.utf8 {
      switch c {
      case UInt8(ascii: "\\"): out.append(contentsOf: "\\\\".utf8)
      case UInt8(ascii: "\n"): out.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\"") where quotes: out.append(contentsOf: "\\\"".utf8)
      default: out.append(c)
      }
    }
  }
}
