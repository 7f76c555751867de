extension MetricsSnapshot {
  /// Appends the snapshot as one JSON object, in base units, for people and scripts: a member a family, each with its
  /// type, help and series; a histogram's series gives count, sum, estimated quantiles and its buckets (not cumulative).
  ///
  ///     {"weft_x_total":{"type":"counter","help":"...","series":[{"labels":{"route":"a"},"value":3}]}}
  public func renderJSON(into out: inout [UInt8]) {
    out.append(UInt8(ascii: "{"))
    for (i, family) in families.enumerated() {
      if i > 0 { out.append(UInt8(ascii: ",")) }
      let d = family.descriptor
      JSONText.append(d.name, &out)
      out.append(contentsOf: ":{\"type\":\"\(d.kind.rawValue)\",\"help\":".utf8)
      JSONText.append(d.help, &out)
      out.append(contentsOf: ",\"series\":[".utf8)
      for (j, series) in family.series.enumerated() {
        if j > 0 { out.append(UInt8(ascii: ",")) }
        append(series, d, &out)
      }
      out.append(contentsOf: "]}".utf8)
    }
    out.append(UInt8(ascii: "}"))
  }

  private func append(_ series: Series, _ d: MetricDescriptor, _ out: inout [UInt8]) {
    out.append(contentsOf: "{\"labels\":{".utf8)
    for (i, (name, value)) in zip(d.labelNames, series.labels).enumerated() {
      if i > 0 { out.append(UInt8(ascii: ",")) }
      JSONText.append(name, &out)
      out.append(UInt8(ascii: ":"))
      JSONText.append(value, &out)
    }
    out.append(UInt8(ascii: "}"))
    switch series.value {
    case .counter(let n): out.append(contentsOf: ",\"value\":\(PrometheusText.number(n, d.unit))".utf8)
    case .gauge(let n):
      out.append(contentsOf: ",\"value\":\(n < 0 ? "-" : "")\(PrometheusText.number(n.magnitude, d.unit))".utf8)
    case .collected(let x):
      out.append(contentsOf: ",\"value\":\(x.isFinite ? PrometheusText.number(x) : "null")".utf8)
    case .histogram(let h): append(h, d.unit, &out)
    }
    out.append(UInt8(ascii: "}"))
  }

  private func append(_ h: HistogramValue, _ unit: MetricUnit, _ out: inout [UInt8]) {
    out.append(contentsOf: ",\"count\":\(h.count),\"sum\":\(PrometheusText.number(h.sum, unit))".utf8)
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
      let estimate = h.quantile(q).map { PrometheusText.number(UInt64($0), unit) }
      out.append(contentsOf: ",\"\(name)\":\(estimate ?? "null")".utf8)
    }
    out.append(contentsOf: ",\"buckets\":[".utf8)
    for (i, n) in h.counts.enumerated() {
      let bound = i < h.bounds.count ? PrometheusText.number(h.bounds[i], unit) : "\"+Inf\""
      out.append(contentsOf: "\(i > 0 ? "," : ""){\"le\":\(bound),\"count\":\(n)}".utf8)
    }
    out.append(UInt8(ascii: "]"))
  }
}

/// JSON strings from text of our own, which is valid UTF-8. `LogText` writes those from foreign bytes.
enum JSONText {
  static func append(_ text: String, _ out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for c in text.utf8 {
      switch c {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        out.append(UInt8(ascii: "\\"))
        out.append(c)
      case 0..<0x20:
        let hex = String(c, radix: 16)
        out.append(contentsOf: (c < 0x10 ? "\\u000" : "\\u00").utf8)
        out.append(contentsOf: hex.utf8)
      default: out.append(c)
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}
