import WeftConfig
import WeftIO
import WeftRegex

/// Holds settings against a schema and fills in its defaults.
enum SettingsValidation {
  /// Elements and fields that settings may have, all levels together.
  private static let sizeLimit = 10_000

  /// The settings that `node` gives, defaults included.
  /// - Throws: `ConfigError` with a diagnostic at the place of each setting that does not fit.
  static func check(_ node: ConfigNode, against schema: SettingsSchema) throws(ConfigError) -> SettingsValue {
    var checker: Checker
    do {
      checker = try Checker()
    } catch {
      throw ConfigError([node.error("cannot be checked: \(error)")])
    }
    let value = checker.value(node, schema)
    guard checker.diagnostics.isEmpty, let value else { throw ConfigError(checker.diagnostics) }
    return value
  }

  private struct Checker: ~Copyable {
    var diagnostics: [Diagnostic] = []
    private var size = 0
    private let scratch: PatternScratch

    init() throws(PatternError) { scratch = try PatternScratch() }

    private mutating func report(_ node: ConfigNode, _ message: String) -> SettingsValue? {
      diagnostics.append(node.error(message))
      return nil
    }

    mutating func value(_ node: ConfigNode, _ schema: SettingsSchema) -> SettingsValue? {
      size += 1
      if size > sizeLimit {
        return size == sizeLimit + 1 ? report(node, "the settings have more than \(sizeLimit) values") : nil
      }
      let value: SettingsValue?
      do throws(Diagnostic) {
        switch schema.kind {
        case .boolean: value = .bool(try node.bool())
        case .integer: value = integer(node, try node.int(), schema)
        case .number: value = number(node, try node.double(), schema)
        case .string: value = string(node, try node.string(), schema)
        case .array: value = array(node, schema)
        case .object: value = object(node, schema)
        }
      } catch {
        diagnostics.append(error)
        return nil
      }
      if let value, !schema.allowedValues.isEmpty, !schema.allowedValues.contains(where: { $0.isEqual(to: value) }) {
        return report(node, "is none of \(schema.allowedValues.map(\.shown).joined(separator: ", "))")
      }
      return value
    }

    private mutating func integer(_ node: ConfigNode, _ value: Int, _ schema: SettingsSchema) -> SettingsValue? {
      if !schema.range.contains(Double(value)) { return report(node, "\(value) \(schema.rangeText)") }
      return .integer(value)
    }

    private mutating func number(_ node: ConfigNode, _ value: Double, _ schema: SettingsSchema) -> SettingsValue? {
      if !schema.range.contains(value) { return report(node, "\(value) \(schema.rangeText)") }
      if node.kind == .integer, let whole = node.intValue { return .integer(whole) }
      return .number(value)
    }

    private mutating func string(_ node: ConfigNode, _ text: String, _ schema: SettingsSchema) -> SettingsValue? {
      let length = text.unicodeScalars.count
      if !schema.count.contains(length) { return report(node, "has \(length) characters; \(schema.countText)") }
      guard let pattern = schema.pattern else { return .string(text) }
      let owned = OwnedBytes(text)
      let matches: Bool
      do {
        matches = try pattern.matches(owned.bytes, scratch: scratch)
      } catch {
        return report(node, "could not be matched against the pattern \"\(pattern.text)\": \(error)")
      }
      return matches ? .string(text) : report(node, "does not match the pattern \"\(pattern.text)\"")
    }

    private mutating func array(_ node: ConfigNode, _ schema: SettingsSchema) -> SettingsValue? {
      guard node.kind == .sequence else { return report(node, "expected a list") }
      let items = node.items
      if !schema.count.contains(items.count) {
        return report(node, "has \(items.count) elements; \(schema.countText)")
      }
      var values: [SettingsValue] = []
      for item in items {
        if let itemSchema = schema.items {
          if let checked = value(item, itemSchema) { values.append(checked) }
        } else if let taken = taken(item) {
          values.append(taken)
        }
        if schema.hasUniqueItems, let last = values.last, values.dropLast().contains(where: { $0.isEqual(to: last) }) {
          return report(item, "is in the list already; each element may be there once")
        }
      }
      return .array(values)
    }

