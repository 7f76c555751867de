import Testing

@testable import WeftConfig

@Suite struct ConfigDocumentsTests {
  func problems(_ text: String, file: String = "a.yaml") -> [String] {
    ConfigDocuments(parsing: text, file: file).diagnostics.map(\.description)
  }

  @Test func placesAndPaths() throws {
    let documents = ConfigDocuments(
      parsing: """
        # first
        a:
          - b: 1
            c: [x, "y"]
        ---
        ---
        d: {e.f: g}
        """, file: "a.yaml")
    #expect(documents.diagnostics.isEmpty)
    #expect(documents.roots.count == 2)
    let item = try #require(documents.roots[0]["a"]?.items.first?["c"]?.items.last)
    #expect(item.path.description == "a[0].c[1]")
    #expect(item.path.pattern == "a[].c[]")
    #expect(item.location == SourceLocation(file: "a.yaml", line: 4, column: 12))
    #expect(item.stringValue == "y")
    let key = try #require(documents.roots[1]["d"]?.entries.first)
    #expect(key.value.path.description == "d[\"e.f\"]")
    #expect(key.keyLocation == SourceLocation(file: "a.yaml", line: 7, column: 5))
  }

  @Test func equalityIgnoresPlacesAndStyles() throws {
    let plain = try ConfigNode(yaml: "a: [1, x]\nb: true")
    let flow = try ConfigNode(yaml: "\n\n{a: [1, 'x'], \"b\": true}")
    #expect(plain == flow)
    #expect(plain.hashValue == flow.hashValue)
    let other = try ConfigNode(yaml: "a: ['1', x]\nb: true")
    #expect(plain != other)
  }

  @Test(arguments: [
    ("~", ConfigNode.Kind.null), ("null", .null), ("", .null), ("true", .bool), ("False", .bool), ("yes", .string),
    ("on", .string), ("5", .integer), ("-5", .integer), ("+5", .integer), ("0x1F", .integer), ("0o17", .integer),
    ("0x", .string), ("1_000", .string), ("1.5", .float), (".5", .float), ("5.", .float), ("1e3", .float),
    (".inf", .float), ("1e", .string), (".", .string), ("-", .sequence), ("1.2.3", .string), ("10:30", .string),
    ("'5'", .string), ("\"true\"", .string), ("!!str 5", .string), ("!!int '5'", .integer), ("|\n  5", .string),
    ("{}", .mapping), ("[]", .sequence),
  ])
  func kinds(text: String, kind: ConfigNode.Kind) throws {
    let node = try ConfigNode(yaml: "a: \(text == "-" ? "\n- " : text)")
    #expect(node["a"]?.kind == kind)
  }

  @Test func anchorsAndMerges() throws {
    let node = try ConfigNode(
      yaml: """
        base: &base {x: 1, y: 2}
        other: &other {y: 3, z: 4}
        one: {<<: *base, y: 9}
        two:
          <<: [*base, *other]
        list: [*base, *other]
        """)
    #expect(node["one"] == (try ConfigNode(yaml: "{y: 9, x: 1}")))
    #expect(node["two"] == (try ConfigNode(yaml: "{x: 1, y: 2, z: 4}")))
    #expect(node["list"]?.items.last?.path.description == "list[1]")
  }

  @Test(arguments: [
    ("a: 1\na: 2", "a.yaml:2: a: \"a\" is given twice, first at line 1; keep one"),
    (
      "a:\n\tb: 1",
      """
      a.yaml:2: not readable as YAML: found character that cannot start any token while scanning for the next token; \
      indent with spaces, not tabs, and quote values that begin with %, @ or `
      """
    ),
    (
      "a: b: c",
      "a.yaml:1: not readable as YAML: mapping values are not allowed in this context; quote values that contain \": \""
    ),
    ("a: *x", "a.yaml:1: a: no anchor &x is complete before its alias *x in this document"),
    ("a: &x [*x]", "a.yaml:1: a[0]: no anchor &x is complete before its alias *x in this document"),
    ("a: &x 1\n---\na: *x", "a.yaml:3: a: no anchor &x is complete before its alias *x in this document"),
    ("a: !mine 1", "a.yaml:1: a: tag !mine is not supported here; remove it"),
    ("? [a]\n: b", "a.yaml:1: a field name must be plain text"),
    ("a: {<<: 1}", "a.yaml:1: a.<<: only a mapping, or a list of mappings, can be merged"),
    ("a: 1\nb: \u{7}", "a.yaml:2: not readable as YAML: control characters are not allowed"),
  ])
  func badYAML(text: String, message: String) {
    #expect(problems(text) == [message.replacing("a.<<", with: "a[\"<<\"]")])
  }

  @Test func invalidUTF8() {
    let documents = ConfigDocuments(parsing: [0x61, 0x3a, 0x0a, 0xff, 0xfe], file: "a.yaml")
    #expect(documents.diagnostics.map(\.description) == ["a.yaml:2: not readable as YAML: invalid leading UTF-8 octet"])
  }

  @Test func whatCameBeforeASyntaxErrorIsKept() {
    let documents = ConfigDocuments(parsing: "a: 1\n---\nb: [", file: "a.yaml")
    #expect(documents.roots.count == 1)
    #expect(documents.diagnostics.count == 1)
  }

