import Glibc
import WeftHTTP
import WeftIO

/// The PROXY protocol: what stands before a connection's own bytes, from clients' proxies and to endpoints.
extension Worker {
  /// Why a connection was closed before its first byte.
  enum IntroductionFailure: String, CaseIterable {
    case untrusted, missing, malformed, timeout, closed
  }

  // MARK: From clients

  func awaitIntroduction(_ c: ClientRef, _ spec: ProxyProtocolSpec) {
    c.pointee.phase = .introduction
    if spec.isRequired && !spec.trusts(c.pointee.peer) {
      return introductionFailed(c, .untrusted, "weft.dev/proxy-protocol-from does not name the peer")
    }
    // The time of the first bytes, whichever they are.
    setTimer(c, settings.tlsHandshakeTimeout)
  }

  /// Looks for a header without taking anything off the socket; what follows it is the connection's own.
  func readIntroduction(_ c: ClientRef) {
    guard let l = c.pointee.listener, let spec = l.pointee.proxyProtocol else { return closeClient(c) }
    let result = Socket.peek(c.pointee.fd, scratch, ProxyProtocolHeader.sizeLimit)
    if result.wouldBlock { return }
    if result.raw <= 0 { return introductionFailed(c, .closed, "the peer closed the connection") }
    switch ProxyProtocolHeader.parse(Bytes(BytePointer(scratch), result.raw)) {
    case .incomplete:
      if c.pointee.sawEOF { introductionFailed(c, .closed, "the peer closed the connection") }
    case .malformed(let fault): introductionFailed(c, .malformed, fault.rawValue)
    case .absent:
      if spec.isRequired { return introductionFailed(c, .missing, "the first bytes are no header's") }
      beginClient(c, l)
    case .complete(let header, let length):
      if !spec.trusts(c.pointee.peer) {
        return introductionFailed(c, .untrusted, "weft.dev/proxy-protocol-from does not name the peer")
      }
      // All of it has been seen, so that it comes in one piece.
      if Socket.receive(c.pointee.fd, scratch, length).raw != length {
        return introductionFailed(c, .closed, "the peer closed the connection")
      }
      if let addresses = header.addresses {
        c.pointee.setPeer(addresses.source)
        c.pointee.local = addresses.destination
      }
      beginClient(c, l)
    }
  }

  /// As for a connection just accepted; but its bytes may be there already, for which there will be no edge.
  private func beginClient(_ c: ClientRef, _ l: ListenerRef) {
    let generation = c.pointee.generation
    startClient(c, l)
    if c.pointee.generation != generation { return }
    switch c.pointee.phase {
    case .hello, .handshake, .idle:
      c.pointee.readable = true
      clientReadable(c)
    default: break
    }
  }

  func introductionFailed(_ c: ClientRef, _ reason: IntroductionFailure, _ why: String) {
    if let l = c.pointee.listener {
      let name = l.pointee.name.bytes.string
      context.metrics.counter(families.proxyProtocolFailures, [name, reason.rawValue]).add()
      control.limitedLog.log(.info, "PROXY protocol header from \(c.pointee.peer) on \(name) refused: \(why)")
    }
    closeClient(c)
  }

  // MARK: To endpoints

  /// Tells the endpoint, before anything else, which client the new connection is for.
  /// - Returns: false when the connection has been dealt with.
  func sendProxyHeader(_ u: UpstreamRef) -> Bool {
    guard let e = u.pointee.endpoint, let version = e.pointee.service.pointee.proxyProtocol else { return true }
    let session = u.pointee.stream.session
    let first = session?._withUnsafeGuaranteedRef { $0.first }
    let x = session == nil ? u.pointee.exchange : first?.pointee.exchange
    guard let x else {
      // Whoever it was opened for has gone, and nobody else may have it.
      closeUpstream(u)
      return false
    }
    var w = ByteWriter(scratch, Self.scratchSize)
    if let c = x.pointee.client {
      ProxyProtocolHeader.write(version, source: c.pointee.peer, destination: c.pointee.local, into: &w)
    } else {
      ProxyProtocolHeader.writeLocal(version, into: &w)
    }
    // A new socket has room for it.
    let result = Socket.send(u.pointee.fd, BytePointer(scratch), w.count)
    if result.raw == w.count { return true }
    let errno = result.failed ? result.errno : ECONNRESET
    if session != nil {
      dropSession(u, connectError: errno)
      closeUpstream(u)
    } else {
      detach(x, u)
      closeUpstream(u)
      connectFailed(x, e, errno)
    }
    return false
  }
}
