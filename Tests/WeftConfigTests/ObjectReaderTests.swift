import Testing

@testable import WeftConfig

@Suite struct ObjectReaderTests {
  enum Mode: String, CaseIterable {
    case first, second
    case lastOne = "last-one"
  }

  struct Sample {
    var name = ""
    var port = 0
    var timeout = ConfigDuration.zero
    var limit = 0
    var mode = Mode.first
    var codes: [Int] = []
    var inner: [String] = []

    init(_ node: ConfigNode) throws {
      let reader = try ObjectReader(node)
      name = reader.string("name", .dnsLabel)
      port = reader.int("port", in: 1...65535)
      timeout = reader.duration("timeout", default: .seconds(10))
      limit = reader.bytes("limit", in: 1...(1 << 20), default: 4096)
      mode = reader.enumeration("mode", default: .second)
      codes = reader.list("codes", count: 0...3) { try $0.int(in: 400...599) }
      inner = reader.objects("inner") { $0.string("value") }
      try reader.finish()
    }
  }

  /// The errors that decoding `yaml` gives, one line each.
  func problems(_ yaml: String) -> [String] {
    do {
      _ = try Sample(ConfigNode(yaml: yaml, file: "a.yaml"))
      return []
    } catch let error as ConfigError {
      return error.diagnostics.map(\.description)
    } catch {
      return ["unexpected: \(error)"]
    }
  }

  @Test func readsEveryKindOfField() throws {
    let sample = try Sample(
      ConfigNode(
        yaml: """
          name: web
          port: 0x50
          timeout: 1h30m
          limit: 64KiB
          mode: last-one
          codes: [500, 503]
          inner:
          - value: "5"
          - {value: yes}
          """))
    #expect(sample.name == "web")
    #expect(sample.port == 80)
    #expect(sample.timeout == .seconds(5400))
    #expect(sample.limit == 65536)
    #expect(sample.mode == .lastOne)
    #expect(sample.codes == [500, 503])
    #expect(sample.inner == ["5", "yes"])
  }

  @Test func nullCountsAsAbsent() throws {
    let sample = try Sample(ConfigNode(yaml: "{name: web, port: 1, timeout: null, mode: ~, codes: }"))
    #expect(sample.timeout == .seconds(10))
    #expect(sample.mode == .second)
  }

