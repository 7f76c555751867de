import Glibc
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTLS

/// Endpoints that choose between HTTP/2 and HTTP/1.1 in the TLS handshake (ALPN, RFC 7301): a connection is opened as what
/// the endpoint chose last, and becomes the other kind if it chooses otherwise.
extension Worker {
  /// Whether a request goes on a stream. An endpoint that has yet to choose is taken to choose HTTP/2, so that what
  /// arrives meanwhile waits for one connection and does not open more.
  @inline(__always)
  func usesStream(_ x: ExchangeRef, _ service: ServiceRef, _ e: EndpointRef) -> Bool {
    if x.pointee.isOpaque { return false }
    if service.pointee.isHTTP2 { return true }
    if !service.pointee.negotiates || e.pointee.version == .http1 || e.pointee.isPlain { return false }
    return !(e.pointee.lacksConnect && wantsTunnel(x))
  }

  /// Opaque bytes are no HTTP/2, and neither is an upgrade that an endpoint does not take as a stream.
  func offersOnlyHTTP1(_ u: UpstreamRef, _ e: EndpointRef) -> Bool {
    guard e.pointee.service.pointee.negotiates, u.pointee.stream.session == nil, let x = u.pointee.exchange else {
      return false
    }
    return x.pointee.isOpaque || wantsTunnel(x)
  }

  /// Remembers what the endpoint has chosen.
  /// - Returns: true when the connection is of that kind; otherwise it has become so, and has been gone on with.
  func isAsExpected(_ u: UpstreamRef, _ e: EndpointRef, _ session: TLSSession) -> Bool {
    if offersOnlyHTTP1(u, e) { return true }
    let isHTTP2 = session.applicationProtocol == "h2"
    e.pointee.version = isHTTP2 ? .http2 : .http1
    if isHTTP2 == (u.pointee.stream.session != nil) { return true }
    if isHTTP2 { becomeHTTP2(u, e) } else { becomeHTTP1(u, e) }
    return false
  }

  private func becomeHTTP2(_ u: UpstreamRef, _ e: EndpointRef) {
    guard let x = u.pointee.exchange else { return closeUpstream(u) }
    detach(x, u)
    if !startSession(u, e) {
      closeUpstream(u)
      return connectFailed(x, e, ENOMEM)
    }
    openStream(x, u, e)
    sessionConnected(u)
  }

  /// One of the requests that waited for the connection gets it; the others look for one of their own.
  private func becomeHTTP1(_ u: UpstreamRef, _ e: EndpointRef) {
    guard let session = u.pointee.stream.session else { return closeUpstream(u) }
    var waiting: [ExchangeReference] = []
    while let stream = session._withUnsafeGuaranteedRef({ $0.first }) {
      stream.pointee.stream.isClosed = true
      if let x = stream.pointee.exchange {
        detach(x, stream)
        waiting.append(x.pointee.reference)
      }
      closeStream(stream)
    }
    e.pointee.unlinkSession(u)
    u.pointee.stream.session = nil
    session._withUnsafeGuaranteedRef { $0.ended() }
    session.release()
    let service = e.pointee.service
    service.pointee.metrics.connectDuration.observe(clock.pointee.now &- u.pointee.connectStarted)
    u.pointee.phase = .active
    u.pointee.readable = true
    // The newest one comes first.
    guard let oldest = waiting.popLast(), let x = exchange(oldest) else { return recycle(u, isReusable: true) }
    e.pointee.connections &+= 1  // held: the requests that follow need it
    bind(x, u, e)
    sendRequest(x, u)
    for reference in waiting.reversed() {
      if let x = exchange(reference), x.pointee.upstream == nil, x.pointee.stage == .connecting { forwardAgain(x, e) }
    }
    e.pointee.connections &-= 1
    freeIfUnused(e)
  }

  /// Looks for a connection anew; that the endpoint has been tried does not speak against it.
  func forwardAgain(_ x: ExchangeRef, _ e: EndpointRef) {
    x.pointee.triedEndpoints &= ~(1 &<< UInt64(e.pointee.number & 63))
    forward(x)
  }

  /// Gives the body the form that the connection's version of HTTP has for it, which is known only now.
  /// - Returns: false when what an earlier attempt has left of the body has the other version's form.
  func settleFraming(_ x: ExchangeRef, _ u: UpstreamRef) -> Bool {
    let s = x.pointee.state
    switch x.pointee.requestMode {
    case .decoded:
      let isChunked = !u.pointee.isStream
      if x.pointee.requestChunked == isChunked { return true }
      if !x.pointee.replay.bytes.isEmpty || x.pointee.replayLost { return false }
      x.pointee.requestChunked = isChunked
      return true
    case .buffered:
      let isChunked = s.pointee.request.headers.find(.transferEncoding) != nil
      if u.pointee.isStream { return !isChunked }
      return isChunked || s.pointee.requestTrailers.count == 0 || encodeWithTrailers(x)
    case .none, .raw: return true
    }
  }
}
