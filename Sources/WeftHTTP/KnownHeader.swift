import WeftIO

/// Fields that the proxy itself must recognise while it parses, so that later look-ups compare one byte.
public enum KnownHeader: UInt8, Sendable {
  case other
  case host, connection, contentLength, transferEncoding, keepAlive, proxyConnection, te, trailer, upgrade, expect
  case xForwardedFor, xForwardedProto, xForwardedHost, forwarded, xRequestID, via
  case userAgent, referer, contentType, contentEncoding, acceptEncoding, origin, location, server, date, vary, etag
  case cookie, authorization

  /// One bit for each kind, for sets of them.
  @inlinable @inline(__always) var bit: UInt64 { 1 &<< UInt64(rawValue) }

  /// Classifies a valid token. Case is folded with `| 0x20`, which maps no other token character onto the letters and
  /// hyphens compared here but `\r`, and that is no token character.
  @inlinable @inline(__always)
  public static func classify(_ p: BytePointer, _ n: Int) -> KnownHeader {
    if n >= 8 { return n <= 17 ? classifyLong(p, n) : .other }
    if n >= 4 { return classifyShort(p, n) }
    if n == 3 && p[0] | 0x20 == 0x76 && p[1] | 0x20 == 0x69 && p[2] | 0x20 == 0x61 { return .via }
    return n == 2 && p[0] | 0x20 == 0x74 && p[1] | 0x20 == 0x65 ? .te : .other
  }

  /// 4 to 7 bytes, as two words of four that may overlap.
  @inlinable @inline(__always)
  static func classifyShort(_ p: BytePointer, _ n: Int) -> KnownHeader {
    let name = shortKey(p, n)
    switch n {
    case 4:
      if name == shortKey("host") { return .host }
      if name == shortKey("date") { return .date }
      if name == shortKey("vary") { return .vary }
      return name == shortKey("etag") ? .etag : .other
    case 6:
      if name == shortKey("cookie") { return .cookie }
      if name == shortKey("origin") { return .origin }
      if name == shortKey("server") { return .server }
      return name == shortKey("expect") ? .expect : .other
    case 7:
      if name == shortKey("upgrade") { return .upgrade }
      if name == shortKey("referer") { return .referer }
      return name == shortKey("trailer") ? .trailer : .other
    default: return .other
    }
  }

  /// 8 to 17 bytes, as two words of eight that may overlap. Only of 17 bytes do they leave out one, which is compared
  /// alone.
  @inlinable @inline(__always)
  static func classifyLong(_ p: BytePointer, _ n: Int) -> KnownHeader {
    let head = word(p)
    let tail = word(p + (n &- 8))
    switch n {
    case 8: return same(head, tail, "location") ? .location : .other
    case 9: return same(head, tail, "forwarded") ? .forwarded : .other
    case 10:
      if same(head, tail, "user-agent") { return .userAgent }
      if same(head, tail, "connection") { return .connection }
      return same(head, tail, "keep-alive") ? .keepAlive : .other
    case 12:
      if same(head, tail, "content-type") { return .contentType }
      return same(head, tail, "x-request-id") ? .xRequestID : .other
    case 13: return same(head, tail, "authorization") ? .authorization : .other
    case 14: return same(head, tail, "content-length") ? .contentLength : .other
    case 15:
      if same(head, tail, "accept-encoding") { return .acceptEncoding }
      return same(head, tail, "x-forwarded-for") ? .xForwardedFor : .other
    case 16:
      if same(head, tail, "content-encoding") { return .contentEncoding }
      if same(head, tail, "x-forwarded-host") { return .xForwardedHost }
      return same(head, tail, "proxy-connection") ? .proxyConnection : .other
    case 17:
      if same(head, tail, "x-forwarded-proto") { return p[8] | 0x20 == 0x64 ? .xForwardedProto : .other }
      return same(head, tail, "transfer-encoding") && p[8] | 0x20 == 0x2d ? .transferEncoding : .other
    default: return .other
    }
  }

  @inlinable @inline(__always)
  static func word(_ p: BytePointer) -> UInt64 {
    UnsafeRawPointer(p).loadUnaligned(as: UInt64.self) | 0x2020_2020_2020_2020
  }

  @inlinable @inline(__always)
  static func same(_ head: UInt64, _ tail: UInt64, _ name: StaticString) -> Bool {
    let p = name.utf8Start
    return head == word(p) && tail == word(p + (name.utf8CodeUnitCount &- 8))
  }

  @inlinable @inline(__always)
  static func shortKey(_ p: BytePointer, _ n: Int) -> UInt64 {
    let head = UnsafeRawPointer(p).loadUnaligned(as: UInt32.self)
    let tail = UnsafeRawPointer(p + (n &- 4)).loadUnaligned(as: UInt32.self)
    return (UInt64(head) | UInt64(tail) &<< 32) | 0x2020_2020_2020_2020
  }

  @inlinable @inline(__always)
  static func shortKey(_ name: StaticString) -> UInt64 { shortKey(name.utf8Start, name.utf8CodeUnitCount) }
}