    private mutating func object(_ node: ConfigNode, _ schema: SettingsSchema) -> SettingsValue? {
      guard node.kind == .mapping || node.kind == .null else { return report(node, "expected an object with fields") }
      var fields: [SettingsValue.Field] = []
      for property in schema.properties {
        if let given = node[property.name], given.kind != .null {
          if let checked = value(given, property.schema) { fields.append(.init(property.name, checked)) }
        } else if let standIn = property.schema.standIn {
          fields.append(.init(property.name, standIn))
        } else if property.isRequired {
          diagnostics.append(
            Diagnostic(
              at: node.location, path: node.path.appending(property.name), "is missing; the bundle needs this setting"))
        }
      }
      for entry in node.entries where !schema.properties.contains(where: { $0.name == entry.key }) {
        switch schema.additional {
        case .any:
          if let taken = taken(entry.value) { fields.append(.init(entry.key, taken)) }
        case .matching(let other):
          if let checked = value(entry.value, other) { fields.append(.init(entry.key, checked)) }
        case .none:
          let known = schema.properties.map { "\"\($0.name)\"" }.joined(separator: ", ")
          diagnostics.append(
            Diagnostic(
              at: entry.keyLocation, path: entry.value.path,
              "the bundle has no such setting; it has \(known.isEmpty ? "none" : known)"))
        }
      }
      return .object(fields)
    }

    private mutating func taken(_ node: ConfigNode) -> SettingsValue? {
      do throws(Diagnostic) {
        return try SettingsValue(node)
      } catch {
        diagnostics.append(error)
        return nil
      }
    }
  }
}

extension SettingsSchema {
  /// The settings that `node` gives, checked, with defaults filled in.
  /// - Throws: `ConfigError` with a diagnostic at the place of each setting that does not fit.
  public func validate(_ node: ConfigNode) throws(ConfigError) -> SettingsValue {
    try SettingsValidation.check(node, against: self)
  }

  /// What a property has when nothing is given: its default, or, of an object that needs nothing, what its own
  /// properties have.
  var standIn: SettingsValue? {
    if let defaultValue { return defaultValue }
    guard kind == .object, !properties.contains(where: { $0.isRequired && $0.schema.standIn == nil }) else {
      return nil
    }
    let fields = properties.compactMap { property in
      property.schema.standIn.map { SettingsValue.Field(property.name, $0) }
    }
    return fields.isEmpty ? nil : .object(fields)
  }

  fileprivate var rangeText: String {
    let all = Double.greatestFiniteMagnitude
    if range.lowerBound == -all { return "is too much; at most \(SettingsValue.number(range.upperBound).shown)" }
    if range.upperBound == all { return "is too little; at least \(SettingsValue.number(range.lowerBound).shown)" }
    let (lower, upper) = (SettingsValue.number(range.lowerBound), SettingsValue.number(range.upperBound))
    return "is out of range; allowed are \(lower.shown) to \(upper.shown)"
  }

  fileprivate var countText: String {
    count.upperBound == Int.max
      ? "at least \(count.lowerBound)" : "allowed are \(count.lowerBound) to \(count.upperBound)"
  }
}

extension SettingsValue {
  /// JSON Schema compares numbers by value: `1` equals `1.0`.
  fileprivate func isEqual(to other: SettingsValue) -> Bool {
    switch (self, other) {
    case (.integer(let a), .number(let b)), (.number(let b), .integer(let a)): Double(a) == b
    default: self == other
    }
  }

  /// For messages.
  fileprivate var shown: String {
    switch self {
    case .string(let text): "\"\(text.prefix(80))\""
    case .array: "a list"
    case .object: "an object"
    case .null, .bool, .integer, .number: json
    }
  }
}
