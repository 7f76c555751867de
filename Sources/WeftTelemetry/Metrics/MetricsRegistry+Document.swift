extension MetricsRegistry {
  /// What docs/metrics.md and the registered families do not agree on, a sentence each; for tests.
  /// - Parameter document: the page's text, whose tables hold `MetricDescriptor.documentationRow`s.
  package func differences(fromDocument document: String) -> [String] {
    let rows = Set(document.split(separator: "\n").map(String.init))
    let families = families
    var differences: [String] = []
    for family in families where !rows.contains(family.documentationRow) {
      differences.append("the page lacks: \(family.documentationRow)")
    }
    let names = Set(families.map(\.name))
    for row in rows.sorted() where row.hasPrefix("| `weft_") || row.hasPrefix("| `process_") {
      let name = row.dropFirst(3).prefix { $0 != "`" }
      if !names.contains(String(name)) { differences.append("nobody registers: \(name)") }
    }
    return differences
  }
}
