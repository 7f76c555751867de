import CLinux
import WeftIO

/// What the fields of one head say about its framing and its connection, collected while they are read.
struct FieldFindings {
  struct Marks: OptionSet {
    let rawValue: UInt16
    static var host: Marks { Marks(rawValue: 1) }
    static var contentLength: Marks { Marks(rawValue: 2) }
    static var chunked: Marks { Marks(rawValue: 4) }
    static var close: Marks { Marks(rawValue: 8) }
    static var keepAlive: Marks { Marks(rawValue: 16) }
    /// Connection names fields that must be looked for.
    static var namesFields: Marks { Marks(rawValue: 32) }
    static var namesUpgrade: Marks { Marks(rawValue: 64) }
    static var upgrade: Marks { Marks(rawValue: 128) }
    static var upgradeRepeated: Marks { Marks(rawValue: 256) }
    static var expectsContinue: Marks { Marks(rawValue: 512) }
    static var acceptsTrailers: Marks { Marks(rawValue: 1024) }
    /// Connection is not a list of tokens.
    static var connectionInvalid: Marks { Marks(rawValue: 2048) }
    /// Any of those that the usual message has not.
    static var unusual: Marks { Marks(rawValue: 32 | 64 | 512 | 1024) }
  }

  var marks: Marks = []
  var contentLength: UInt64 = 0
  var hostRow = 0
  var upgradeRow = 0
}

extension HTTP1Parser {
  /// "HTTP/1.1" and "HTTP/1.0" as little-endian words.
  static var http11: UInt64 { 0x312e_312f_5054_5448 }
  static var http10: UInt64 { 0x302e_312f_5054_5448 }

  @inline(__always) static func isToken(_ c: UInt8) -> Bool { cl_is_token(c) != 0 }

  /// Reads field lines from `from` up to the empty line.
  /// - Parameter n: how many bytes may be read; less than `received` when the head's limit is below it.
  @inline(__always)
  static func fields(
    _ p: BytePointer, _ n: Int, from: Int, received: Int, _ m: inout MessageHead, _ limits: HTTPLimits,
    _ found: inout FieldFindings, isRequest: Bool
  ) -> ParseOutcome {
    var i = from
    while true {
      let nameStart = i
      if n &- i >= 2 && p[i] == 0x0d && p[i &+ 1] == 0x0a { return .complete(headLength: i &+ 2) }
      i = ByteScan.token(p, n, i)
      let nameLength = i &- nameStart
      if nameLength == 0 || n &- i < 3 || p[i] != 0x3a {
        return fieldLineFault(p, n, from: nameStart, received: received)
      }
      var flags: HeaderField.Flags = []
      var valueStart = i &+ 2
      if p[i &+ 1] != 0x20 || p[valueStart] == 0x20 || p[valueStart] == 0x09 {
        valueStart = skipSpace(p, n, i &+ 1)
        flags = .irregular
      }
      i = ByteScan.text(p, n, valueStart)
      if n &- i < 2 || p[i] != 0x0d || p[i &+ 1] != 0x0a {
        return fieldLineFault(p, n, from: nameStart, received: received)
      }
      var valueEnd = i
      if valueEnd > valueStart && (p[valueEnd &- 1] == 0x20 || p[valueEnd &- 1] == 0x09) {
        valueEnd = dropSpace(p, from: valueStart, to: valueEnd)
        flags = .irregular
      }
      i &+= 2

      let known = KnownHeader.classify(p + nameStart, nameLength)
      if known.steersTheParser {
        let value = Bytes(p + valueStart, valueEnd &- valueStart)
        let fault = read(
          known, value, readable: n &- valueStart, m.headers.count, m.version, &found, &flags,
          isRequest: isRequest)
        if let fault {
          return .malformed(fault)
        }
      }
      let field = HeaderField(
        nameStart: nameStart, nameLength: nameLength, valueStart: valueStart, valueLength: valueEnd &- valueStart,
        known: known, flags: flags)
      if m.headers.count >= limits.maxFields || !m.headers.append(field) { return .malformed(.tooManyFields) }
    }
  }

