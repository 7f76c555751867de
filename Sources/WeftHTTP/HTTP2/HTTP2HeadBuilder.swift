import WeftIO

/// Makes a `MessageHead` of the fields of one HTTP/2 header section, one after the other (RFC 9113 8).
///
/// The framing layer has checked what RFC 9113 8.1.1 and 8.3 make malformed: order, repetition and presence of pseudo
/// fields, upper case, characters that no field may have, fields of connections. What is checked here is what a request
/// needs to be written as HTTP/1.1 without saying anything else: the same strictness that received HTTP/1.1 meets.
public struct HTTP2HeadBuilder {
  private var size = 0
  private var hostRow = -1
  private var authority = TextReference()
  private var hasAuthority = false
  private var hasLength = false
  private var length: UInt64 = 0
  private var cookies = 0
  private var tunnelProtocol: TextReference?
  private var fault: HTTP2HeadError?
  /// The section is no head.
  public private(set) var isTrailers = false
  /// The stream's context, as long as nobody can have changed it: within one call of `HTTP2Session.receive`.
  var context: UnsafeMutableRawPointer?

  public init() {}

  /// Begins another head in `m`.
  public mutating func begin(_ m: inout MessageHead) {
    self = HTTP2HeadBuilder()
    m.reset()
    m.version = .http2
  }

  // MARK: Fields

  /// Takes one field of a request. After a fault the rest is ignored.
  public mutating func addRequest(_ name: Bytes, _ value: Bytes, to m: inout MessageHead, limits: HTTPLimits) {
    if fault != nil || !counts(name, value, m, limits) { return }
    if name.count > 0 && name[0] == 0x3a { return addRequestPseudo(name, value, &m, limits) }
    let known = KnownHeader.classify(name.base, name.count)
    switch known {
    case .other: break
    case .host:
      if hostRow >= 0 || !HostSyntax.isHostField(value, readable: value.count) { return refuse(.authorityInvalid) }
      hostRow = m.headers.count
    case .contentLength: if !takeLength(value) { return }
    case .cookie: cookies &+= 1
    case .te: m.acceptsTrailers = value.equalsIgnoringCase(Bytes("trailers"))
    case .expect:
      if !value.equalsIgnoringCase(Bytes("100-continue")) { return refuse(.expectationFailed) }
      m.expectsContinue = true
    case .connection, .transferEncoding, .upgrade, .keepAlive, .proxyConnection: return refuse(.connectionField)
    default: break
    }
    append(name, value, known, &m)
  }

  private mutating func addRequestPseudo(
    _ name: Bytes, _ value: Bytes, _ m: inout MessageHead, _ limits: HTTPLimits
  ) {
    switch name.count {
    case 7 where name == Bytes(":method"):
      if !HeaderTable.isFieldName(value) { return refuse(.methodInvalid) }
      if !m.setMethod(value) { refuse(.headTooLarge) }
    case 5 where name == Bytes(":path"):
      if !MessageHead.isTarget(value) { return refuse(.targetInvalid) }
      if value.count > limits.maxRequestLine { return refuse(.headTooLarge) }
      if !m.setTarget(value) { return refuse(.headTooLarge) }
      m.originalTarget = m.target
    case 10 where name == Bytes(":authority"):
      if !HostSyntax.isHostField(value, readable: value.count) { return refuse(.authorityInvalid) }
      guard let stored = m.headers.store(value) else { return refuse(.headTooLarge) }
      authority = stored
      hasAuthority = true
    case 9 where name == Bytes(":protocol"):
      if !value.equalsIgnoringCase(Bytes("websocket")) { return refuse(.protocolUnknown) }
      guard let stored = m.headers.store(value) else { return refuse(.headTooLarge) }
      tunnelProtocol = stored
    default: break
    }
  }

  /// Takes one field of a response. After a fault the rest is ignored.
  public mutating func addResponse(_ name: Bytes, _ value: Bytes, to m: inout MessageHead, limits: HTTPLimits) {
    if fault != nil || !counts(name, value, m, limits) { return }
    if name.count > 0 && name[0] == 0x3a {
      if name == Bytes(":status"), let status = value.decimal { m.setStatus(Int(truncatingIfNeeded: status)) }
      return
    }
    let known = KnownHeader.classify(name.base, name.count)
    switch known {
    case .contentLength: if !takeLength(value) { return }
    case .connection, .transferEncoding, .upgrade, .keepAlive, .proxyConnection: return refuse(.connectionField)
    default: break
    }
    append(name, value, known, &m)
  }

  /// Takes one trailer field. Fields that must stand in the head are refused, as those of HTTP/1.1 are.
  public mutating func addTrailer(_ name: Bytes, _ value: Bytes, to t: inout HeaderTable, limits: HTTPLimits) {
    if fault != nil { return }
    size &+= name.count &+ value.count &+ 32
    if size > limits.headLimit || t.count >= limits.maxFields { return refuse(.headTooLarge) }
    if name.count > 0 && name[0] == 0x3a { return refuse(.connectionField) }
    if TrailerScanner.isForbidden(name) { return refuse(.connectionField) }
    if !HeaderTable.isFieldValue(value) { return refuse(.fieldValueInvalid) }
    if !t.add(name, value, known: KnownHeader.classify(name.base, name.count)) { refuse(.headTooLarge) }
  }

