import Glibc

/// How text goes to the user.
enum Terminal {
  /// Whether what is written there is seen in colour: a terminal that knows it, and a user who has not said no
  /// (https://no-color.org).
  static func hasColor(_ fd: Int32) -> Bool {
    guard isatty(fd) == 1 else { return false }
    if let no = getenv("NO_COLOR"), no.pointee != 0 { return false }
    if let term = getenv("TERM"), String(cString: term) == "dumb" { return false }
    return true
  }

  enum Style: String {
    case bold = "1"
    case red = "31"
    case green = "32"
    case yellow = "33"
  }

  /// `text` in that style where `fd` has colour.
  static func styled(_ text: String, _ style: Style, _ fd: Int32 = 1) -> String {
    hasColor(fd) ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// Writes a line to standard error.
  static func printError(_ text: String) { write(text + "\n", to: 2) }

  /// Writes all of `text`, whatever the descriptor takes at a time.
  static func write(_ text: String, to fd: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let n = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { return }
      bytes = bytes.dropFirst(n)
    }
  }

  /// `text` with what a terminal would obey (escape sequences in names and messages of strangers) made visible. Line
  /// breaks stay.
  static func harmless(_ text: String) -> String {
    func isControl(_ scalar: Unicode.Scalar) -> Bool {
      (scalar.value < 0x20 && scalar != "\n" && scalar != "\t") || (0x7f...0x9f).contains(scalar.value)
    }
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isControl(scalar) {
        result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
