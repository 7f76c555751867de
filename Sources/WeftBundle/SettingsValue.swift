import WeftConfig

/// A setting's value: what JSON can say, with whole numbers kept apart and the order of fields as written.
public indirect enum SettingsValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([SettingsValue])
  case object([Field])

  public struct Field: Sendable, Hashable {
    public let name: String
    public let value: SettingsValue

    public init(_ name: String, _ value: SettingsValue) {
      self.name = name
      self.value = value
    }
  }

  /// The field of an object; nil when there is none.
  public subscript(name: String) -> SettingsValue? {
    guard case .object(let fields) = self else { return nil }
    return fields.first { $0.name == name }?.value
  }

  /// On one line of JSON.
  public var json: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .number(let value): value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    case .string(let text): JSONText.quote(text)
    case .array(let items): "[" + items.map(\.json).joined(separator: ",") + "]"
    case .object(let fields):
      "{" + fields.map { "\(JSONText.quote($0.name)):\($0.value.json)" }.joined(separator: ",") + "}"
    }
  }

  /// Takes a configuration's value over as it stands, for scripts whose settings no schema describes.
  /// - Throws: `Diagnostic` for a number that no Lua number can hold.
  public init(_ node: ConfigNode) throws(Diagnostic) {
    switch node.kind {
    case .null: self = .null
    case .bool: self = .bool(try node.bool())
    case .integer: self = .integer(try node.int())
    case .float: self = .number(try node.double())
    case .string: self = .string(try node.string())
    case .sequence:
      var items: [SettingsValue] = []
      for item in node.items { items.append(try SettingsValue(item)) }
      self = .array(items)
    case .mapping:
      var fields: [Field] = []
      for entry in node.entries { fields.append(Field(entry.key, try SettingsValue(entry.value))) }
      self = .object(fields)
    }
  }
}
