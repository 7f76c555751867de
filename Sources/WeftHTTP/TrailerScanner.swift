import WeftIO

/// The trailer section of a chunked body (RFC 9112 7.1.2), byte by byte.
struct TrailerScanner {
  enum State: UInt8 { case lineStart, name, space, value, lineLF, endLF, end, failed }

  /// Bytes of the whole section.
  private static var byteLimit: Int { 8 * 1024 }
  private static var fieldLimit: Int { 64 }

  private(set) var state = State.lineStart
  private(set) var fault = HTTPParseError.trailerInvalid
  private var bytes = 0
  private var fieldCount = 0
  /// The start of the current name: as much as the longest forbidden one has, and one byte to tell longer ones.
  private var nameHead: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  // The current or the last line, in offsets from its start.
  private(set) var nameLength = 0
  private(set) var valueStart = 0
  private(set) var valueEnd = 0
  private(set) var lineLength = 0

  /// The last line is exactly `name: value CRLF`.
  var isRegular: Bool { valueStart == nameLength &+ 2 && lineLength == valueEnd &+ 2 }

  /// Reads until a line or the section ends, or a fault.
  /// - Returns: index of the first byte that was not read.
  mutating func read(_ p: BytePointer, _ n: Int, from: Int) -> Int {
    var i = from
    while i < n {
      if bytes == Self.byteLimit {
        fail(.trailersTooLarge)
        return i
      }
      let c = p[i]
      i &+= 1
      bytes &+= 1
      switch state {
      case .lineStart: startLine(c)
      case .name: readName(c)
      case .space, .value: readValue(c)
      case .lineLF:
        lineLength &+= 1
        if c != 0x0a {
          fail(.trailerInvalid)
        } else {
          state = .lineStart
          return i
        }
      case .endLF:
        if c == 0x0a { state = .end } else { fail(.trailerInvalid) }
      case .end, .failed: return i &- 1
      }
      if state == .failed || state == .end { return i }
    }
    return n
  }

  private mutating func fail(_ error: HTTPParseError) {
    fault = error
    state = .failed
  }

  private mutating func startLine(_ c: UInt8) {
    if c == 0x0d {
      state = .endLF
      return
    }
    if fieldCount == Self.fieldLimit { return fail(.trailersTooLarge) }
    fieldCount &+= 1
    nameLength = 0
    lineLength = 0
    state = .name
    readName(c)
  }

  private mutating func readName(_ c: UInt8) {
    if HTTP1Parser.isToken(c) {
      if nameLength < MemoryLayout.size(ofValue: nameHead) {
        withUnsafeMutableBytes(of: &nameHead) { $0[nameLength] = asciiLower(c) }
      }
      nameLength &+= 1
    } else if c != 0x3a || nameLength == 0 {
      return fail(.trailerInvalid)
    } else if isForbidden {
      return fail(.trailerForbidden)
    } else {
      state = .space
    }
    lineLength &+= 1
  }

  private mutating func readValue(_ c: UInt8) {
    let isSpace = c == 0x20 || c == 0x09
    if c == 0x0d {
      if state == .space {
        valueStart = lineLength
        valueEnd = lineLength
      }
      state = .lineLF
    } else if (c < 0x20 && c != 0x09) || c == 0x7f {
      return fail(.trailerInvalid)
    } else if !isSpace {
      if state == .space { valueStart = lineLength }
      valueEnd = lineLength &+ 1
      state = .value
    }
    lineLength &+= 1
  }

  private var isForbidden: Bool {
    if nameLength >= MemoryLayout.size(ofValue: nameHead) { return false }
    return withUnsafeBytes(of: nameHead) { raw in
      guard let base = raw.bindMemory(to: UInt8.self).baseAddress else { return true }
      return Self.isForbidden(Bytes(base, nameLength))
    }
  }

  /// Fields about framing, routing, the connection, authentication or how content is read (RFC 9110 6.5.1): a reader that
  /// merges trailers into the head must not be misled by them. `name` must be in lower case.
  static func isForbidden(_ name: Bytes) -> Bool {
    switch KnownHeader.classify(name.base, name.count) {
    case .host, .connection, .contentLength, .transferEncoding, .keepAlive, .proxyConnection, .te, .trailer, .upgrade,
      .expect, .xForwardedFor, .xForwardedProto, .xForwardedHost, .forwarded, .contentType, .contentEncoding, .cookie,
      .authorization:
      return true
    case .other:
      return name == Bytes("content-range") || name == Bytes("set-cookie") || name == Bytes("proxy-authorization")
        || name == Bytes("cache-control") || name == Bytes("max-forwards")
    default: return false
    }
  }
}
