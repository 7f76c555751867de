import Glibc
import WeftConfig

/// How text goes to the user.
package enum Terminal {
  /// Whether what is written there is seen in colour: a terminal that knows it, and a user who has not said no
  /// (https://no-color.org).
  package static func hasColor(_ fd: Int32) -> Bool {
    guard isatty(fd) == 1 else { return false }
    if let no = getenv("NO_COLOR"), no.pointee != 0 { return false }
    if let term = getenv("TERM"), String(cString: term) == "dumb" { return false }
    return true
  }

  package enum Style: String {
    case bold = "1"
    case red = "31"
    case green = "32"
    case yellow = "33"
  }

  /// `text` in that style where `fd` has colour.
  package static func styled(_ text: String, _ style: Style, _ fd: Int32 = 1) -> String {
    hasColor(fd) ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// Writes a line to standard error.
  package static func printError(_ text: String) { write(text + "\n", to: 2) }

  /// Writes all of `text`, whatever the descriptor takes at a time.
  /// - Returns: whether it could be written.
  @discardableResult
  package static func write(_ text: String, to fd: Int32) -> Bool {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let n = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { return false }
      bytes = bytes.dropFirst(n)
    }
    return true
  }

  /// `text` with what a terminal would obey made visible.
  package static func harmless(_ text: String) -> String { VisibleText.of(text) }
}
