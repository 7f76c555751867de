import Testing

@testable import WeftConfig

/// Holds docs/configuration.md against the code, in both directions.
@Suite struct DocumentationTests {
  static let document =
    #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/docs/configuration.md"

  /// The sections of the reference by heading, each with the fields that its tables list.
  static func documentedFields() throws -> [String: Set<String>] {
    let text = String(decoding: try ConfigFile.read(document).content, as: UTF8.self)
    var sections: [String: Set<String>] = [:]
    var heading = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("## ") { heading = String(line.dropFirst(3)) }
      guard line.hasPrefix("| `") else { continue }
      let name = line.dropFirst(3).prefix { $0 != "`" }
      sections[heading, default: []].insert(String(name))
    }
    return sections
  }

  /// Every field that the readers ask for when they decode the corpus's file with everything in it, by kind.
  static func knownFields() throws -> [String: ConfigFieldRecorder] {
    let text = try #require(Corpus.files.first { $0.name == "everything.yaml" }).text
    let roots = ConfigDocuments(parsing: text, file: "everything.yaml").roots
    var recorders: [String: ConfigFieldRecorder] = [:]
    for root in roots {
      let kind = try #require(root["kind"]?.stringValue)
      let group = try #require(root["apiVersion"]?.stringValue)
      let recorder = recorders[group.hasPrefix("weft.dev") ? "weft.dev \(kind)" : kind] ?? ConfigFieldRecorder()
      recorders[group.hasPrefix("weft.dev") ? "weft.dev \(kind)" : kind] = recorder
      var decoder = ResourceDecoder()
      recorder.record { decoder.add(root) }
      #expect(!decoder.diagnostics.hasErrors, "\(decoder.diagnostics.all)")
    }
    return recorders
  }

  /// Objects whose fields are documented once, at another place.
  static let alike = [
    ("spec.rules[].backendRefs[].filters[].", "spec.rules[].filters[]."),
    (".responseHeaderModifier", ".requestHeaderModifier"),
    (".urlRewrite.path", ".requestRedirect.path"),
    ("spec.tls.frontend.perPort[].tls", "spec.tls.frontend.default"),
  ]

  static func documentedName(_ field: String) -> String {
    alike.reduce(field) { $0.replacing($1.0, with: $1.1) }
  }

  @Test func everyFieldIsDocumentedAndNoOther() throws {
    let documented = try DocumentationTests.documentedFields()
    let common = try #require(documented["Every resource"])
    for (kind, recorder) in try DocumentationTests.knownFields().sorted(by: { $0.key < $1.key }) {
      let known = Set(recorder.fields.map(DocumentationTests.documentedName))
      let section = documented[kind] ?? []
      let fields = known.filter { $0 != "metadata" && $0 != "spec" && !$0.hasPrefix("metadata.") }
      // An object without a line of its own is documented by those of its fields.
      let missing = fields.filter { field in
        !section.contains(field) && !section.contains { $0.hasPrefix("\(field).") || $0.hasPrefix("\(field)[]") }
      }
      #expect(missing.sorted() == [], "not documented under \(kind)")
      #expect(section.subtracting(fields).sorted() == [], "documented under \(kind), and not known to the code")
      #expect(known.filter { $0.hasPrefix("metadata.") } == common)
    }
  }

  @Test func theCorpusVisitsEveryField() throws {
    for (kind, recorder) in try DocumentationTests.knownFields() {
      #expect(recorder.unvisited.filter { !$0.hasPrefix("spec.rules[].backendRefs[].filters[].") } == [], "\(kind)")
    }
  }

  /// The examples between fences load without any diagnostic, those with an apiVersion at least.
  @Test func examplesLoad() throws {
    let text = String(decoding: try ConfigFile.read(DocumentationTests.document).content, as: UTF8.self)
    var example: String?
    var count = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```yaml" {
        example = ""
      } else if line == "```", let yaml = example {
        example = nil
        guard yaml.hasPrefix("apiVersion:") else { continue }
        count += 1
        let errors = ConfigLoader.load(text: yaml).diagnostics.filter { $0.severity == .error }
        #expect(errors.map(\.description) == [], "\(yaml)")
      } else if example != nil {
        example?.append("\(line)\n")
      }
    }
    #expect(count > 5)
  }
}
