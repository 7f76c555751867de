import Glibc
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTLS

/// Whole connections that go to a backend: TCPRoute, and TLSRoute with TLS ended here or passed through.
extension Worker {
  /// Bytes of a hello that are looked at.
  private static let helloLimit = ClientHello.sizeLimit + 1024

  /// Looks at a client's hello without taking it off the socket, and decides by its server name.
  func peekHello(_ c: ClientRef) {
    if let l = c.pointee.listener, l.pointee.isOutbound { return sniffOutbound(c, l) }
    if c.pointee.listener?.pointee.acceptsPlain ?? false, !isTLSClient(c) { return }
    guard let table = connectionTable(of: c), table.peeks else {
      // The present configuration, or a listener that had to see the first byte only, leaves nothing to look at.
      c.pointee.phase = .handshake
      return clientHandshake(c)
    }
    let result = Socket.peek(c.pointee.fd, scratch, Self.helloLimit)
    if result.wouldBlock { return }
    if result.raw <= 0 { return handshakeFailed(c, TLSFailure(.closed, "the peer closed the connection")) }
    switch ClientHello.parse(Bytes(BytePointer(scratch), result.raw)) {
    case .incomplete:
      if c.pointee.sawEOF { handshakeFailed(c, TLSFailure(.closed, "the peer closed the connection")) }
    case .malformed: handshakeFailed(c, TLSFailure(.malformed, "the first bytes are no TLS client's"))
    case .complete(let hello):
      let name = hello.serverName
      switch table.action(for: name) {
      case .passThrough(let rule):
        handshakes &-= 1
        startConnection(c, rule, serverName: name)
      case .http, .forward:
        c.pointee.phase = .handshake
        clientHandshake(c)
      case .refuse, nil:
        handshakeFailed(
          c,
          TLSFailure(
            .unknownServerName,
            name.map { "no route is for the server name \"\($0)\"" } ?? "the client gave no server name"))
      }
    }
  }

  /// Whether a client of a listener that takes plain connections, too, begins TLS: its first byte says so, for no request
  /// begins with that of a hello. A plain client is taken at once.
  private func isTLSClient(_ c: ClientRef) -> Bool {
    guard let l = c.pointee.listener else {
      closeClient(c)
      return false
    }
    let result = Socket.peek(c.pointee.fd, scratch, 1)
    if result.wouldBlock { return false }
    if result.raw <= 0 {
      // It went away before it said anything.
      closeClient(c)
      return false
    }
    if scratch[0] == Self.helloRecord { return true }
    context.metrics.counter(families.plainConnections, [l.pointee.name.bytes.string]).add()
    handshakes &-= 1
    c.pointee.phase = .idle
    if let table = connectionTable(of: c) {
      switch table.action(for: nil) {
      case .http: break
      case .forward(let rule):
        startConnection(c, rule)
        return false
      case .passThrough, .refuse, nil:
        closeClient(c)
        return false
      }
    }
    c.pointee.readable = true
    setTimer(c, settings.requestHeaderTimeout)
    readRequests(c)
    return false
  }

  /// The content type of a TLS record with a handshake message (RFC 8446 5.1).
  static let helloRecord: UInt8 = 22

  /// What the present configuration makes of the connections of a client's port; nil: HTTP alone.
  func connectionTable(of c: ClientRef) -> ConnectionTable? {
    guard let (snapshot, listener) = configuration(of: c) else { return nil }
    return snapshot._withUnsafeGuaranteedRef { $0.snapshot.listeners[listener].connections }
  }

  /// Sends the client's bytes to a backend of `rule`, an index in the present configuration.
  /// - Parameter serverName: of a hello that is passed through.
  func startConnection(_ c: ClientRef, _ rule: Int, serverName: String? = nil) {
    guard let (snapshot, listener) = configuration(of: c), let x = beginOpaque(c) else { return closeClient(c) }
    let s = x.pointee.state
    enter(snapshot)
    x.pointee.snapshot = snapshot
    x.pointee.listenerIndex = listener
    snapshot._withUnsafeGuaranteedRef { snapshot in
      let chosen = snapshot.rules + rule
      x.pointee.rule = chosen
      s.pointee.routeName = chosen.pointee.name.bytes
      x.pointee.backend = chosen.pointee.pick(&context.random)
      choose(x, snapshot)
    }
    let name = OwnedBytes(serverName ?? "")
    let isAuthorized = isAuthorized(connection: x, snapshot, listener, serverName: name.bytes)
    withExtendedLifetime(name) {}
    if !isAuthorized { return fail(x, .unauthorized) }
    guard x.pointee.service != nil else { return fail(x, .noSuchBackend) }
    forward(x)
  }

  /// An exchange that is a whole connection.
  func beginOpaque(_ c: ClientRef) -> ExchangeRef? {
    guard let x = exchange(for: c) else { return nil }
    c.pointee.phase = .exchange
    c.pointee.requests &+= 1
    c.pointee.closeAfter = true
    stopTimer(c)
    startRecord(x, c)
    x.pointee.state.pointee.request.reset()
    x.pointee.state.pointee.response.reset()
    x.pointee.isOpaque = true
    x.pointee.requestDone = true
    return x
  }

  /// The backend is there: from here on bytes pass both ways.
  func startOpaque(_ x: ExchangeRef, _ u: UpstreamRef) {
    guard let c = x.pointee.client else { return upstreamFailed(u, .upstreamProtocolError) }
    let s = x.pointee.state
    s.pointee.attempts &+= 1
    x.pointee.upstreamStarted = clock.pointee.now
    u.pointee.requests &+= 1
    x.pointee.responseStarted = true
    x.pointee.responseHeadSent = true
    x.pointee.stage = .responding
    c.pointee.phase = .tunnel
    u.pointee.phase = .tunnel
    if s.pointee.request.method == .connect, !confirmConnect(x, c) { return }
    c.pointee.readable = true
    u.pointee.readable = true
    pumpTunnel(u)
  }

  /// No backend took the connection: the client learns it by a reset.
  func failConnection(_ x: ExchangeRef, _ failure: Failure) {
    let s = x.pointee.state
    s.pointee.responseFlags.formUnion(failure.flags)
    s.pointee.details = failure.details
    guard let c = x.pointee.client else { return }
    Socket.resetOnClose(c.pointee.fd)
    closeClient(c)
  }
}