  @Test func emptyFiles() {
    for file in ["a.yaml", "a.json"] {
      for text in ["", "\n", " "] {
        let documents = ConfigDocuments(parsing: text, file: file)
        #expect(documents.roots.isEmpty && documents.diagnostics.isEmpty)
      }
    }
    #expect(ConfigDocuments(parsing: "# nothing\n---\n", file: "a.yaml").roots.isEmpty)
  }

  @Test func limits() {
    var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...9 {
      bomb += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
    }
    #expect(problems(bomb).first?.hasSuffix("aliases repeat more than 200000 values") == true)

    let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
    for file in ["a.yaml", "a.json"] {
      #expect(problems(deep, file: file).first?.hasSuffix("nested more than 100 levels deep") == true)
    }
    // Aliases that nest: each level is shallow, all together are not.
    var nested = "a0: &a0 [x]\n"
    for level in 1...120 { nested += "a\(level): &a\(level) [*a\(level - 1)]\n" }
    #expect(problems(nested).first?.hasSuffix("nested more than 100 levels deep") == true)

    let large = [UInt8](repeating: UInt8(ascii: "#"), count: ConfigDocuments.Limits.bytes + 1)
    #expect(
      ConfigDocuments(parsing: large, file: "a.yaml").diagnostics.map(\.description) == [
        "a.yaml: the file has 16777217 bytes and the limit is 16777216; split it into several files"
      ])
  }

  @Test func json() throws {
    let text = """
      {
      \t"a": [1, -2.5e3, true, null, "\\u00e9\\ud83d\\ude00\\/\\n"],
      \t"b": {}
      }
      {"c": 1}
      """
    let documents = ConfigDocuments(parsing: text, file: "a.json")
    #expect(documents.diagnostics.isEmpty)
    #expect(documents.roots.count == 2)
    let items = try #require(documents.roots.first?["a"]?.items)
    #expect(items.map(\.kind) == [.integer, .float, .bool, .null, .string])
    #expect(items[1].doubleValue == -2500)
    #expect(items[4].stringValue == "é😀/\n")
    #expect(items[0].location == SourceLocation(file: "a.json", line: 2, column: 8))
  }

  @Test(arguments: [
    ("{\"a\": 1, \"a\": 2}", "a.json:1: a: \"a\" is given twice, first at line 1; keep one"),
    ("{\"a\": 1,}", "a.json:1: expected a field name in quotes, not \"}\""),
    ("{\"a\" 1}", "a.json:1: expected \":\" after \"a\", not \"1\""),
    ("[1 2]", "a.json:1: expected \",\" or \"]\", not \"2\""),
    ("{\"a\": 1", "a.json:1: expected \",\" or \"}\", not the end of the file"),
    ("{\"a\": yes}", "a.json:1: a: \"yes\" is no JSON value; strings need double quotes"),
    ("{\"a\": 01}", "a.json:1: a: \"01\" is no JSON value; strings need double quotes"),
    ("[\"\\x\"]", "a.json:1: [0]: unknown escape in a string: \"x\" after a backslash"),
    ("[\"\\ud800\"]", "a.json:1: [0]: half of a surrogate pair"),
    ("[\"a\nb\"]", "a.json:1: [0]: a control character in a string; write it as an escape such as \\n"),
    ("[\"a", "a.json:1: [0]: the string has no closing quote"),
    ("[,]", "a.json:1: [0]: expected a value, not \",\""),
  ])
  func badJSON(text: String, message: String) {
    #expect(problems(text, file: "a.json") == [message])
  }
}

@Suite struct HostileInputTests {
  /// The same mistake, very often: bounded output, and an end.
  @Test(arguments: [
    "a: 1\n",
    "---\n- 1\n",
    "---\nkind: Filter\n",
  ])
  func repeatedMistakes(line: String) {
    let text = String(repeating: line, count: 20_000)
    let loaded = ConfigLoader.load(text: text, file: "a.yaml")
    #expect(loaded.hasErrors)
    #expect(loaded.diagnostics.count <= 10_001)
    #expect(loaded.diagnostics.contains { $0.message.hasSuffix("more are not shown; mend these first") })
  }

  @Test func unknownFieldsInPlenty() {
    let fields = (0..<20_000).map { "  field\($0): 1\n" }.joined()
    let text = "apiVersion: weft.dev/v1\nkind: Filter\nmetadata: {name: a}\nspec:\n  type: a\n" + fields
    let loaded = ConfigLoader.load(text: text, file: "a.yaml")
    #expect(loaded.diagnostics.filter { $0.severity == .error }.count == 1001)
  }

  /// Text that fills the largest allowed file with what a parser might take long for.
  @Test(arguments: [
    "[", "{", "- ", "? ", "\"", "a: &a\n", "!", "%", "'", "|\n", "#", "a", "*a ", "((", "\t", "\n", ",",
  ])
  func largestFiles(unit: String) {
    let count = (1 << 18) / unit.utf8.count
    for file in ["a.yaml", "a.json"] {
      let documents = ConfigDocuments(parsing: String(repeating: unit, count: count), file: file)
      #expect(documents.diagnostics.count <= DiagnosticList.limit + 1)
    }
  }
}
