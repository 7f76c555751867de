import Glibc
import WeftFilter
import WeftIO
import WeftTLS
import WeftTelemetry

/// Handshakes with clients and upstreams.
extension Worker {
  // MARK: Clients

  /// Goes on with a client's handshake, which begins with the client's first bytes: until then the connection costs
  /// what a plain one does.
  func clientHandshake(_ c: ClientRef) {
    guard let l = c.pointee.listener else { return closeClient(c) }
    if c.pointee.tls == nil {
      guard let names = l.pointee.tls, let session = TLSSession.server(c.pointee.fd, names) else {
        return handshakeFailed(c, TLSFailure(.internal, "no memory for a TLS session"))
      }
      c.pointee.tls = session
    }
    guard let session = c.pointee.tls else { return }
    switch session.handshake() {
    case .wantsRead, .wantsWrite: return
    case .failed: return handshakeFailed(c, session.failure ?? TLSFailure(.internal, "no reason given"))
    case .done: break
    }
    handshakes &-= 1
    l.pointee.metrics.tls?.established(session)
    let info = DownstreamTLS(session)
    c.pointee.security = Unmanaged.passRetained(info)
    c.pointee.phase = .idle
    if let table = connectionTable(of: c) {
      switch table.action(for: session.serverName) {
      case .http: break
      case .forward(let rule): return startConnection(c, rule)
      case .passThrough, .refuse, nil: return closeClient(c)
      }
    }
    // The request's head may lie in OpenSSL's buffer already, for which there will be no edge.
    c.pointee.readable = true
    setTimer(c, settings.requestHeaderTimeout)
    readRequests(c)
  }

  func handshakeFailed(_ c: ClientRef, _ failure: TLSFailure) {
    guard let l = c.pointee.listener else { return closeClient(c) }
    l.pointee.metrics.tls?.failed(failure.reason)
    control.limitedLog.log(
      .info, "TLS handshake with \(c.pointee.peer) on \(l.pointee.name.bytes.string) failed: \(failure)")
    handshakes &-= 1
    Transport.end(&c.pointee.tls)
    guard failure.reason == .plainHTTP else {
      c.pointee.phase = .idle
      return closeClient(c)
    }
    _ = Socket.send(c.pointee.fd, Self.plainAnswer.base, Self.plainAnswer.count)
    c.pointee.phase = .lingering
    c.pointee.readable = true
    closeGently(c)
  }

  private static var plainAnswer: Bytes {
    Bytes(
      "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 47\r\nconnection: close\r\n\r\nthis port speaks TLS: use https:// for its URL\n"
        as StaticString)
  }

  /// Handshakes of clients that this worker has under way at the most.
  var handshakeLimit: Int { max(1, (settings.maxHandshakes + count - 1) / count) }

  /// A socket that had been full takes bytes again: whether reading, or a handshake, waited for that.
  func waitedForWriting(_ tls: TLSSession) -> Bool { !tls.isEstablished || tls.takeReadWaitsForWrite() }

  /// A request for a host whose certificate and rules are another listener's than the connection's (RFC 9110 7.4).
  @inline(__always)
  func isMisdirected(_ s: UnsafeMutablePointer<ExchangeState>, _ c: ClientRef) -> Bool {
    let connection = c.pointee.isStream ? c.pointee.stream.session?._withUnsafeGuaranteedRef { $0.connection } : c
    guard let tls = connection?.pointee.tls, tls.sharesPort, let host = s.pointee.request.headers.value(.host) else {
      return false
    }
    return tls.isForAnother(host: host.slice(0, RequestHost.nameLength(host)))
  }

  // MARK: Upstreams

  /// Begins or goes on with the handshake of a connection to an endpoint.
  func upstreamHandshake(_ u: UpstreamRef) {
    guard let e = u.pointee.endpoint, u.pointee.exchange != nil || u.pointee.stream.session != nil else {
      return closeUpstream(u)
    }
    if u.pointee.tls == nil {
      guard let context = e.pointee.tls,
        let session = TLSSession.client(
          u.pointee.fd, context, store: e.pointee.resumable, onlyHTTP1: offersOnlyHTTP1(u, e))
      else { return upstreamHandshakeFailed(u, e, TLSFailure(.internal, "no memory for a TLS session")) }
      u.pointee.tls = session
      u.pointee.tlsOwner = context.number
      u.pointee.phase = .handshake
    }
    guard let session = u.pointee.tls else { return }
    switch session.handshake() {
    case .wantsRead, .wantsWrite: return
    case .failed:
      return upstreamHandshakeFailed(u, e, session.failure ?? TLSFailure(.internal, "no reason given"))
    case .done: break
    }
    let service = e.pointee.service
    service.pointee.metrics.tls?.established(session)
    e.pointee.connectSucceeded()
    if service.pointee.negotiates && !isAsExpected(u, e, session) { return }
    if u.pointee.stream.session != nil { return sessionConnected(u) }
    guard let x = u.pointee.exchange else { return closeUpstream(u) }
    service.pointee.metrics.connectDuration.observe(clock.pointee.now &- u.pointee.connectStarted)
    u.pointee.phase = .active
    u.pointee.readable = true
    sendRequest(x, u)
  }

  func upstreamHandshakeFailed(_ u: UpstreamRef, _ e: EndpointRef, _ failure: TLSFailure) {
    let service = e.pointee.service
    service.pointee.metrics.tls?.failed(failure.reason)
    control.limitedLog.log(
      .warning,
      "TLS handshake with \(e.pointee.address) of \(service.pointee.name.bytes.string) failed: \(failure)")
    if u.pointee.stream.session != nil {
      dropSession(u, tlsFailed: true)
      return closeUpstream(u)
    }
    guard let x = u.pointee.exchange else { return closeUpstream(u) }
    let refusesHTTP1 = offersOnlyHTTP1(u, e) && (failure.reason == .alert || failure.reason == .noSharedProtocol)
    detach(x, u)
    closeUpstream(u)
    if refusesHTTP1 && e.pointee.lacksConnect { return fail(x, .upgradeUnsupported) }
    if refusesHTTP1 { e.pointee.version = .unknown }
    tlsConnectFailed(x, e)
  }

  /// What an idle connection sends that carries no data: session tickets, key updates.
  /// - Returns: false when it has ended or says something.
  func staysIdle(_ u: UpstreamRef) -> Bool {
    guard let tls = u.pointee.tls else { return false }
    return tls.receive(scratch, 1).wouldBlock
  }
}

extension DownstreamTLS {
  convenience init(_ session: TLSSession) {
    self.init(
      version: session.version.map { "\($0)" } ?? "", cipher: session.cipher, serverName: session.serverName,
      applicationProtocol: session.applicationProtocol, isResumed: session.isResumed,
      peer: session.peerCertificate, isPeerVerified: session.isPeerVerified, local: session.localCertificate,
      cipherNumber: session.cipherNumber, session: session.identifier)
  }
}