  @Test func reportsEveryMistakeAtOnce() {
    let yaml = """
      name: Web
      prot: 80
      timeout: 5
      limit: 2MiB
      mode: frist
      codes: [200, x]
      inner:
      - valeu: a
      - text
      """
    #expect(
      problems(yaml) == [
        """
        a.yaml:1: name: "Web" is not allowed; use up to 63 lower-case letters, digits and "-", with a letter or digit \
        at both ends
        """,
        "a.yaml:1: port: is missing; it must be given",
        "a.yaml:3: timeout: expected a duration, not the number 5; add a unit, such as 5s",
        "a.yaml:4: limit: 2MiB is out of range; allowed are 1 to 1MiB",
        "a.yaml:5: mode: unknown value \"frist\"; did you mean \"first\"?",
        "a.yaml:6: codes[0]: 200 is out of range; allowed are 400 to 599",
        "a.yaml:6: codes[1]: expected a whole number from 400 to 599, not the string \"x\"",
        "a.yaml:8: inner[0].value: is missing; it must be given",
        "a.yaml:9: inner[1]: expected an object with fields, not the string \"text\"",
        "a.yaml:8: inner[0].valeu: unknown field \"valeu\"; did you mean \"value\"?",
        "a.yaml:2: prot: unknown field \"prot\"; did you mean \"port\"?",
      ])
  }

  @Test(arguments: [
    ("{name: 5, port: 1}", "name: expected a string, not the number 5; write \"5\" in quotes"),
    ("{name: true, port: 1}", "name: expected a string, not the boolean true; write \"true\" in quotes"),
    ("{name: [], port: 1}", "name: expected a string, not a list"),
    (
      "{name: a, port: \"1\"}",
      "port: expected a whole number from 1 to 65535, not the string \"1\"; write it without quotes"
    ),
    ("{name: a, port: 1.5}", "port: expected a whole number from 1 to 65535, not the number 1.5"),
    (
      "{name: a, port: 99999999999999999999}",
      "port: 99999999999999999999 is out of range; allowed are 1 to 65535"
    ),
    ("{name: a, port: 1, codes: {a: 1}}", "codes: expected a list, not an object; begin each element with \"- \""),
    ("{name: a, port: 1, codes: [400, 400, 400, 400]}", "codes: has 4 elements; at most 3 are allowed"),
    (
      "{name: a, port: 1, limit: 1XB}",
      "limit: expected a size such as 65536, 64KiB or 1MB, not the string \"1XB\""
    ),
    (
      "{name: a, port: 1, timeout: 1.5s}",
      """
      timeout: expected a duration such as 10s, 500ms or 1h30m, not the string "1.5s": up to four whole numbers, each \
      with h, m, s or ms
      """
    ),
    (
      "{name: a, port: 1, whatsoever: 1}",
      "whatsoever: unknown field \"whatsoever\"; known here are name, port, timeout, limit, mode, codes, inner"
    ),
    ("[a]", "expected an object with fields, not a list"),
  ])
  func saysWhatToDo(yaml: String, message: String) {
    #expect(problems(yaml) == ["a.yaml:1: \(message)"])
  }

  @Test func missingObjectsAreReportedOnce() throws {
    let node = try ConfigNode(yaml: "a: {}", file: "a.yaml")
    let reader = try ObjectReader(node)
    let inner = reader.object("spec").object("more")
    #expect(inner.string("name") == "")
    reader.ignore("a")
    let error = #expect(throws: ConfigError.self) { try reader.finish() }
    #expect(error?.description == "a.yaml:1: spec: is missing; it must be given")
  }

  @Test func exclusiveFields() throws {
    let node = try ConfigNode(yaml: "{a: 1, b: 2}", file: "a.yaml")
    let error = #expect(throws: ConfigError.self) {
      try ObjectReader.decode(node) { reader in
        reader.atMostOne(of: "a", "b")
        reader.exactlyOne(of: "c", "d")
      }
    }
    #expect(
      error?.diagnostics.map(\.description) == [
        "a.yaml:1: b: cannot stand together with \"a\"; keep one of them",
        "a.yaml:1: needs one of the fields \"c\", \"d\"",
      ])
  }

  @Test func whatIsNotReadAfterAnErrorIsNotUnknown() throws {
    let node = try ConfigNode(
      yaml: "{a: 1, b: 2, parts: [{c: 3, d: 4}], part: {e: 5, f: 6}, other: {g: 7}}", file: "a.yaml")
    let error = #expect(throws: ConfigError.self) {
      try ObjectReader.decode(node) { reader in
        reader.ignore("a")
        _ = reader.objects("parts") { throw $0.node.error("a part that cannot be") }
        let _: Int? = reader.optionalObject("part") { throw $0.node.error("another that cannot be") }
        // Read to its end, unlike the rest.
        _ = reader.optionalObject("other")?.string("h", default: "")
        throw node.error("all of it cannot be")
      }
    }
    #expect(
      error?.diagnostics.map(\.description) == [
        "a.yaml:1: parts[0]: a part that cannot be", "a.yaml:1: part: another that cannot be",
        "a.yaml:1: all of it cannot be", "a.yaml:1: other.g: unknown field \"g\"; did you mean \"h\"?",
      ])
  }

  @Test func warningsDoNotThrow() throws {
    let node = try ConfigNode(yaml: "{old: 1}", file: "a.yaml")
    let reader = try ObjectReader(node)
    reader.warn("old", "is no longer used")
    #expect(reader.rest().map(\.key) == ["old"])
    #expect(try reader.finish().map(\.description) == ["a.yaml:1: warning: old: is no longer used"])
  }

  @Test func recordsTheFieldsAskedFor() throws {
    let recorder = ConfigFieldRecorder()
    try recorder.record { _ = try Sample(ConfigNode(yaml: "{name: a, port: 1}")) }
    #expect(recorder.fields == ["codes", "inner", "limit", "mode", "name", "port", "timeout"])
    #expect(recorder.unvisited == ["inner"])
    try recorder.record { _ = try Sample(ConfigNode(yaml: "{name: a, port: 1, inner: [{value: b}]}")) }
    #expect(recorder.fields.contains("inner[].value"))
    #expect(recorder.unvisited.isEmpty)
  }

  @Test func diagnosticsAsJSON() {
    let path = FieldPath.root.appending("metadata").appending("a.b/c").appending(2)
    let diagnostic = Diagnostic(at: SourceLocation(file: "a\".yaml", line: 3, column: 7), path: path, "bad\n")
    #expect(
      diagnostic.json == #"""
        {"severity":"error","file":"a\".yaml","line":3,"column":7,"path":"metadata[\"a.b/c\"][2]","message":"bad\n"}
        """#)
  }
}
