import WeftIO

/// Heads of HTTP/1.0 and HTTP/1.1 messages (RFC 9112), over the received bytes and without copying them.
///
/// Strict: what two parties could read differently is refused. Incremental: the outcome depends on the bytes received
/// so far alone, never on how they were split. A line is judged when its end has come, or the first control character
/// that cannot be in it; so a fault is reported with the line that has it, and before anything that follows.
public enum HTTP1Parser {
  /// Parses the head of a request at `p`, of which `n` bytes have been received.
  ///
  /// One empty line before the request line is skipped (RFC 9112 2.2): it counts in `headLength`, not in
  /// `m.wireLength`. When the head is refused in its request line, `m` has neither method nor target.
  public static func parseRequest(
    _ p: BytePointer, _ n: Int, into m: inout MessageHead, limits: HTTPLimits
  ) -> ParseOutcome {
    var skipped = 0
    if n > 0 && p[0] == 0x0d {
      if n == 1 { return .incomplete }
      if p[1] == 0x0a { skipped = 2 }
    }
    let p = p + skipped
    let n = n &- skipped
    if m.scanned > 0 && isStillIncomplete(p, n, &m, limits) { return .incomplete }
    switch request(p, n, &m, limits) {
    case .complete(let length):
      m.scanned = 0
      m.wireLength = length
      return .complete(headLength: length &+ skipped)
    case .incomplete:
      remember(p, n, &m)
      return .incomplete
    case .malformed(let error):
      m.scanned = 0
      return .malformed(error)
    }
  }

  /// Parses the head of a response at `p`, of which `n` bytes have been received. A response with any fault is to be
  /// answered with 502, whatever `status` the fault has for requests.
  /// - Parameter method: the request's, which decides whether there is a body (RFC 9112 6.3).
  public static func parseResponse(
    _ p: BytePointer, _ n: Int, to method: Method, into m: inout MessageHead, limits: HTTPLimits
  ) -> ParseOutcome {
    if m.scanned > 0 && isStillIncomplete(p, n, &m, limits) { return .incomplete }
    switch response(p, n, method, &m, limits) {
    case .complete(let length):
      m.scanned = 0
      m.wireLength = length
      return .complete(headLength: length)
    case .incomplete:
      remember(p, n, &m)
      return .incomplete
    case .malformed(let error):
      m.scanned = 0
      return .malformed(error)
    }
  }

  // MARK: Resuming

  /// A head with a new control character in it is parsed again from its start, so a head is parsed at most once a line
  /// and the lines are limited; everything else is looked at once.
  private static func isStillIncomplete(
    _ p: BytePointer, _ n: Int, _ m: inout MessageHead, _ limits: HTTPLimits
  ) -> Bool {
    let seen = m.scanned
    if n < seen || n > limits.headLimit { return false }
    if seen <= limits.maxRequestLine && n > limits.maxRequestLine { return false }
    if ByteScan.text(p, n, seen) < n { return false }
    m.scanned = n
    return true
  }

  /// A CR at the end must be seen again: what follows it decides.
  private static func remember(_ p: BytePointer, _ n: Int, _ m: inout MessageHead) {
    m.scanned = n > 0 && p[n &- 1] == 0x0d ? n &- 1 : n
  }

  // MARK: Requests

  @inline(__always)
  private static func request(
    _ p: BytePointer, _ received: Int, _ m: inout MessageHead, _ limits: HTTPLimits
  ) -> ParseOutcome {
    let n = min(received, limits.headLimit)
    m.headers.reset(wire: p)
    m.status = 0
    m.reason = TextReference()

    // Method.
    var i = 0
    if n >= 4 && p[0] == 0x47 && p[1] == 0x45 && p[2] == 0x54 && p[3] == 0x20 {
      m.method = .get
      i = 3
    } else {
      i = ByteScan.token(p, n, 0)
      if i == n || i == 0 || p[i] != 0x20 { return requestLineFault(p, received, &m, limits) }
      m.method = Method(Bytes(p, i))
    }
    m.methodText = TextReference(start: 0, count: i)
    i &+= 1

    // Target.
    let start = i
    i = ByteScan.path(p, n, i)
    var pathEnd = i
    if i < n && p[i] == 0x3f {
      pathEnd = i
      i = ByteScan.query(p, n, i)
    }

    // Version.
    if n &- i < 11 || p[i] != 0x20 { return requestLineFault(p, received, &m, limits) }
    switch ByteScan.load(p + (i &+ 1)) {
    case http11: m.version = .http11
    case http10: m.version = .http10
    default: return requestLineFault(p, received, &m, limits)
    }
    let lineEnd = i &+ 11
    if p[i &+ 9] != 0x0d || p[i &+ 10] != 0x0a || lineEnd > limits.maxRequestLine {
      return requestLineFault(p, received, &m, limits)
    }

    m.target = TextReference(start: start, count: i &- start)
    m.originalTarget = m.target
    m.pathLength = pathEnd &- start
    m.startLineLength = m.version == .http11 ? lineEnd : 0
    var authority = TextReference()
    if p[start] != 0x2f || m.method == .connect {
      if let fault = RequestTarget.resolve(&m, authority: &authority) {
        forgetRequestLine(&m)
        return .malformed(fault)
      }
    }

    var found = FieldFindings()
    let end = fields(p, n, from: lineEnd, received: received, &m, limits, &found, isRequest: true)
    guard case .complete = end else { return end }
    if let fault = finishRequest(&m, &found, authority) { return .malformed(fault) }
    return end
  }

