import WeftIO

/// Origins (RFC 6454) that a CORS policy allows: one, or all whose host ends alike.
struct OriginPattern: Sendable {
  private let isTLS: Bool
  private let port: UInt16
  /// In lower case; of a wildcard, what follows the `*`.
  private let host: OwnedBytes
  private let isWildcard: Bool

  /// - Parameter text: scheme, host and perhaps port; the host may begin with `*`.
  init?(_ text: String) {
    let bytes = OwnedBytes(text.lowercased())
    guard let parts = OriginPattern.parts(bytes.bytes) else { return nil }
    isTLS = parts.isTLS
    port = parts.port
    isWildcard = parts.host.count > 0 && parts.host[0] == 0x2a
    host = OwnedBytes(isWildcard ? parts.host.slice(1, parts.host.count) : parts.host)
    withExtendedLifetime(bytes) {}
  }

  /// Whether an Origin field means this origin, or one of these.
  func matches(_ origin: Bytes) -> Bool {
    guard let parts = OriginPattern.parts(origin), parts.isTLS == isTLS, parts.port == port else { return false }
    let wanted = host.bytes
    if !isWildcard { return parts.host.equalsIgnoringCase(wanted) }
    // The `*` stands for something, labels and periods included.
    if parts.host.count <= wanted.count { return false }
    return parts.host.slice(parts.host.count &- wanted.count, parts.host.count).equalsIgnoringCase(wanted)
  }

  private static func parts(_ origin: Bytes) -> (isTLS: Bool, host: Bytes, port: UInt16)? {
    guard let colon = origin.firstIndex(of: 0x3a), origin.slice(colon, colon &+ 3) == Bytes("://") else { return nil }
    let scheme = origin.slice(0, colon)
    let isTLS = scheme.equalsIgnoringCase(Bytes("https"))
    if !isTLS && !scheme.equalsIgnoringCase(Bytes("http")) { return nil }
    let authority = origin.slice(colon &+ 3, origin.count)
    var end = authority.count
    if authority.count > 0 && authority[0] == 0x5b {
      end = (authority.firstIndex(of: 0x5d) ?? -1) &+ 1
    } else if let found = authority.firstIndex(of: 0x3a) {
      end = found
    }
    if end <= 0 { return nil }
    if end == authority.count { return (isTLS, authority, isTLS ? 443 : 80) }
    guard authority[end] == 0x3a, let number = authority.slice(end &+ 1, authority.count).decimal,
      let port = UInt16(exactly: number)
    else { return nil }
    return (isTLS, authority.slice(0, end), port)
  }
}
