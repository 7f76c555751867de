import Foundation
import Testing
import WeftConfig
import WeftFilter
import WeftFilters
import WeftTelemetry

/// docs/filters says what the filters read and count.
@Suite struct FilterDocumentsTests {
  static let registry: FilterRegistry = {
    var registry = FilterRegistry()
    BuiltInFilters.register(into: &registry)
    return registry
  }()

  static let docs = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("docs")

  /// The `config` of each Filter of that type in the page's YAML.
  private func examples(_ page: String, type: String) throws -> [ConfigNode] {
    var examples: [ConfigNode] = []
    for block in page.components(separatedBy: "```yaml\n").dropFirst() {
      let yaml = block.components(separatedBy: "```")[0]
      let documents = ConfigDocuments(parsing: yaml, file: "\(type).md")
      #expect(documents.diagnostics.isEmpty)
      for root in documents.roots where root["spec"]?["type"]?.stringValue == type {
        let config = try #require(root["spec"]?["config"])
        // A document of its own, so that field paths begin at the configuration.
        examples.append(try ConfigNode(yaml: config.json))
      }
    }
    return examples
  }

  @Test(arguments: registry.names) func everyFieldStandsInThePage(type: String) throws {
    let page = try String(
      contentsOf: Self.docs.appendingPathComponent("filters/\(type).md"), encoding: .utf8)
    let filter = try #require(Self.registry.type(named: type))
    let examples = try examples(page, type: type)
    #expect(!examples.isEmpty)
    let recorder = ConfigFieldRecorder()
    let context = FilterTypeContext(name: type, metrics: MetricsRegistry(), logger: FilterBench().worker.logger)
    try recorder.record {
      for example in examples { _ = try Self.registry.decode(type: filter, config: example, context: context) }
    }
    #expect(recorder.unvisited == [], "the page's examples leave these out")
    let rows = page.split(separator: "\n").filter { $0.hasPrefix("| `") }
    let documented = Set(rows.compactMap { $0.split(separator: "`").dropFirst().first.map(String.init) })
    for field in recorder.fields {
      #expect(documented.contains(field), "docs/filters/\(type).md has no row for \(field)")
    }
    let fieldTable = page.components(separatedBy: "## Fields")[1].components(separatedBy: "\n## ")[0]
    for row in fieldTable.split(separator: "\n") where row.hasPrefix("| `") {
      let field = String(row.split(separator: "`")[1])
      #expect(recorder.fields.contains(field), "docs/filters/\(type).md has a row for \(field), which nobody reads")
    }
  }

  @Test func theIndexNamesEveryPage() throws {
    let index = try String(contentsOf: Self.docs.appendingPathComponent("filters/README.md"), encoding: .utf8)
    for type in Self.registry.names { #expect(index.contains("| [\(type)](\(type).md) |")) }
  }

  @Test func everyMetricStandsInTheList() throws {
    let list = try String(contentsOf: Self.docs.appendingPathComponent("metrics.md"), encoding: .utf8)
    let rows = Set(list.split(separator: "\n").map(String.init))
    let bench = FilterBench()
    for type in Self.registry.names {
      let page = try String(contentsOf: Self.docs.appendingPathComponent("filters/\(type).md"), encoding: .utf8)
      let filter = try #require(Self.registry.type(named: type))
      for example in try examples(page, type: type) {
        _ = try Self.registry.decode(type: filter, config: example, context: bench.context(type))
      }
    }
    for family in bench.metrics.families where family.name.hasPrefix("weft_filter_") {
      #expect(rows.contains(family.documentationRow), "docs/metrics.md lacks: \(family.documentationRow)")
    }
  }
}
