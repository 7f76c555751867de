/// How unquoted text is read: the core schema of YAML 1.2 (section 10.3.2). `yes`, `on` and `0755` with a letter are
/// strings there; only `true` and `false` are booleans.
enum ScalarSyntax {
  static func resolve(_ text: String) -> ConfigTree.Content {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    default: break
    }
    guard let first = text.utf8.first, isNumeric(first) else { return .string(text) }
    if isInteger(text) { return .integer(text) }
    if isFloat(text) { return .float(text) }
    return .string(text)
  }

  /// The value of text that `resolve` called an integer; nil when it does not fit.
  static func integer(_ text: String) -> Int? {
    if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
    if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8) }
    return Int(text)
  }

  /// The value of text that `resolve` called a float; nil for infinities and for what is no number.
  static func finite(_ text: String) -> Double? {
    guard let value = Double(text.hasSuffix(".") ? text + "0" : text), value.isFinite else { return nil }
    return value
  }

  private static func isNumeric(_ byte: UInt8) -> Bool {
    isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  private static func isInteger(_ text: String) -> Bool {
    if text.hasPrefix("0x") {
      return text.utf8.count > 2 && text.utf8.dropFirst(2).allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
    }
    if text.hasPrefix("0o") {
      return text.utf8.count > 2 && text.utf8.dropFirst(2).allSatisfy { $0 &- UInt8(ascii: "0") < 8 }
    }
    var digits = text.utf8[...]
    if digits.first == UInt8(ascii: "-") || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
    return !digits.isEmpty && digits.allSatisfy(isDigit)
  }

  private static func isFloat(_ text: String) -> Bool {
    switch text {
    case ".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN": return true
    default: break
    }
    var rest = text.utf8[...]
    func skipSign() {
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    }
    func skipDigits() -> Int {
      let before = rest.count
      rest = rest.drop(while: isDigit)
      return before - rest.count
    }
    skipSign()
    var digits = skipDigits()
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      digits += skipDigits()
    }
    guard digits > 0 else { return false }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      skipSign()
      guard skipDigits() > 0 else { return false }
    }
    return rest.isEmpty
  }
}
