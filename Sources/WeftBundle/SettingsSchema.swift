import WeftConfig
import WeftRegex

/// What settings must look like: the part of JSON Schema that describes plain data. `type`, `title`, `description`,
/// `default`, `examples`, `enum`; of objects `properties`, `required`, `additionalProperties`; of arrays `items`,
/// `minItems`, `maxItems`, `uniqueItems`; of numbers `minimum`, `maximum`; of strings `minLength`, `maxLength`,
/// `pattern`. Other keywords are refused, so that nobody relies on a check that is not made.
public final class SettingsSchema: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case object, string, integer, number, boolean, array
  }

  /// One property of an object.
  public struct Property: Sendable {
    public let name: String
    public let schema: SettingsSchema
    public let isRequired: Bool
  }

  /// What an object may hold besides its `properties`.
  public enum Additional: Sendable {
    case none
    case any
    case matching(SettingsSchema)
  }

  public let kind: Kind
  public let description: String
  /// The value where none is given.
  public let defaultValue: SettingsValue?
  /// The only values allowed; empty: any.
  public let allowedValues: [SettingsValue]
  public let properties: [Property]
  public let additional: Additional
  /// What each element of an array must be; nil: anything.
  public let items: SettingsSchema?
  /// Whether an array may hold no value twice.
  public let hasUniqueItems: Bool
  /// Values that are held against the schema and shown to those who write settings.
  public let examples: [SettingsValue]
  /// Elements of an array, or characters of a string.
  public let count: ClosedRange<Int>
  /// Of an integer or number.
  public let range: ClosedRange<Double>
  /// Found anywhere in a string, as JSON Schema says; anchor it with `^` and `$`.
  public let pattern: Pattern?

  /// Nesting that a schema may have.
  static let depthLimit = 16

  /// Decodes a schema.
  /// - Throws: `ConfigError` with the place of each mistake, a default that breaks its own schema among them.
  public convenience init(_ node: ConfigNode) throws { try self.init(node, depth: 0) }

  private init(_ node: ConfigNode, depth: Int) throws {
    guard depth < Self.depthLimit else { throw node.error("schemas nest at most \(Self.depthLimit) deep") }
    let reader = try ObjectReader(node)
    kind = reader.enumeration("type", Kind.self)
    _ = reader.string("title", default: "")
    description = reader.string("description", default: "")
    allowedValues = reader.list("enum", count: 0...256) { try SettingsValue($0) }

    var properties: [Property] = []
    var additional = Additional.none
    var items: SettingsSchema?
    var range = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    var count = 0...Int.max
    var pattern: Pattern?
    var hasUniqueItems = false
    switch kind {
    case .object:
      let required = reader.strings("required", count: 0...256)
      properties = reader.map("properties") { name, value in
        Property(name: name, schema: try SettingsSchema(value, depth: depth + 1), isRequired: required.contains(name))
      }
      for name in required where !properties.contains(where: { $0.name == name }) {
        reader.error("required", "there is no property \"\(name)\"")
      }
      additional = reader.optional("additionalProperties") { try Self.additional($0, depth) } ?? .none
    case .array:
      items = reader.optional("items") { try SettingsSchema($0, depth: depth + 1) }
      count = Self.bounds(reader, "minItems", "maxItems")
      hasUniqueItems = reader.bool("uniqueItems", default: false)
    case .string:
      count = Self.bounds(reader, "minLength", "maxLength")
      pattern = reader.optional("pattern", Self.pattern)
    case .integer, .number:
      let all = range
      let lower = reader.double("minimum", in: all, default: all.lowerBound)
      let upper = reader.double("maximum", in: all, default: all.upperBound)
      if lower > upper { reader.error("maximum", "is below the minimum") } else { range = lower...upper }
    case .boolean: break
    }
    self.properties = properties
    self.additional = additional
    self.items = items
    self.range = range
    self.count = count
    self.pattern = pattern
    self.hasUniqueItems = hasUniqueItems
    let shown = reader.list("examples", count: 0...64) { $0 }
    examples = try shown.map { try SettingsValue($0) }
    let given = reader.rawNode("default")
    defaultValue = try given.map { try SettingsValue($0) }
    try reader.finish()
    if let given { _ = try SettingsValidation.check(given, against: self) }
    for example in shown { _ = try SettingsValidation.check(example, against: self) }
  }

  private static func additional(_ node: ConfigNode, _ depth: Int) throws -> Additional {
    if node.kind == .bool { return try node.bool() ? .any : .none }
    return .matching(try SettingsSchema(node, depth: depth + 1))
  }

  private static func bounds(_ reader: ObjectReader, _ lower: String, _ upper: String) -> ClosedRange<Int> {
    let least = reader.int(lower, in: 0...Int.max, default: 0)
    let most = reader.int(upper, in: 0...Int.max, default: Int.max)
    if least > most {
      reader.error(upper, "is below \"\(lower)\"")
      return least...least
    }
    return least...most
  }

  private static func pattern(_ node: ConfigNode) throws -> Pattern {
    do {
      return try Pattern(try node.string(), anchoring: .anywhere, options: .utf8)
    } catch let error as PatternError {
      throw node.error("is no regular expression: \(error.message) at offset \(error.offset)")
    }
  }
}
