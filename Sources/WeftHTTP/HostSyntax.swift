import Glibc
import WeftIO

/// `host [":" port]`, as it stands in Host and in a request target (RFC 9110 7.2, RFC 3986 3.2.2).
///
/// Stricter than the grammar: a name has letters, digits, `-`, `.`, `_` and `~`, and no percent-encoding or sub-delims,
/// which no DNS name has and which programs along the way decode differently.
enum HostSyntax {
  /// Longest name (RFC 3986 3.2.2).
  static let maxName = 255

  /// Whether `value` is valid as a Host field. An empty one is (RFC 9112 3.2).
  /// - Parameter readable: how many bytes may be read where it begins.
  @inline(__always)
  static func isHostField(_ value: Bytes, readable: Int) -> Bool {
    value.isEmpty || isAuthority(value, needsPort: false, readable: readable)
  }

  static func isAuthority(_ value: Bytes, needsPort: Bool) -> Bool {
    isAuthority(value, needsPort: needsPort, readable: value.count)
  }

  private static func isAuthority(_ value: Bytes, needsPort: Bool, readable: Int) -> Bool {
    let p = value.base
    let n = value.count
    if n == 0 { return false }
    var i = 0
    if p[0] == 0x5b {
      while i < n && p[i] != 0x5d { i &+= 1 }
      if i == n || !isIPv6(Bytes(p + 1, i &- 1)) { return false }
      i &+= 1
    } else {
      i = ByteScan.hostName(p, n, readable: readable)
      if i == 0 || i > maxName { return false }
    }
    if i == n { return !needsPort }
    return p[i] == 0x3a && isPort(Bytes(p + (i &+ 1), n &- i &- 1))
  }

  private static func isPort(_ digits: Bytes) -> Bool {
    guard digits.count <= 5, let port = digits.decimal else { return false }
    return port != 0 && port <= 65535
  }

  /// An address without a zone.
  private static func isIPv6(_ text: Bytes) -> Bool {
    if text.count < 2 || text.count > 45 { return false }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { buffer in
      guard let c = buffer.baseAddress else { return false }
      var i = 0
      while i < text.count {
        // A NUL would end the text that inet_pton sees.
        if text[i] == 0 { return false }
        c[i] = CChar(bitPattern: text[i])
        i &+= 1
      }
      c[i] = 0
      var address = in6_addr()
      return inet_pton(AF_INET6, c, &address) == 1
    }
  }
}
