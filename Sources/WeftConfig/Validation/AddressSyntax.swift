import Glibc

/// The text forms of addresses.
enum AddressSyntax {
  static func isIPv4(_ text: String) -> Bool {
    var address = in_addr()
    return inet_pton(AF_INET, text, &address) == 1
  }

  static func isIPv6(_ text: String) -> Bool {
    var address = in6_addr()
    return inet_pton(AF_INET6, text, &address) == 1
  }

  static func isIP(_ text: String) -> Bool { isIPv4(text) || isIPv6(text) }

  /// `10.0.0.0/8`, `2001:db8::/32`, or a single address.
  static func isCIDR(_ text: String) -> Bool {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = parts.first.map(String.init) else { return false }
    let width = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1
    guard width >= 0 else { return false }
    guard parts.count == 2 else { return true }
    guard parts[1].utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }), let prefix = Int(parts[1]) else { return false }
    return prefix <= width
  }

  /// `10.0.0.2`, `10.0.0.2:5353`, `2001:db8::2` or `[2001:db8::2]:5353`.
  static func isServer(_ text: String) -> Bool {
    if isIP(text) { return true }
    guard let colon = text.lastIndex(of: ":"), port(text[text.index(after: colon)...]) != nil else { return false }
    let host = text[..<colon]
    return host.hasPrefix("[") && host.hasSuffix("]")
      ? isIPv6(String(host.dropFirst().dropLast())) : isIPv4(String(host))
  }

  /// A port in decimal digits.
  static func port(_ text: Substring) -> Int? {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
      let port = Int(text), Bounds.port.contains(port)
    else { return nil }
    return port
  }
}

extension StringRule {
  /// An IP address or a network in CIDR form.
  static let cidr = StringRule(
    "use an address or a network such as 10.0.0.0/8 or 2001:db8::/32", AddressSyntax.isCIDR)

  /// An IP address, with a port or without.
  static let server = StringRule(
    "use an address such as 10.0.0.2, 10.0.0.2:5353 or [2001:db8::2]:53", AddressSyntax.isServer)
}
