/// What the YAML and JSON parsers build: values with the place where each was written. Equality and hash ignore the
/// places.
struct ConfigTree: Sendable {
  enum Content: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The digits as written: whoever reads the number knows the range that it must fit.
    case integer(String)
    case float(String)
    case string(String)
    case sequence([ConfigTree])
    case mapping([Entry])
  }

  struct Entry: Sendable, Hashable {
    let key: String
    let line: Int32
    let column: Int32
    let value: ConfigTree

    static func == (left: Entry, right: Entry) -> Bool { left.key == right.key && left.value == right.value }

    func hash(into hasher: inout Hasher) {
      hasher.combine(key)
      hasher.combine(value)
    }
  }

  let content: Content
  let line: Int32
  let column: Int32
}

extension ConfigTree: Hashable {
  static func == (left: ConfigTree, right: ConfigTree) -> Bool { left.content == right.content }

  func hash(into hasher: inout Hasher) { hasher.combine(content) }
}
