import Glibc
import WeftIO
import WeftTLS

/// Listening sockets and new connections.
extension Worker {
  /// Connections taken in one event, so that a flood of them does not starve the requests under way.
  static let acceptBatch = 64
  /// More than the kernel queues for a listener.
  private static let acceptRest = 8192

  func acceptAll(_ l: ListenerRef, limit: Int = Worker.acceptBatch) {
    if l.pointee.fd < 0 { return }
    for _ in 0..<limit {
      var peer = SocketAddress()
      switch Socket.accept(l.pointee.fd, peer: &peer) {
      case .connection(let fd): adopt(fd, peer, l)
      case .wouldBlock: return
      case .aborted: continue
      case .exhausted(let error):
        // Out of descriptors: the connection must be taken off the queue, or the listener stays readable and the loop
        // spins. The spare descriptor makes room to take it and to close it.
        acceptFailed(l, error)
        if reserve.shed(l.pointee.fd, limit: Self.acceptBatch) == 0 { return }
      case .failed(let error):
        acceptFailed(l, error)
        return
      }
    }
  }

  private func acceptFailed(_ l: ListenerRef, _ errno: Int32) {
    let reason =
      switch errno {
      case EMFILE, ENFILE: "descriptors"
      case ENOBUFS, ENOMEM: "memory"
      default: "other"
      }
    context.metrics.counter(families.acceptFailures, [l.pointee.name.bytes.string, reason]).add()
    let error = SystemError(operation: "accept on \(l.pointee.address)", errno: errno)
    control.limitedLog.log(.warning, "\(error)")
  }

  private func adopt(_ fd: Int32, _ peer: SocketAddress, _ l: ListenerRef) {
    if clients.live &- streamsActive >= maxClients {
      l.pointee.metrics.limited.add()
      close(fd)
      return
    }
    let c = clients.take { ClientConnection(slot: $0, pool: pool, unused: unusedStream) }
    do {
      try reactor.add(fd, c.pointee.token)
    } catch {
      clients.give(c.pointee.slot)
      close(fd)
      acceptFailed(l, error.errno)
      return
    }
    c.pointee.fd = fd
    c.pointee.readable = false
    c.pointee.sawEOF = false
    c.pointee.closeAfter = false
    c.pointee.isParsing = false
    c.pointee.saysNoMore = false
    c.pointee.requests = 0
    c.pointee.lingered = 0
    c.pointee.security = nil
    c.pointee.setPeer(peer)
    c.pointee.local = l.pointee.isExact ? l.pointee.address : Socket.localAddress(fd)
    c.pointee.listener = l
    c.pointee.timer.token = c.pointee.token.raw
    l.pointee.connections &+= 1
    l.pointee.metrics.connections.add()
    l.pointee.metrics.active.add()
    if let introduction = l.pointee.proxyProtocol { return awaitIntroduction(c, introduction) }
    startClient(c, l)
  }

  /// The connection's own bytes are next.
  @inline(__always)
  func startClient(_ c: ClientRef, _ l: ListenerRef) {
    c.pointee.phase = l.pointee.tls == nil ? .idle : .handshake
    if let table = connectionTable(of: c) {
      if let action = table.plain {
        guard case .forward(let rule) = action else {
          Socket.resetOnClose(c.pointee.fd)
          return closeClient(c)
        }
        return startConnection(c, rule)
      }
      if table.peeks { c.pointee.phase = .hello }
    }
    if l.pointee.acceptsPlain || l.pointee.isOutbound { c.pointee.phase = .hello }
    if c.pointee.phase == .handshake || c.pointee.phase == .hello {
      handshakes &+= 1
      if handshakes > handshakeLimit {
        return handshakeFailed(c, TLSFailure(.overload, "too many handshakes are under way"))
      }
      return setTimer(c, settings.tlsHandshakeTimeout)
    }
    // A client that connects and says nothing has the time of a request's head, not that of an idle connection.
    setTimer(c, settings.requestHeaderTimeout)
  }

  /// Closes the listening socket after taking what its queue still holds.
  func closeListener(_ l: ListenerRef) {
    if l.pointee.fd < 0 { return }
    acceptAll(l, limit: Self.acceptRest)
    reactor.remove(l.pointee.fd)
    close(l.pointee.fd)
    l.pointee.fd = -1
  }

  @inline(__always)
  func setTimer(_ c: ClientRef, _ milliseconds: UInt32) {
    if milliseconds == 0 { return stopTimer(c) }
    wheel.pointee.scheduleLazily(&c.pointee.timer, at: deadline(milliseconds))
  }

  /// Leaves the timer where it is, without effect: cheaper than taking it out, for it will be wanted again.
  @inline(__always)
  func stopTimer(_ c: ClientRef) { wheel.pointee.scheduleLazily(&c.pointee.timer, at: Worker.never) }

  /// Milliseconds that no timer lives to see.
  static var never: UInt64 { @inline(__always) get { 1 &<< 48 } }
}
