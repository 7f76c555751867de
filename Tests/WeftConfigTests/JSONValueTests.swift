import Testing
import WeftConfig

@Suite("JSON values")
struct JSONValueTests {
  private func value(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

  @Test("text is one line with members sorted, and reads back as the same value")
  func text() throws {
    let text = #"{"b":[1,-2.5,1e100,{"x":null}],"a":{"z":true,"y":"a\"b\\\n\u0001é"}}"#
    let parsed = try value(text)
    #expect(parsed.text.hasPrefix(#"{"a":{"y":"#))
    #expect(try value(parsed.text) == parsed)
    #expect(try value(parsed.prettyText) == parsed)
    #expect(parsed["b"]?.array?[0].int == 1)
    #expect(try value("123456789012345678901234567890").text == "123456789012345678901234567890")
  }

  @Test(
    "what is no single JSON value is refused", arguments: ["", "{", "1 2", "{\"a\":1,}", "nul", "{\"a\":1,\"a\":2}"])
  func malformed(_ text: String) {
    #expect(throws: ConfigError.self) { try value(text) }
  }

  @Test(
    "merge patches: the examples of RFC 7396, appendix A",
    arguments: [
      (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
      (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
      (#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#),
      (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
      (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
      (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
      (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
      (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
      (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
      (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
      (#"{"a":"foo"}"#, "null", "null"),
      (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
      (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#),
      ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
      ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
  func merge(_ target: String, _ patch: String, _ result: String) throws {
    #expect(try value(target).merging(try value(patch)) == (try value(result)))
  }

  @Test("YAML reads back as the same value, whatever strings hold")
  func yaml() throws {
    let strings = [
      "", "a", "true", "null", "~", "1", "1.5", "0x1f", "-", "- a", "a: b", "a #b", "#", "yes", "No", "on",
      "2024-05-01",
      "a\nb", "a\nb\n", "\n", " a", "a ", "a\tb", "é", "日本", "\u{7f}", "\u{1}", "\"", "'", "{", "[", "*a", "&a", "!a",
      "%",
      "@", "`", "|", ">", "a,b", "a/b-c_d.e", "1e5", ".5", "+1", "1_000", "12:30", "=", "<<", "line\n\nline\n", "x\n\n",
      "\u{85}", "\u{2028}", "😀", "/path/{a}", "Bearer x", "0", "00", "08", "a\r\nb",
    ]
    var members: [String: JSONValue] = [:]
    for (index, text) in strings.enumerated() { members["k\(index)"] = .string(text) }
    for text in strings { members[text] = 1 }
    let value: JSONValue = [
      "strings": .object(members), "list": .array(strings.map { .string($0) }), "empty": [], "none": .object([:]),
      "nested": [[1, [2, 3]], [["a": ["b": [1, 2]], "c": "d\n"]], .null, true, .number("1.5")],
    ]
    let documents = ConfigDocuments(parsing: value.yaml, file: "a.yaml")
    #expect(documents.diagnostics.map(\.description) == [])
    let root = try #require(documents.roots.first)
    #expect(JSONValue(root) == value, "\(value.yaml)")
  }

  @Test("numbers of YAML are numbers of JSON")
  func numbers() throws {
    let documents = ConfigDocuments(parsing: "[0x1f, 0o17, +5, .5, 1e3, 5., 99999999999999999999]", file: "a.yaml")
    let root = try #require(documents.roots.first)
    #expect(JSONValue(root).text == "[31,15,5,0.5,1000.0,5.0,99999999999999999999]")
  }
}