  /// What follows from all fields of a request together.
  @inline(__always)
  private static func finishRequest(
    _ m: inout MessageHead, _ found: inout FieldFindings, _ authority: TextReference
  ) -> HTTPParseError? {
    let marks = found.marks
    if !marks.contains(.host) {
      if m.version == .http11 { return .hostMissing }
      if !addHost(&m, authority) { return .tooManyFields }
    } else if authority.count > 0 {
      replaceHost(&m, at: found.hostRow, authority)
    }
    if marks.contains(.chunked) {
      if marks.contains(.contentLength) { return .contentLengthWithTransferEncoding }
      m.framing = .chunked
    } else if marks.contains(.contentLength) && found.contentLength > 0 {
      m.framing = .length(found.contentLength)
    } else {
      m.framing = .none
    }
    m.keepAlive = !marks.contains(.close) && (m.version == .http11 || marks.contains(.keepAlive))
    m.upgrade = false
    m.upgradeProtocol = TextReference()
    if marks.rawValue & FieldFindings.Marks.unusual.rawValue != 0 {
      m.expectsContinue = marks.contains(.expectsContinue) && m.version == .http11
      m.acceptsTrailers = marks.contains(.acceptsTrailers)
      if m.version == .http11 { ConnectionOptions.upgrade(&m, found) }
      if marks.contains(.namesFields) { ConnectionOptions.removeNamed(&m) }
    } else {
      m.expectsContinue = false
      m.acceptsTrailers = false
    }
    return nil
  }

  /// The authority of an absolute target replaces Host (RFC 9112 3.2.2), in the same row.
  private static func replaceHost(_ m: inout MessageHead, at row: Int, _ authority: TextReference) {
    var field = m.headers[row]
    field.valueStart = authority.start
    field.valueLength = authority.count
    field.flags.insert(.irregular)
    m.headers[row] = field
  }

  /// HTTP/1.0 may lack Host, but the request goes on as HTTP/1.1, which may not: it is empty where no host was named
  /// (RFC 9112 3.2).
  private static func addHost(_ m: inout MessageHead, _ authority: TextReference) -> Bool {
    m.headers.add(Bytes("Host"), m.headers.text(authority), known: .host)
  }

  // MARK: Responses

  @inline(__always)
  private static func response(
    _ p: BytePointer, _ received: Int, _ method: Method, _ m: inout MessageHead, _ limits: HTTPLimits
  ) -> ParseOutcome {
    let n = min(received, limits.headLimit)
    m.headers.reset(wire: p)
    if n < 14 { return statusLineFault(p, n, received: received, &m) }
    switch ByteScan.load(p) {
    case http11: m.version = .http11
    case http10: m.version = .http10
    default: return statusLineFault(p, n, received: received, &m)
    }
    let a = p[9] &- 0x30
    let b = p[10] &- 0x30
    let c = p[11] &- 0x30
    if p[8] != 0x20 || a > 9 || b > 9 || c > 9 || a == 0 {
      return statusLineFault(p, n, received: received, &m)
    }
    m.status = Int(a) &* 100 &+ Int(b) &* 10 &+ Int(c)
    var i = 12
    if p[12] == 0x20 {
      i = ByteScan.text(p, n, 13)
      m.reason = TextReference(start: 13, count: i &- 13)
    } else {
      m.reason = TextReference()
    }
    if n &- i < 2 || p[i] != 0x0d || p[i &+ 1] != 0x0a { return statusLineFault(p, n, received: received, &m) }
    let lineEnd = i &+ 2
    m.startLineLength = m.version == .http11 && i > 12 ? lineEnd : 0

    var found = FieldFindings()
    let end = fields(p, n, from: lineEnd, received: received, &m, limits, &found, isRequest: false)
    guard case .complete = end else { return end }
    if let fault = finishResponse(&m, found, to: method) { return .malformed(fault) }
    return end
  }

  @inline(__always)
  private static func finishResponse(
    _ m: inout MessageHead, _ found: FieldFindings, to method: Method
  ) -> HTTPParseError? {
    let marks = found.marks
    if marks.contains(.chunked) && marks.contains(.contentLength) { return .contentLengthWithTransferEncoding }
    m.keepAlive = !marks.contains(.close) && (m.version == .http11 || marks.contains(.keepAlive))
    m.upgrade = false
    m.upgradeProtocol = TextReference()
    if m.status < 200 || m.status == 204 || (method == .connect && m.status < 300) {
      if let fault = dropFraming(&m, found) { return fault }
    } else if method == .head || m.status == 304 {
      // Content-Length tells what the body would be and stays; a coding is of no use without a body.
      m.framing = .none
      if marks.contains(.chunked) { m.headers.remove(.transferEncoding) }
    } else if marks.contains(.chunked) {
      m.framing = .chunked
    } else if marks.contains(.contentLength) {
      m.framing = found.contentLength > 0 ? .length(found.contentLength) : .none
    } else {
      m.framing = .untilClose
      m.keepAlive = false
    }
    if marks.rawValue & FieldFindings.Marks.unusual.rawValue != 0 {
      if m.status == 101 { ConnectionOptions.upgrade(&m, found) }
      if marks.contains(.namesFields) { ConnectionOptions.removeNamed(&m) }
    }
    return nil
  }

  /// Responses that have no body, whatever they say of one (RFC 9112 6.3): what they say is not passed on. A server
  /// that says so all the same may send one: its connection is not used again.
  private static func dropFraming(_ m: inout MessageHead, _ found: FieldFindings) -> HTTPParseError? {
    m.framing = .none
    if found.marks.contains(.chunked) || found.contentLength > 0 {
      if m.status < 200 { return .interimWithBody }
      m.keepAlive = false
    }
    m.headers.remove(.transferEncoding)
    m.headers.remove(.contentLength)
    return nil
  }
}
