/// Prometheus' data model and naming rules, held at registration, so that what `promtool check metrics` would complain
/// about never reaches a scrape.
enum MetricNaming {
  static let maxBuckets = 32
  static let maxLabels = 8

  private static let wrongUnits = [
    "milliseconds", "microseconds", "nanoseconds", "ms", "minutes", "hours", "days", "kilobytes", "megabytes",
    "gigabytes", "kb", "mb", "bits", "percent", "celcius", "fahrenheit",
  ]

  static func check(_ d: MetricDescriptor) throws(MetricError) {
    func refuse(_ reason: String) throws(MetricError) { throw MetricError(metric: d.name, reason: reason) }

    if !isName(d.name) { try refuse("a name is letters, digits and underscores, and starts with a letter") }
    if d.name.utf8.contains(where: { $0 >= 0x41 && $0 <= 0x5a }) { try refuse("names are in lower case") }
    if d.help.isEmpty { try refuse("it has no help text") }

    let words = d.name.split(separator: "_", omittingEmptySubsequences: false)
    for word in words where wrongUnits.contains(String(word)) {
      try refuse("'\(word)' is not a base unit: use seconds, bytes or a ratio")
    }
    for kind in MetricKind.allCases where words.contains(where: { $0 == kind.rawValue }) {
      try refuse("a name does not say its type '\(kind.rawValue)'")
    }
    if (d.kind == .counter) != (words.last == "total") { try refuse("counters, and only counters, end in _total") }
    if let last = words.last, ["count", "sum", "bucket"].contains(last) {
      try refuse("_\(last) is a suffix that a histogram's series use")
    }
    let unitWord = d.kind == .counter ? words.dropLast().last : words.last
    switch d.unit {
    case .count:
      if unitWord == "bytes" || unitWord == "seconds" {
        try refuse("its name says \(unitWord ?? ""), its unit does not")
      }
    case .bytes: if unitWord != "bytes" { try refuse("its unit is bytes, which its name must say") }
    case .nanoseconds: if unitWord != "seconds" { try refuse("its unit is seconds, which its name must say") }
    }

    if d.labelNames.count > maxLabels { try refuse("more than \(maxLabels) labels") }
    if Set(d.labelNames).count != d.labelNames.count { try refuse("a label stands twice") }
    for label in d.labelNames {
      if !isName(label) || label.hasPrefix("__") { try refuse("'\(label)' is no label name") }
      if d.kind == .histogram && label == "le" { try refuse("the label 'le' is the histogram's own") }
    }

    if d.kind == .histogram {
      if d.buckets.isEmpty || d.buckets.count > maxBuckets { try refuse("a histogram has 1 to \(maxBuckets) buckets") }
      for (a, b) in zip(d.buckets, d.buckets.dropFirst()) where a >= b { try refuse("bucket bounds must ascend") }
      if let last = d.buckets.last, last > 1 << 62 { try refuse("a bound is at most 2^62; +Inf is implied") }
    } else if !d.buckets.isEmpty {
      try refuse("only a histogram has buckets")
    }
  }

  /// `[a-zA-Z_][a-zA-Z0-9_]*`: colons are left to recording rules.
  static func isName(_ s: String) -> Bool {
    var first = true
    for c in s.utf8 {
      let letter = (c | 0x20) &- 0x61 < 26 || c == 0x5f
      let digit = c &- 0x30 < 10
      if !letter && (first || !digit) { return false }
      first = false
    }
    return !first && s.utf8.count <= 200
  }
}
