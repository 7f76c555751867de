/// A value of a configuration file (YAML or JSON) that knows where it was written and at which field path.
///
/// Two nodes are equal when their contents are, wherever they were written; the order of a mapping's fields counts.
/// So a filter whose file was only reformatted is recognised as unchanged.
public struct ConfigNode: Sendable {
  public enum Kind: String, Sendable, Hashable {
    case null
    case bool
    case integer
    case float
    case string
    case sequence
    case mapping
  }

  /// One field of a mapping.
  public struct Entry: Sendable, Hashable {
    public let key: String
    public let keyLocation: SourceLocation
    public let value: ConfigNode

    public static func == (left: Entry, right: Entry) -> Bool { left.key == right.key && left.value == right.value }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(key)
      hasher.combine(value)
    }
  }

  let tree: ConfigTree
  let file: String
  public let path: FieldPath

  init(tree: ConfigTree, file: String, path: FieldPath = .root) {
    self.tree = tree
    self.file = file
    self.path = path
  }

  /// An empty mapping, which stands for a configuration that was left out.
  public static func empty(at location: SourceLocation, path: FieldPath = .root) -> ConfigNode {
    let tree = ConfigTree(
      content: .mapping([]), line: Int32(clamping: location.line), column: Int32(clamping: location.column))
    return ConfigNode(tree: tree, file: location.file, path: path)
  }

  public var location: SourceLocation {
    SourceLocation(file: file, line: Int(tree.line), column: Int(tree.column))
  }

  public var kind: Kind {
    switch tree.content {
    case .null: .null
    case .bool: .bool
    case .integer: .integer
    case .float: .float
    case .string: .string
    case .sequence: .sequence
    case .mapping: .mapping
    }
  }

  /// The fields of a mapping in the order written; empty for any other kind.
  public var entries: [Entry] {
    guard case .mapping(let entries) = tree.content else { return [] }
    return entries.map { entry in
      Entry(
        key: entry.key, keyLocation: SourceLocation(file: file, line: Int(entry.line), column: Int(entry.column)),
        value: ConfigNode(tree: entry.value, file: file, path: path.appending(entry.key)))
    }
  }

  /// The elements of a sequence; empty for any other kind.
  public var items: [ConfigNode] {
    guard case .sequence(let items) = tree.content else { return [] }
    return items.enumerated().map { ConfigNode(tree: $1, file: file, path: path.appending($0)) }
  }

  /// The value of field `key`, null included; nil when this is no mapping or has no such field.
  public subscript(key: String) -> ConfigNode? {
    guard case .mapping(let entries) = tree.content, let entry = entries.first(where: { $0.key == key }) else {
      return nil
    }
    return ConfigNode(tree: entry.value, file: file, path: path.appending(key))
  }

  /// The text of a string; nil for any other kind.
  public var stringValue: String? {
    if case .string(let text) = tree.content { text } else { nil }
  }

  public var boolValue: Bool? {
    if case .bool(let value) = tree.content { value } else { nil }
  }

  /// The value of an integer that fits; nil for any other kind.
  public var intValue: Int? {
    if case .integer(let text) = tree.content { ScalarSyntax.integer(text) } else { nil }
  }

  /// The value of an integer or a finite float; nil for any other kind.
  public var doubleValue: Double? {
    switch tree.content {
    case .integer(let text): ScalarSyntax.integer(text).map(Double.init) ?? Double(text)
    case .float(let text): ScalarSyntax.finite(text)
    default: nil
    }
  }

  /// An error about this node.
  public func error(_ message: String) -> Diagnostic { Diagnostic(.error, at: location, path: path, message) }
}

extension ConfigNode: Hashable {
  public static func == (left: ConfigNode, right: ConfigNode) -> Bool { left.tree == right.tree }

  public func hash(into hasher: inout Hasher) { hasher.combine(tree) }
}