  /// Begins a trailer section.
  public mutating func beginTrailers() {
    self = HTTP2HeadBuilder()
    isTrailers = true
  }

  /// What the trailer section lacks; nil when it is fine.
  public var trailerFault: HTTP2HeadError? { fault }

  // MARK: The end

  /// What follows from all fields of a request together.
  /// - Parameter endsStream: no body follows.
  /// - Returns: why the request is refused; nil when it is fine.
  public mutating func finishRequest(_ m: inout MessageHead, endsStream: Bool) -> HTTP2HeadError? {
    if let fault { return fault }
    // RFC 9113 8.3.1: :authority becomes Host; where both stand they must say the same.
    if hasAuthority && authority.count > 0 {
      let named = m.headers.text(authority)
      if hostRow >= 0 {
        if !equal(m.headers.value(at: hostRow), named) { return .authorityConflict }
      } else if !m.headers.add(Bytes("host"), named, known: .host) {
        return .tooManyFields
      }
    } else if hostRow < 0 {
      return .authorityMissing
    }
    if m.method == .connect {
      m.framing = .none
      guard let tunnelProtocol else { return nil }
      // RFC 8441 5: the request that an Upgrade of HTTP/1.1 would be. What follows the head is no body of it.
      if hasLength { return .contentLengthInvalid }
      if !m.setMethod(Bytes("GET")) { return .headTooLarge }
      m.upgrade = true
      m.upgradeProtocol = tunnelProtocol
    }
    if m.target.count == 0 { return .targetInvalid }
    if cookies > 1 && !joinCookies(&m) { return .tooManyFields }
    if m.upgrade { return nil }
    m.framing = endsStream ? .none : hasLength && length > 0 ? .length(length) : .untilClose
    return nil
  }

  /// What follows from all fields of a response together.
  public mutating func finishResponse(
    _ m: inout MessageHead, to method: Method, endsStream: Bool
  ) -> HTTP2HeadError? {
    if let fault { return fault }
    if m.status < 100 || m.status > 999 { return .fieldValueInvalid }
    if m.status < 200 || m.status == 204 || m.status == 304 || method == .head || endsStream {
      m.framing = .none
      if m.status < 200 || m.status == 204 { m.headers.remove(.contentLength) }
    } else {
      m.framing = hasLength && length > 0 ? .length(length) : .untilClose
    }
    return nil
  }

  // MARK: Parts

  private mutating func refuse(_ error: HTTP2HeadError) { fault = error }

  private mutating func counts(_ name: Bytes, _ value: Bytes, _ m: borrowing MessageHead, _ limits: HTTPLimits) -> Bool
  {
    size &+= name.count &+ value.count &+ 32
    if size > limits.headLimit { fault = .headTooLarge }
    if m.headers.count >= limits.maxFields { fault = .tooManyFields }
    return fault == nil
  }

  private mutating func append(_ name: Bytes, _ value: Bytes, _ known: KnownHeader, _ m: inout MessageHead) {
    // A name or value that could not stand on a line of its own must not reach an HTTP/1.1 upstream.
    if !HeaderTable.isFieldName(name) || !HeaderTable.isFieldValue(value) { return refuse(.fieldValueInvalid) }
    if !m.headers.add(name, value, known: known) { refuse(.tooManyFields) }
  }

  private mutating func takeLength(_ value: Bytes) -> Bool {
    guard let n = value.decimal, n <= UInt64(Int64.max), !hasLength else {
      refuse(.contentLengthInvalid)
      return false
    }
    hasLength = true
    length = n
    return true
  }

  /// The pieces of a cookie are one field again where HTTP/1.1 may be spoken (RFC 9113 8.2.3).
  private func joinCookies(_ m: inout MessageHead) -> Bool {
    var count = 0
    var row = m.headers.find(.cookie)
    while let i = row {
      count &+= m.headers.value(at: i).count &+ 2
      row = m.headers.find(.cookie, from: i &+ 1)
    }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { memory in
      guard let base = memory.baseAddress else { return false }
      var w = ByteWriter(base, count)
      var row = m.headers.find(.cookie)
      while let i = row {
        if w.count > 0 { w.append("; ") }
        w.append(m.headers.value(at: i))
        m.headers.remove(at: i)
        row = m.headers.find(.cookie, from: i &+ 1)
      }
      return m.headers.add(Bytes("cookie"), w.bytes, known: .cookie)
    }
  }

  private func equal(_ a: Bytes, _ b: Bytes) -> Bool {
    if a.count != b.count { return false }
    var i = 0
    while i < a.count {
      if asciiLower(a[i]) != asciiLower(b[i]) { return false }
      i &+= 1
    }
    return true
  }
}
