import WeftIO

/// Fields that the proxy itself must recognise while it parses, so that later look-ups compare one byte.
public enum KnownHeader: UInt8, Sendable {
  case other
  case host, connection, contentLength, transferEncoding, keepAlive, proxyConnection, te, trailer, upgrade, expect
  case xForwardedFor, xForwardedProto, xForwardedHost, forwarded, xRequestID, via
  case userAgent, referer, contentType, contentEncoding, acceptEncoding, origin, location, server, date, vary, etag
  case cookie, authorization

  /// Classifies a valid token by length and content. Case is folded with `| 0x20`, which maps no other token character
  /// onto the letters or hyphen compared here but `\r`, and that is no token character.
  @inlinable @inline(__always)
  public static func classify(_ p: BytePointer, _ n: Int) -> KnownHeader {
    switch n {
    case 2: return same(p, "te") ? .te : .other
    case 3: return same(p, "via") ? .via : .other
    case 4:
      if same(p, "host") { return .host }
      if same(p, "date") { return .date }
      if same(p, "vary") { return .vary }
      return same(p, "etag") ? .etag : .other
    case 6:
      if same(p, "cookie") { return .cookie }
      if same(p, "origin") { return .origin }
      if same(p, "server") { return .server }
      return same(p, "expect") ? .expect : .other
    case 7:
      if same(p, "upgrade") { return .upgrade }
      if same(p, "referer") { return .referer }
      return same(p, "trailer") ? .trailer : .other
    case 8: return same(p, "location") ? .location : .other
    case 9: return same(p, "forwarded") ? .forwarded : .other
    case 10:
      if same(p, "connection") { return .connection }
      if same(p, "user-agent") { return .userAgent }
      return same(p, "keep-alive") ? .keepAlive : .other
    case 12:
      if same(p, "content-type") { return .contentType }
      return same(p, "x-request-id") ? .xRequestID : .other
    case 13: return same(p, "authorization") ? .authorization : .other
    case 14: return same(p, "content-length") ? .contentLength : .other
    case 15:
      if same(p, "accept-encoding") { return .acceptEncoding }
      return same(p, "x-forwarded-for") ? .xForwardedFor : .other
    case 16:
      if same(p, "content-encoding") { return .contentEncoding }
      if same(p, "x-forwarded-host") { return .xForwardedHost }
      return same(p, "proxy-connection") ? .proxyConnection : .other
    case 17:
      if same(p, "x-forwarded-proto") { return .xForwardedProto }
      return same(p, "transfer-encoding") ? .transferEncoding : .other
    default: return .other
    }
  }

  @inlinable @inline(__always)
  static func same(_ p: BytePointer, _ s: StaticString) -> Bool {
    let q = s.utf8Start
    let n = s.utf8CodeUnitCount
    if p[0] | 0x20 != q[0] || p[n &- 1] | 0x20 != q[n &- 1] { return false }
    var i = 1
    while i < n &- 1 {
      if p[i] | 0x20 != q[i] { return false }
      i &+= 1
    }
    return true
  }
}
