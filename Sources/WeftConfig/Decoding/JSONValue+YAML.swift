extension JSONValue {
  /// The value as a YAML document in block style, members sorted, which reads back as the same value.
  public var yaml: String {
    var text = ""
    switch self {
    case .object(let members) where !members.isEmpty: JSONValue.write(members, to: &text, indent: 0, isInline: false)
    case .array(let items) where !items.isEmpty: JSONValue.write(items, to: &text, indent: 0)
    default: text = scalar(indent: 0) + "\n"
    }
    return text
  }

  private static func write(
    _ members: [String: JSONValue], to text: inout String, indent: Int, isInline: Bool
  ) {
    for (index, (key, value)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
      // The first member of a mapping in a list stands behind the list's dash.
      if index > 0 || !isInline { text += spaces(indent) }
      text += plainOrQuoted(key) + ":"
      switch value {
      case .object(let inner) where !inner.isEmpty:
        text += "\n"
        write(inner, to: &text, indent: indent + 2, isInline: false)
      case .array(let items) where !items.isEmpty:
        text += "\n"
        write(items, to: &text, indent: indent)
      default: text += " " + value.scalar(indent: indent + 2) + "\n"
      }
    }
  }

  private static func write(_ items: [JSONValue], to text: inout String, indent: Int) {
    for item in items {
      text += spaces(indent) + "- "
      switch item {
      case .object(let members) where !members.isEmpty:
        write(members, to: &text, indent: indent + 2, isInline: true)
      case .array(let inner) where !inner.isEmpty: text += item.text + "\n"
      default: text += item.scalar(indent: indent + 2) + "\n"
      }
    }
  }

  private static func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

  /// What is written on the line of its key.
  private func scalar(indent: Int) -> String {
    switch self {
    case .string(let text):
      if JSONValue.isBlock(text) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return "|\n"
          + lines.map { $0.isEmpty ? "" : JSONValue.spaces(indent) + $0 }.joined(separator: "\n")
      }
      return JSONValue.plainOrQuoted(text)
    default: return text
    }
  }

  /// Whether a literal block (`|`) says it exactly: whole lines of printable text that begin with no space.
  private static func isBlock(_ text: String) -> Bool {
    text.utf8.count > 1 && text.hasSuffix("\n") && !text.hasSuffix("\n\n") && !text.hasPrefix(" ")
      && !text.hasPrefix("\n")
      && text.unicodeScalars.allSatisfy {
        $0 == "\n" || (" "..."~").contains($0) || ("\u{a1}"..."\u{fff}").contains($0)
      }
  }

  private static func plainOrQuoted(_ text: String) -> String {
    func isSafe(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", "/", "+", "(", ")", "=", ";", "<", "$", "^": true
      default: false
      }
    }
    // Letters and digits with a few signs cannot be mistaken for syntax. What YAML 1.1 would read as something else
    // than a string is quoted too, for other tools.
    let words = ["y", "n", "yes", "no", "on", "off"]
    guard case .string = ScalarSyntax.resolve(text), !words.contains(text.lowercased()),
      let first = text.unicodeScalars.first, !["-", ".", "=", "<"].contains(first),
      text.unicodeScalars.allSatisfy(isSafe), !text.hasPrefix("0x"), !text.hasPrefix("0o"),
      !(("0"..."9").contains(first) && text.unicodeScalars.allSatisfy { !("a"..."z").contains($0) })
    else { return quoted(text) }
    return text
  }

  /// YAML's double-quoted style knows JSON's escapes, and lets fewer characters stand as they are: some it does not take,
  /// others it takes for ends of lines.
  private static func quoted(_ text: String) -> String {
    func mustEscape(_ scalar: Unicode.Scalar) -> Bool {
      (0x7f...0x9f).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
    }
    let quoted = JSONText.quote(text)
    guard quoted.unicodeScalars.contains(where: mustEscape) else { return quoted }
    return quoted.unicodeScalars.reduce(into: "") { text, scalar in
      guard mustEscape(scalar) else { return text.unicodeScalars.append(scalar) }
      let digits = String(scalar.value, radix: 16)
      text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
  }
}
