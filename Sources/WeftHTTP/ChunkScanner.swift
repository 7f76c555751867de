import WeftIO

/// The framing of a chunked body (RFC 9112 7.1), byte by byte: everything but the data of the chunks.
///
/// The grammar is enforced in full, for a body that is relayed as it stands must mean the same to whoever reads it next:
/// CRLF and nothing else ends a line, extensions are names with tokens or quoted strings, and white space stands only
/// where the grammar has it.
@usableFromInline
struct ChunkScanner {
  @usableFromInline
  enum State: UInt8 {
    case sizeStart, size, sizeLF
    /// White space behind a size or an extension: only another extension may follow.
    case space
    case nameStart, name, nameSpace, valueStart, value, quoted, escaped, quoteEnd
    case data, dataCR, dataLF
    case trailers, done, failed
  }

  /// How far extensions may run ahead of data, in bytes. A peer cannot make a body of extensions alone, and a long stream
  /// whose every chunk has one is not cut off.
  private static var extensionLead: UInt64 { 4096 }

  @usableFromInline private(set) var state = State.sizeStart
  private var digits: UInt8 = 0
  /// Bytes of the current chunk that are still to come.
  @usableFromInline private(set) var remaining: UInt64 = 0
  @usableFromInline private(set) var dataBytes: UInt64 = 0
  private var extensionBytes: UInt64 = 0
  /// Why the state is `failed`.
  private(set) var fault = HTTPParseError.chunkSizeInvalid
  private(set) var trailer = TrailerScanner()

  @usableFromInline init() {}

  /// Takes note of chunk data: at most `n` bytes, and at most what is left of the chunk. Only in state `data`.
  /// - Returns: how many.
  mutating func takeData(_ n: Int) -> Int {
    let taken = min(UInt64(truncatingIfNeeded: max(n, 0)), remaining)
    remaining &-= taken
    dataBytes &+= taken
    if remaining == 0 { state = .dataCR }
    return Int(truncatingIfNeeded: taken)
  }

  /// Reads framing from `from`, up to the next data, the trailer section or a fault.
  /// - Returns: index of the first byte that was not read.
  mutating func readFraming(_ p: BytePointer, _ n: Int, from: Int) -> Int {
    var i = from
    while i < n {
      let c = p[i]
      switch state {
      case .sizeStart, .size: readSize(c)
      case .sizeLF:
        if c != 0x0a {
          fail(.chunkLineInvalid)
        } else {
          digits = 0
          state = remaining == 0 ? .trailers : .data
        }
      case .dataCR: expect(c, 0x0d, then: .dataLF)
      case .dataLF: expect(c, 0x0a, then: .sizeStart)
      case .space, .nameStart, .name, .nameSpace, .valueStart, .value, .quoted, .escaped, .quoteEnd:
        state = afterExtensionByte(c)
        if state == .failed { fault = c == 0x0a ? .chunkLineInvalid : .chunkExtensionInvalid }
        if state != .sizeLF { countExtensionByte() }
      case .data, .trailers, .done, .failed: return i
      }
      i &+= 1
    }
    return n
  }

  /// Reads one trailer line, or less when its end has not come, or the end of the section. Only in state `trailers`.
  /// - Returns: index of the first byte that was not read.
  mutating func readTrailer(_ p: BytePointer, _ n: Int, from: Int) -> Int {
    let i = trailer.read(p, n, from: from)
    switch trailer.state {
    case .end: state = .done
    case .failed: fail(trailer.fault)
    default: break
    }
    return i
  }

  mutating func fail(_ error: HTTPParseError) {
    fault = error
    state = .failed
  }

  private mutating func expect(_ c: UInt8, _ wanted: UInt8, then next: State) {
    if c != wanted { return fail(.chunkEndInvalid) }
    state = next
  }

  private mutating func readSize(_ c: UInt8) {
    let letter = (c | 0x20) &- 0x61
    if c &- 0x30 < 10 {
      addDigit(c &- 0x30)
    } else if letter < 6 {
      addDigit(letter &+ 10)
    } else if state == .sizeStart {
      fail(.chunkSizeInvalid)
    } else {
      switch c {
      case 0x0d: state = .sizeLF
      case 0x0a: fail(.chunkLineInvalid)
      case 0x3b, 0x20, 0x09:
        state = c == 0x3b ? .nameStart : .space
        countExtensionByte()
      default: fail(.chunkSizeInvalid)
      }
    }
  }

  private mutating func addDigit(_ digit: UInt8) {
    if digits == 16 || remaining > UInt64(Int64.max) &>> 4 { return fail(.chunkSizeTooLarge) }
    digits &+= 1
    remaining = remaining &<< 4 | UInt64(digit)
    state = .size
  }

  private mutating func countExtensionByte() {
    extensionBytes &+= 1
    if extensionBytes > dataBytes &+ Self.extensionLead && state != .failed { fail(.chunkExtensionsTooLong) }
  }

  /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) CRLF` (RFC 9112 7.1.1).
  private func afterExtensionByte(_ c: UInt8) -> State {
    let isSpace = c == 0x20 || c == 0x09
    let isToken = HTTP1Parser.isToken(c)
    switch state {
    case .space: return isSpace ? .space : c == 0x3b ? .nameStart : .failed
    case .nameStart: return isSpace ? .nameStart : isToken ? .name : .failed
    case .name:
      if isToken { return .name }
      return c == 0x3d ? .valueStart : afterExtension(c, spaceLeadsTo: .nameSpace)
    case .nameSpace: return isSpace ? .nameSpace : c == 0x3d ? .valueStart : c == 0x3b ? .nameStart : .failed
    case .valueStart: return isSpace ? .valueStart : c == 0x22 ? .quoted : isToken ? .value : .failed
    case .value: return isToken ? .value : afterExtension(c, spaceLeadsTo: .space)
    case .quoted: return c == 0x22 ? .quoteEnd : c == 0x5c ? .escaped : isText(c) ? .quoted : .failed
    case .escaped: return isText(c) ? .quoted : .failed
    default: return afterExtension(c, spaceLeadsTo: .space)
    }
  }

  private func afterExtension(_ c: UInt8, spaceLeadsTo: State) -> State {
    switch c {
    case 0x0d: .sizeLF
    case 0x3b: .nameStart
    case 0x20, 0x09: spaceLeadsTo
    default: .failed
    }
  }

  private func isText(_ c: UInt8) -> Bool { (c >= 0x20 && c != 0x7f) || c == 0x09 }
}
