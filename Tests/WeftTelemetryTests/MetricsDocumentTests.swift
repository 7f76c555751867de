import Foundation
import Testing

@testable import WeftTelemetry

/// docs/metrics.md says what the code registers.
@Suite struct MetricsDocumentTests {
  let document: String

  init() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/metrics.md")
    document = try String(contentsOf: path, encoding: .utf8)
  }

  /// The other direction is for a test that has the whole proxy's registry.
  @Test func everyFamilyStandsInTheDocument() throws {
    let registry = MetricsRegistry()
    try ProcessMetrics.register(in: registry, version: "1.2.3")
    try LogWriter().register(in: registry)
    #expect(registry.families.count > 12)
    #expect(registry.differences(fromDocument: document).filter { $0.hasPrefix("the page lacks") } == [])
  }

  @Test func differencesAreFoundBothWays() throws {
    let registry = MetricsRegistry()
    _ = try registry.counter("weft_t_known_total", help: "Known.", labels: ["a"])
    let overflow = MetricsRegistry.overflowFamily.documentationRow
    let known = "| `weft_t_known_total` | counter | `a` | Known. |"
    #expect(registry.differences(fromDocument: "\(overflow)\n\(known)") == [])
    #expect(registry.differences(fromDocument: overflow) == ["the page lacks: \(known)"])
    #expect(
      registry.differences(fromDocument: "\(overflow)\n\(known)\n| `weft_t_gone` | gauge | | Gone. |")
        == ["nobody registers: weft_t_gone"])
  }

  /// Rows for families that other targets register obey the naming rules as well.
  @Test func everyRowObeysTheNamingRules() throws {
    var rows = 0
    for row in document.split(separator: "\n").map(String.init)
    where row.hasPrefix("| `weft_") || row.hasPrefix("| `process_") {
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
