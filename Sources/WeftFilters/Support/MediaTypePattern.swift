import WeftConfig
import WeftIO

/// Media types that a filter works on: `text/html`, `text/*`, `*+json` or `*/*`.
struct MediaTypePattern: Sendable {
  private let text: OwnedBytes
  private let isPrefix: Bool
  private let isSuffix: Bool

  init(_ pattern: String) {
    let lower = pattern.lowercased()
    isPrefix = lower.hasSuffix("/*")
    isSuffix = lower.hasPrefix("*+")
    text = OwnedBytes(
      lower == "*/*" ? "" : isPrefix ? String(lower.dropLast()) : isSuffix ? String(lower.dropFirst()) : lower)
  }

  /// - Parameter essence: type and subtype of a Content-Type, without parameters.
  func matches(_ essence: Bytes) -> Bool {
    let wanted = text.bytes
    if isPrefix { return essence.count > wanted.count && essence.slice(0, wanted.count).equalsIgnoringCase(wanted) }
    if isSuffix {
      return essence.count > wanted.count
        && essence.slice(essence.count &- wanted.count, essence.count).equalsIgnoringCase(wanted)
    }
    return essence.equalsIgnoringCase(wanted)
  }

  /// Type and subtype of a Content-Type field.
  static func essence(_ contentType: Bytes) -> Bytes {
    contentType.slice(0, contentType.firstIndex(of: 0x3b) ?? contentType.count).trimmed
  }
}

extension StringRule {
  static let mediaTypePattern = StringRule(
    "use a media type such as \"text/html\", or \"text/*\", \"*+json\" or \"*/*\"",
    { text in
      let token: (Substring) -> Bool = { part in
        !part.isEmpty && part.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x2a && $0 != 0x2f && $0 != 0x3b }
      }
      if text == "*/*" { return true }
      if text.hasPrefix("*+") { return token(text.dropFirst(2)) }
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      return parts.count == 2 && token(parts[0]) && (parts[1] == "*" || token(parts[1]))
    })
}
