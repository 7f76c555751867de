import Foundation
import Testing
import WeftTelemetry

/// docs/metrics.md says what the code registers.
@Suite struct MetricsDocumentTests {
  let document: Set<String>

  init() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/metrics.md")
    document = Set(try String(contentsOf: path, encoding: .utf8).split(separator: "\n").map(String.init))
  }

  @Test func everyFamilyStandsInTheDocument() throws {
    let registry = MetricsRegistry()
    try ProcessMetrics.register(in: registry, version: "1.2.3")
    try LogWriter().register(in: registry)
    #expect(registry.families.count > 12)
    for family in registry.families {
      #expect(document.contains(family.documentationRow), "docs/metrics.md lacks: \(family.documentationRow)")
    }
  }

  /// Rows for families that other targets register obey the naming rules as well.
  @Test func everyRowObeysTheNamingRules() throws {
    var rows = 0
    for row in document where row.hasPrefix("| `weft_") || row.hasPrefix("| `process_") {
      let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      let kind = try #require(MetricKind(rawValue: cells[1]), "\(row)")
      let name = cells[0].trimmingCharacters(in: ["`"])
      let labels = cells[2].split(separator: ",").map { $0.trimmingCharacters(in: ["`", " "]) }
      let unit: MetricUnit = name.contains("_bytes") ? .bytes : name.contains("_seconds") ? .nanoseconds : .count
      let descriptor = try MetricDescriptor(
        kind, name: name, help: cells[3], unit: unit, labels: labels, buckets: kind == .histogram ? [1] : [])
      #expect(descriptor.documentationRow == row)
      rows += 1
    }
    #expect(rows > 50)
  }
}
