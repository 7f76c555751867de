extension ConfigNode {
  /// The content as one line of JSON, fields in the order written: equal text for equal nodes. For dumps, and to tell
  /// whether a configuration changed.
  public var json: String {
    var text = ""
    tree.write(to: &text)
    return text
  }
}

extension ConfigTree {
  fileprivate func write(to text: inout String) {
    switch content {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let digits): text += ScalarSyntax.integer(digits).map(String.init) ?? JSONText.quote(digits)
    case .float(let digits): text += ScalarSyntax.finite(digits).map { "\($0)" } ?? JSONText.quote(digits)
    case .string(let string): text += JSONText.quote(string)
    case .sequence(let items):
      text += "["
      for (index, item) in items.enumerated() {
        if index > 0 { text += "," }
        item.write(to: &text)
      }
      text += "]"
    case .mapping(let entries):
      text += "{"
      for (index, entry) in entries.enumerated() {
        if index > 0 { text += "," }
        text += JSONText.quote(entry.key) + ":"
        entry.value.write(to: &text)
      }
      text += "}"
    }
  }
}
