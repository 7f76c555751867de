/// What a string must look like: a check that says what is wrong.
public struct StringRule: Sendable {
  /// Nil when the string is fine, otherwise what is wrong with it, to stand after the field's path.
  public let problem: @Sendable (String) -> String?

  public init(_ problem: @escaping @Sendable (String) -> String?) {
    self.problem = problem
  }

  /// A rule that is described by one sentence about what is allowed.
  public init(_ allowed: String, _ matches: @escaping @Sendable (String) -> Bool) {
    problem = { matches($0) ? nil : "\"\($0.prefix(80))\" is not allowed; \(allowed)" }
  }

  /// The count of Unicode scalars.
  public static func length(_ range: ClosedRange<Int>) -> StringRule {
    StringRule { text in
      let count = text.unicodeScalars.count
      if range.contains(count) { return nil }
      if text.isEmpty { return "must not be empty" }
      return "has \(count) characters; allowed are \(range.lowerBound) to \(range.upperBound)"
    }
  }

  /// RFC 1123 label: names of Kubernetes Services and ports.
  public static let dnsLabel = StringRule(
    "use up to 63 lower-case letters, digits and \"-\", with a letter or digit at both ends", DNSName.isLabel)

  /// RFC 1123 subdomain: names of most Kubernetes resources.
  public static let dnsSubdomain = StringRule(
    "use up to 253 lower-case letters, digits, \"-\" and \".\", with a letter or digit at both ends of each label",
    DNSName.isSubdomain)

  /// A host name without a wildcard (Gateway API PreciseHostname); no IP address.
  public static let hostname = StringRule(
    "use a lower-case DNS name such as \"api.example.com\", not an address",
    { DNSName.isSubdomain($0) && !DNSName.looksLikeIPv4($0) })

  /// A host name whose first label may be `*` (Gateway API Hostname); no IP address.
  public static let wildcardHostname = StringRule(
    "use a lower-case DNS name such as \"api.example.com\" or \"*.example.com\", not an address",
    { name in
      if name.hasPrefix("*.") { return name.utf8.count <= 253 && DNSName.isSubdomain(String(name.dropFirst(2))) }
      return DNSName.isSubdomain(name) && !DNSName.looksLikeIPv4(name)
    })

  /// An HTTP field name (RFC 9110 section 5.1), as the Gateway API bounds it.
  public static let headerName = StringRule(
    "an HTTP field name has 1 to 256 letters, digits and !#$%&'*+-.^_`|~",
    { (1...256).contains($0.utf8.count) && $0.utf8.allSatisfy(HTTPToken.isTokenByte) })

  /// An HTTP field value (RFC 9110 section 5.5): no control characters other than tab, no space at the ends.
  public static let headerValue = StringRule(
    "an HTTP field value has no control characters, and no space at its ends",
    { value in
      let blank: (UInt8?) -> Bool = { $0 == 0x20 || $0 == 0x09 }
      return !blank(value.utf8.first) && !blank(value.utf8.last)
        && value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }
    })

  /// A path that begins with a slash.
  public static let absolutePath = StringRule("a path begins with \"/\"", { $0.hasPrefix("/") })
}

/// Names of hosts and resources (RFC 1123).
enum DNSName {
  static func isLabel(_ text: String) -> Bool {
    (1...63).contains(text.utf8.count) && isLabelText(text.utf8[...])
  }

  static func isSubdomain(_ text: String) -> Bool {
    guard (1...253).contains(text.utf8.count) else { return false }
    return text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy(isLabelText)
  }

  /// Four numbers between dots: an address, or a mistaken one, but no name.
  static func looksLikeIPv4(_ text: String) -> Bool {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0 &- UInt8(ascii: "0") < 10 } }
  }

  private static func isLabelText(_ text: Substring.UTF8View) -> Bool {
    guard let first = text.first, let last = text.last else { return false }
    return first != UInt8(ascii: "-") && last != UInt8(ascii: "-")
      && text.allSatisfy { byte in
        byte &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "-")
      }
  }
}

/// Tokens of HTTP (RFC 9110 section 5.6.2).
enum HTTPToken {
  static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
      true
    default: false
    }
  }
}