  /// The first byte at or after `from` that is no space.
  @inline(never)
  private static func skipSpace(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    var i = from
    while i < n && (p[i] == 0x20 || p[i] == 0x09) { i &+= 1 }
    return i
  }

  /// Where a value ends without the spaces behind it.
  @inline(never)
  private static func dropSpace(_ p: BytePointer, from start: Int, to end: Int) -> Int {
    var end = end
    while end > start && (p[end &- 1] == 0x20 || p[end &- 1] == 0x09) { end &-= 1 }
    return end
  }

  /// Takes note of one field that concerns framing or the connection.
  /// - Parameter readable: how many bytes may be read where the value begins.
  @inline(__always)
  private static func read(
    _ known: KnownHeader, _ value: Bytes, readable: Int, _ row: Int, _ version: HTTPVersion,
    _ found: inout FieldFindings, _ flags: inout HeaderField.Flags, isRequest: Bool
  ) -> HTTPParseError? {
    switch known {
    case .host:
      if !isRequest { return nil }
      if found.marks.contains(.host) { return .hostRepeated }
      if !HostSyntax.isHostField(value, readable: readable) { return .hostInvalid }
      found.marks.insert(.host)
      found.hostRow = row
    case .contentLength: return contentLength(value, &found)
    case .transferEncoding: return transferEncoding(value, version, &found)
    case .connection:
      flags.insert(.removed)
      found.marks.formUnion(ConnectionOptions.read(value))
      if found.marks.contains(.connectionInvalid) {
        if isRequest { return .connectionInvalid }
        found.marks.insert(.close)
      }
    case .upgrade:
      flags.insert(.removed)
      found.marks.insert(found.marks.contains(.upgrade) ? .upgradeRepeated : .upgrade)
      found.upgradeRow = row
    case .te:
      if isRequest && ConnectionOptions.acceptsTrailers(value) { found.marks.insert(.acceptsTrailers) }
      if !value.equalsIgnoringCase(Bytes("trailers")) { flags.insert(.removed) }
    case .expect:
      if !isRequest { return nil }
      if !value.equalsIgnoringCase(Bytes("100-continue")) { return .expectationFailed }
      found.marks.insert(.expectsContinue)
    case .keepAlive, .proxyConnection: flags.insert(.removed)
    default: break
    }
    return nil
  }

  /// One decimal number and one field only: a list of equal numbers may be taken for one (RFC 9110 8.6), but need not.
  private static func contentLength(_ value: Bytes, _ found: inout FieldFindings) -> HTTPParseError? {
    guard let length = value.decimal, length <= UInt64(Int64.max) else { return .contentLengthInvalid }
    if found.marks.contains(.contentLength) {
      return length == found.contentLength ? .contentLengthRepeated : .contentLengthConflict
    }
    found.marks.insert(.contentLength)
    found.contentLength = length
    return nil
  }

  /// Only `chunked` and only once (RFC 9112 6.1 and 7). Empty list elements and parameters are allowed nowhere: they are
  /// what some parsers overlook.
  private static func transferEncoding(
    _ value: Bytes, _ version: HTTPVersion, _ found: inout FieldFindings
  ) -> HTTPParseError? {
    if version == .http10 { return .transferEncodingInHTTP10 }
    if !found.marks.contains(.chunked) && value.equalsIgnoringCase(Bytes("chunked")) {
      found.marks.insert(.chunked)
      return nil
    }
    var list = ListValue(value)
    while let coding = list.next() {
      if !HeaderTable.isFieldName(coding) { return .transferEncodingInvalid }
      if coding.equalsIgnoringCase(Bytes("chunked")) {
        if found.marks.contains(.chunked) { return .chunkedRepeated }
        found.marks.insert(.chunked)
      } else {
        return found.marks.contains(.chunked) ? .chunkedNotLast : .transferEncodingUnsupported
      }
    }
    return nil
  }
}

extension KnownHeader {
  /// Whether the parser must look at the value, or remove the field.
  @inline(__always)
  var steersTheParser: Bool {
    switch self {
    case .host, .connection, .contentLength, .transferEncoding, .keepAlive, .proxyConnection, .te, .upgrade, .expect:
      true
    default: false
    }
  }
}
