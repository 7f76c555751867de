import Testing
import WeftBundle
import WeftConfig

@Suite struct SettingsTests {
  static let schema = """
    type: object
    required: [header]
    properties:
      header: {type: string, pattern: "^[a-z-]+$", maxLength: 20}
      mode: {type: string, enum: [add, replace], default: replace}
      weight: {type: integer, minimum: 0, maximum: 100, default: 10}
      ratio: {type: number, minimum: 0.5}
      on: {type: boolean, default: true}
      tags: {type: array, items: {type: string, minLength: 1}, maxItems: 2}
      inner:
        type: object
        properties:
          depth: {type: integer, default: 3}
      extra: {type: object, additionalProperties: {type: integer}}
    """

  private func settings(_ yaml: String, _ schema: String = Self.schema) throws -> SettingsValue {
    try SettingsSchema(ConfigNode(yaml: schema, file: "bundle.yaml")).validate(ConfigNode(yaml: yaml, file: "f.yaml"))
  }

  private func failure(_ yaml: String, _ schema: String = Self.schema) -> String? {
    do {
      _ = try settings(yaml, schema)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func defaultsAreFilledIn() throws {
    let value = try settings("header: x-tenant\ntags: [a, b]\n")
    #expect(value["header"] == .string("x-tenant"))
    #expect(value["mode"] == .string("replace"))
    #expect(value["weight"] == .integer(10))
    #expect(value["ratio"] == nil)
    #expect(value["on"] == .bool(true))
    #expect(value["tags"] == .array([.string("a"), .string("b")]))
    #expect(value["inner"]?["depth"] == .integer(3))
  }

  @Test(arguments: [
    ("header: x-tenant\nweight: 101", "f.yaml:2: weight: 101 is out of range; allowed are 0 to 100"),
    ("header: X", "f.yaml:1: header: does not match the pattern \"^[a-z-]+$\""),
    ("header: aaaaaaaaaaaaaaaaaaaaa", "f.yaml:1: header: has 21 characters; allowed are 0 to 20"),
    ("mode: add", "f.yaml:1: header: is missing; the bundle needs this setting"),
    ("header: a\nmode: drop", "f.yaml:2: mode: is none of \"add\", \"replace\""),
    ("header: a\nratio: 0.2", "f.yaml:2: ratio: 0.2 is too little; at least 0.5"),
    ("header: a\non: 1", "f.yaml:2: on: expected true or false, not the number 1"),
    ("header: a\ntags: [a, b, c]", "f.yaml:2: tags: has 3 elements; allowed are 0 to 2"),
    ("header: a\ntags: [a, '']", "f.yaml:2: tags[1]: has 0 characters; at least 1"),
    ("header: a\ntags: a", "f.yaml:2: tags: expected a list"),
    ("header: a\ninner: {depth: x}", "f.yaml:2: inner.depth: expected a whole number, not the string \"x\""),
    ("header: a\nextra: {n: 1, m: x}", "f.yaml:2: extra.m: expected a whole number, not the string \"x\""),
    ("header: 5", "f.yaml:1: header: expected a string, not the number 5; write \"5\" in quotes"),
    ("header: a\nweight: 1.5", "f.yaml:2: weight: expected a whole number, not the number 1.5"),
  ])
  func whatDoesNotFit(_ yaml: String, _ message: String) { #expect(failure(yaml) == message) }

  @Test func unknownSettingsAreNamed() {
    let message = failure("header: a\nheadr: b")
    #expect(message?.hasPrefix("f.yaml:2: headr: the bundle has no such setting; it has \"header\"") == true)
  }

  @Test func everyMistakeIsReported() {
    #expect(failure("weight: 1000\nratio: 0\nfoo: 1")?.split(separator: "\n").count == 4)
  }

  @Test func anythingIsTakenWhereTheSchemaSaysSo() throws {
    let value = try settings("a: [1, {b: null}]", "type: object\nadditionalProperties: true\n")
    #expect(value["a"] == .array([.integer(1), .object([.init("b", .null)])]))
  }

  @Test func elementsMayHaveToDiffer() throws {
    let schema = "type: object\nproperties: {a: {type: array, uniqueItems: true}}"
    #expect(try settings("a: [1, 2, '1']", schema)["a"] != nil)
    #expect(
      failure("a: [1, 2, 1.0]", schema)
        == "f.yaml:1: a[2]: is in the list already; each element may be there once")
  }

  @Test func numbersCompareByValue() throws {
    #expect(try settings("n: 1", "type: object\nproperties: {n: {type: number, enum: [1.0]}}")["n"] == .integer(1))
  }

  @Test(arguments: [
    ("type: thing", "bundle.yaml:1: type: unknown value \"thing\""),
    ("type: object\nproprties: {}", "bundle.yaml:2: proprties: unknown field"),
    ("type: string\nminimum: 1", "bundle.yaml:2: minimum: unknown field"),
    ("type: object\nrequired: [a]", "bundle.yaml:2: required: there is no property \"a\""),
    ("type: string\npattern: '('", "bundle.yaml:2: pattern: is no regular expression"),
    ("type: integer\nmaximum: 4\nexamples: [1, 5]", "bundle.yaml:3: examples[1]: 5 is too much; at most 4"),
    ("type: integer\nminimum: 5\nmaximum: 4", "bundle.yaml:3: maximum: is below the minimum"),
    ("type: integer\nmaximum: 4\ndefault: 5", "bundle.yaml:3: default: 5 is too much; at most 4"),
    (
      "type: object\nproperties:\n  a: {type: string, default: 1}",
      "bundle.yaml:3: properties.a.default: expected a string"
    ),
  ])
  func mistakesInASchema(_ schema: String, _ message: String) {
    let text = failure("{}", schema)
    #expect(text?.hasPrefix(message) == true, "\(text ?? "nothing")")
  }

  @Test func aSchemaMayNotNestForEver() {
    var schema = "{type: string}"
    for _ in 0..<40 { schema = "{type: array, items: \(schema)}" }
    #expect(failure("{}", schema)?.contains("schemas nest at most") == true)
  }
}
