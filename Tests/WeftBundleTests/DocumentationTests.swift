import Testing
import WeftConfig

@testable import WeftBundle

/// Holds docs/bundles.md and docs/bundle.schema.json against the code.
@Suite struct DocumentationTests {
  private static let docs = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/docs"

  private static func text(_ name: String) throws -> [UInt8] {
    try BundleFile.read("\(docs)/\(name)", limit: 1 << 20)
  }

  private static func fences(_ language: String, of text: String) -> [String] {
    text.components(after: "```\(language)\n").map {
      String($0.prefix(upTo: $0.range(of: "```")?.lowerBound ?? $0.endIndex))
    }
  }

  /// The fields that the readers ask for.
  private static func fields() throws -> Set<String> {
    let node = try ConfigNode(
      yaml: """
        name: a
        version: 1.0.0
        limits: {}
        settings:
          type: object
          properties: {a: {type: string}, b: {type: integer}, c: {type: array, items: {type: string}}}
        shared: {counts: 1MiB}
        """)
    let recorder = ConfigFieldRecorder()
    _ = try recorder.record { try BundleManifest(node) }
    return Set(recorder.fields)
  }

  @Test func everyFieldIsDocumentedAndNoOther() throws {
    let lines = String(decoding: try Self.text("bundles.md"), as: UTF8.self).split(separator: "\n")
    var section = ""
    var documented: Set<String> = []
    var keywords: Set<String> = []
    for line in lines {
      if line.hasPrefix("## ") { section = String(line.dropFirst(3)) }
      guard line.hasPrefix("| `") else { continue }
      let cell = line.dropFirst(2).prefix { $0 != "|" }
      let names = cell.split(separator: ",").map { $0.filter { $0 != "`" && $0 != " " } }
      if section == "The manifest" { documented.formUnion(names) }
      if section == "Settings" { keywords.formUnion(names) }
    }
    let fields = try Self.fields()
    let own = fields.filter { !$0.hasPrefix("settings.") && $0 != "limits" }
    #expect(documented == own)
    let known = fields.filter { $0.hasPrefix("settings.") }.compactMap {
      $0.split(separator: ".").last.map(String.init)
    }
    #expect(keywords == Set(known).subtracting(["a", "b", "c"]))
  }

  @Test func theSchemaForEditorsHasTheSameFields() throws {
    let documents = ConfigDocuments(parsing: try Self.text("bundle.schema.json"), file: "bundle.schema.json")
    let root = try #require(documents.roots.first)
    func names(_ node: ConfigNode?) -> Set<String> { Set(node?["properties"]?.entries.map(\.key) ?? []) }
    let fields = try Self.fields()
    #expect(names(root) == Set(fields.map { String($0.prefix { $0 != "." }) }))
    let limits = fields.filter { $0.hasPrefix("limits.") }.map { String($0.dropFirst("limits.".count)) }
    #expect(names(root["properties"]?["limits"]) == Set(limits))
    let keywords = fields.filter { $0.hasPrefix("settings.") }.compactMap {
      $0.split(separator: ".").last.map(String.init)
    }
    #expect(names(root["$defs"]?["schema"]) == Set(keywords).subtracting(["a", "b", "c"]))
  }

  @Test func theExampleIsAManifest() throws {
    let text = String(decoding: try Self.text("bundles.md"), as: UTF8.self)
    let manifests = Self.fences("yaml", of: text).filter { $0.hasPrefix("name:") }
    #expect(manifests.count == 1)
    for manifest in manifests { _ = try BundleManifest(ConfigNode(yaml: manifest)) }
  }
}

extension String {
  fileprivate func components(after separator: String) -> [Substring] {
    ranges(of: separator).map { self[$0.upperBound...] }
  }
}
