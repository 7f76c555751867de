import WeftHTTP
import WeftIO

/// Everything that a parse gives, copied out so that it can be compared.
struct ParsedHead: Equatable {
  struct Row: Equatable {
    var name: String
    var value: String
    var removed: Bool
    var irregular: Bool
  }

  var outcome: ParseOutcome
  var method = Method.other
  var methodText = ""
  var target = ""
  var path = ""
  var query = ""
  var originalTarget = ""
  var status = 0
  var reason = ""
  var minorVersion: UInt8 = 1
  var framing = BodyFraming.none
  var keepAlive = false
  var upgrade = false
  var upgradeProtocol = ""
  var expectsContinue = false
  var acceptsTrailers = false
  var startLineLength = 0
  var wireLength = 0
  var rows: [Row] = []
  /// What the writer makes of the head, its empty line included.
  var written = ""

  var fault: HTTPParseError? {
    if case .malformed(let fault) = outcome { return fault }
    return nil
  }

  var headLength: Int? {
    if case .complete(let length) = outcome { return length }
    return nil
  }

  /// `name: value` of the rows that are passed on.
  var forwarded: [String] { rows.filter { !$0.removed }.map { "\($0.name): \($0.value)" } }

  init(_ outcome: ParseOutcome, _ m: borrowing MessageHead, isRequest: Bool) {
    self.outcome = outcome
    guard case .complete = outcome else { return }
    method = m.method
    methodText = latin1(m.headers.text(m.methodText))
    target = latin1(m.headers.text(m.target))
    path = latin1(m.path)
    query = latin1(m.query)
    originalTarget = latin1(m.headers.text(m.originalTarget))
    status = m.status
    reason = latin1(m.headers.text(m.reason))
    minorVersion = m.version.rawValue
    framing = m.framing
    keepAlive = m.keepAlive
    upgrade = m.upgrade
    upgradeProtocol = latin1(m.headers.text(m.upgradeProtocol))
    expectsContinue = m.expectsContinue
    acceptsTrailers = m.acceptsTrailers
    startLineLength = m.startLineLength
    wireLength = m.wireLength
    rows = ParsedHead.rows(m.headers)
    var space = [UInt8](repeating: 0, count: 2 * m.wireLength + 1024)
    written = space.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return "" }
      var w = ByteWriter(base, buffer.count)
      if isRequest { HTTP1Writer.requestHead(m, into: &w) } else { HTTP1Writer.responseHead(m, into: &w) }
      w.append("\r\n")
      return w.overflow ? "overflow" : latin1(w.bytes)
    }
  }

  static func rows(_ table: borrowing HeaderTable) -> [Row] {
    var rows: [Row] = []
    for i in 0..<table.count {
      rows.append(
        Row(
          name: latin1(table.name(at: i)), value: latin1(table.value(at: i)), removed: table.isRemoved(i),
          irregular: table[i].flags.contains(.irregular)))
    }
    return rows
  }
}

/// One character a byte, so that text with any bytes can be compared and shown.
func latin1(_ b: Bytes) -> String { String(String.UnicodeScalarView(b.array.map { Unicode.Scalar($0) })) }

func bytes(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

/// Calls `body` with a copy of `input` that ends where its memory ends, so that AddressSanitizer sees a read beyond it.
func withExactCopy<R>(_ input: some Collection<UInt8>, _ body: (BytePointer, Int) -> R) -> R {
  let copy = MutableBytePointer.allocate(capacity: max(input.count, 1))
  defer { copy.deallocate() }
  var i = 0
  for byte in input {
    copy[i] = byte
    i += 1
  }
  return body(BytePointer(copy), i)
}

/// Parses `input` in one go.
func parseRequest(_ input: [UInt8], limits: HTTPLimits = HTTPLimits()) -> ParsedHead {
  parse(input, arrivals: [input.count], to: nil, limits: limits)
}

func parseRequest(_ input: String, limits: HTTPLimits = HTTPLimits()) -> ParsedHead {
  parseRequest(bytes(input), limits: limits)
}

func parseResponse(_ input: String, to method: Method = .get, limits: HTTPLimits = HTTPLimits()) -> ParsedHead {
  let input = bytes(input)
  return parse(input, arrivals: [input.count], to: method, limits: limits)
}

/// Parses `input` as it would arrive: after each of the growing lengths in `arrivals` the parser is asked, in memory
/// that is elsewhere each time, until it knows.
/// - Parameter method: of the request that is answered; nil when `input` is a request.
func parse(_ input: [UInt8], arrivals: [Int], to method: Method?, limits: HTTPLimits) -> ParsedHead {
  var head = MessageHead()
  for length in arrivals {
    let parsed = withExactCopy(input[..<length]) { p, n in
      ParsedHead(
        parseHead(p, n, to: method, into: &head, limits: limits), head, isRequest: method == nil)
    }
    if parsed.outcome != .incomplete { return parsed }
  }
  return ParsedHead(.incomplete, head, isRequest: method == nil)
}

/// - Parameter method: of the request that is answered; nil to parse a request.
func parseHead(
  _ p: BytePointer, _ n: Int, to method: Method?, into head: inout MessageHead, limits: HTTPLimits
) -> ParseOutcome {
  if let method { return HTTP1Parser.parseResponse(p, n, to: method, into: &head, limits: limits) }
  return HTTP1Parser.parseRequest(p, n, into: &head, limits: limits)
}
