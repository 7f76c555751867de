/// A JSON value that a program makes, changes and compares. `ConfigNode` is what was read, with its places.
///
/// Members of objects have no order, and are written sorted, so that equal values have equal text.
public indirect enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// As JSON writes it (RFC 8259 section 6): numbers of any size pass through unchanged.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  public init(_ node: ConfigNode) { self.init(node.tree) }

  /// Reads the one value that `text` holds.
  /// - Parameter file: what messages call it.
  /// - Throws: `ConfigError` with the places of what is wrong.
  public init(parsing text: [UInt8], file: String = "body.json") throws(ConfigError) {
    let (trees, diagnostics) = JSONReader.read(text, file: file)
    guard diagnostics.isEmpty else { throw ConfigError(diagnostics) }
    guard trees.count == 1 else {
      let message = trees.isEmpty ? "is empty; expected one JSON value" : "holds \(trees.count) JSON values, not one"
      throw ConfigError([Diagnostic(at: SourceLocation(file: file), message)])
    }
    self.init(trees[0])
  }

  private init(_ tree: ConfigTree) {
    switch tree.content {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let text): self = JSONValue.integer(text)
    case .float(let text): self = ScalarSyntax.finite(text).map { .number("\($0)") } ?? .string(text)
    case .string(let text): self = .string(text)
    case .sequence(let items): self = .array(items.map(JSONValue.init))
    case .mapping(let entries):
      self = .object(Dictionary(entries.map { ($0.key, JSONValue($0.value)) }, uniquingKeysWith: { $1 }))
    }
  }

  /// What readers read, without places.
  var tree: ConfigTree {
    let content: ConfigTree.Content =
      switch self {
      case .null: .null
      case .bool(let value): .bool(value)
      case .number(let text): ScalarSyntax.resolve(text)
      case .string(let text): .string(text)
      case .array(let items): .sequence(items.map(\.tree))
      case .object(let members):
        .mapping(
          members.sorted { $0.key < $1.key }.map {
            ConfigTree.Entry(key: $0.key, line: 0, column: 0, value: $0.value.tree)
          })
      }
    return ConfigTree(content: content, line: 0, column: 0)
  }

  /// YAML's notations of an integer as JSON's.
  private static func integer(_ text: String) -> JSONValue {
    if let value = ScalarSyntax.integer(text) { return .number("\(value)") }
    // Beyond 64 bits: what reads the field says that it is out of range.
    let isPlain = text.utf8.enumerated().allSatisfy { offset, byte in
      byte &- UInt8(ascii: "0") < 10 || offset == 0 && byte == UInt8(ascii: "-")
    }
    return isPlain && !text.hasPrefix("0") ? .number(text) : .string(text)
  }

  // MARK: Parts

  /// A member of an object. Setting nil removes it; setting a member of something else makes an object of it.
  public subscript(key: String) -> JSONValue? {
    get { if case .object(let members) = self { members[key] } else { nil } }
    set {
      var members = object ?? [:]
      members[key] = newValue
      self = .object(members)
    }
  }

  /// The value at the end of a path of members.
  public subscript(path first: String, _ rest: String...) -> JSONValue? {
    rest.reduce(self[first]) { $0?[$1] }
  }

  public var object: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
  public var array: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
  public var string: String? { if case .string(let text) = self { text } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var int: Int? { if case .number(let text) = self { Int(text) } else { nil } }
  public var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }

  /// The value with a patch applied as RFC 7396 says: members that are null in the patch go.
  public func merging(_ patch: JSONValue) -> JSONValue {
    guard case .object(let changes) = patch else { return patch }
    var members = object ?? [:]
    for (key, change) in changes {
      members[key] = change == .null ? nil : (members[key] ?? .null).merging(change)
    }
    return .object(members)
  }

  // MARK: Text

  /// On one line, members sorted: equal values have equal text.
  public var text: String {
    var text = ""
    write(to: &text, indent: nil)
    return text
  }

  /// For people: members on lines of their own, sorted, indented by two spaces.
  public var prettyText: String {
    var text = ""
    write(to: &text, indent: 0)
    return text + "\n"
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let digits): text += digits
    case .string(let string): text += JSONText.quote(string)
    case .array(let items):
      JSONValue.list(items, "[", "]", to: &text, indent) { item, text, indent in item.write(to: &text, indent: indent) }
    case .object(let members):
      JSONValue.list(members.sorted { $0.key < $1.key }, "{", "}", to: &text, indent) { member, text, indent in
        text += JSONText.quote(member.key) + (indent == nil ? ":" : ": ")
        member.value.write(to: &text, indent: indent)
      }
    }
  }

  private static func list<T>(
    _ items: [T], _ open: String, _ close: String, to text: inout String, _ indent: Int?,
    _ write: (T, inout String, Int?) -> Void
  ) {
    text += open
    let inner = indent.map { $0 + 2 }
    for (index, item) in items.enumerated() {
      if index > 0 { text += "," }
      if let inner { text += "\n" + String(repeating: " ", count: inner) }
      write(item, &text, inner)
    }
    if let indent, !items.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
    text += close
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .number("\(value)") }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
  }
}
