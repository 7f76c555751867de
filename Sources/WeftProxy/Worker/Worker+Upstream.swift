import Glibc
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTLS

/// The upstream's side: events, sending, failing, pooling, closing.
extension Worker {
  @inline(__always)
  func upstreamEvent(_ u: UpstreamRef, _ r: Readiness) {
    if r.readable, let tls = u.pointee.tls { tls.becameReadable() }
    switch u.pointee.phase {
    case .active:
      if r.readable { u.pointee.readable = true }
      if let tls = u.pointee.tls, r.writable, waitedForWriting(tls) { u.pointee.readable = true }
      if r.peerClosed { u.pointee.sawEOF = true }
      if r.writable && !u.pointee.output.isEmpty && !flushUpstream(u) { return }
      if u.pointee.readable && u.pointee.phase == .active { pumpResponse(u) }
    case .connecting:
      if r.writable || r.failed { connected(u) }
    case .handshake: upstreamHandshake(u)
    case .idle:
      // The upstream has closed it, or says something that nobody asked for.
      if r.readable && !staysIdle(u) { closeUpstream(u) }
    case .tunnel:
      if r.failed && Socket.takeError(u.pointee.fd) != 0 { return tunnelBroken(u) }
      if r.readable || r.failed { u.pointee.readable = true }
      if r.peerClosed { u.pointee.sawEOF = true }
      if let tls = u.pointee.tls, r.writable, waitedForWriting(tls) { u.pointee.readable = true }
      if r.writable && !u.pointee.output.isEmpty,
        flush(&u.pointee.output, u.pointee.fd, u.pointee.tls) == .failed
      {
        return tunnelBroken(u)
      }
      pumpTunnel(u)
    case .http2: upstreamHTTP2Event(u, r)
    case .closed: break
    }
  }

  // MARK: Receiving and sending

  @inline(__always)
  func receiveFromUpstream(_ u: UpstreamRef, _ p: MutableBytePointer, _ space: Int) -> IOResult {
    if u.pointee.isStream { return receiveFromStream(u) }
    return Transport.receive(u.pointee.fd, u.pointee.tls, p, space)
  }

  @inline(__always)
  func transmitToUpstream(_ u: UpstreamRef, _ p: BytePointer, _ count: Int) -> IOResult {
    Transport.send(u.pointee.fd, u.pointee.tls, p, count)
  }

  /// Sends bytes, keeping what the socket does not take. A failure ends the attempt.
  @inline(__always)
  func sendToUpstream(_ u: UpstreamRef, _ p: BytePointer, _ count: Int) {
    if count == 0 { return }
    if u.pointee.isStream { return sendToStream(u, p, count) }
    var sent = 0
    if u.pointee.output.isEmpty {
      let result = Transport.send(u.pointee.fd, u.pointee.tls, p, count)
      if result.raw == count { return }
      if result.failed { return upstreamWriteFailed(u) }
      sent = result.count
    }
    u.pointee.output.append(p + sent, count &- sent, pool)
  }

  /// - Returns: false when the connection has been dealt with.
  private func flushUpstream(_ u: UpstreamRef) -> Bool {
    switch flush(&u.pointee.output, u.pointee.fd, u.pointee.tls) {
    case .failed:
      upstreamWriteFailed(u)
      return false
    case .blocked: return true
    case .empty:
      guard let x = u.pointee.exchange else { return true }
      let generation = u.pointee.generation
      pumpRequest(x)
      return u.pointee.generation == generation
    }
  }

  /// The upstream takes no more of the request. It may have answered before it closed: that answer counts.
  private func upstreamWriteFailed(_ u: UpstreamRef) {
    u.pointee.output.releaseAll(pool)
    u.pointee.isWriteBroken = true
    u.pointee.readable = true
    u.pointee.sawEOF = true
    let generation = u.pointee.generation
    pumpResponse(u)
    if u.pointee.generation == generation, let x = u.pointee.exchange, !x.pointee.responseStarted {
      upstreamFailed(u, .upstreamReset)
    }
  }

  // MARK: Failing

  /// The connection broke, or its peer broke the rules, while an exchange was on it.
  func upstreamFailed(_ u: UpstreamRef, _ failure: Failure) {
    guard let x = u.pointee.exchange else { return closeUpstream(u) }
    if failure == .upstreamReset { u.pointee.endpoint?.pointee.service.pointee.metrics.resets.add() }
    let wasStale = u.pointee.reused && !u.pointee.sawBytes && failure == .upstreamReset
    let wasRefused =
      u.pointee.isStream && u.pointee.stream.error == HTTP2ErrorCode.refusedStream.rawValue && !u.pointee.sawBytes
    let started = x.pointee.responseStarted
    let e = u.pointee.endpoint
    if let e, !wasRefused && !wasStale { judge(e, status: failure.status) }
    detach(x, u)
    closeUpstream(u)
    if started {
      if x.pointee.responseHeadSent { return abort(x, failure) }
      return fail(x, failure)
    }
    // RFC 9112 9.3.1: a request on a connection that the server had closed meanwhile may be repeated at once, if that
    // is safe. It counts as no attempt.
    // RFC 9113 8.7: a refused stream was not looked at, whatever its method.
    if (wasRefused || wasStale && x.pointee.state.pointee.request.method.isIdempotent) && !x.pointee.staleRetried
      && canRepeat(x)
    {
      x.pointee.staleRetried = true
      let s = x.pointee.state
      s.pointee.attempts &-= 1
      x.pointee.triedEndpoints = 0
      return forward(x)
    }
    let outcome: AttemptOutcome =
      switch failure {
      case .responseHeaderTimeout, .perTryTimeout: .timeout
      default: .reset
      }
    attemptFailed(x, outcome, failure)
  }

  func upstreamTimedOut(_ u: UpstreamRef) {
    switch u.pointee.phase {
    case .closed: break
    case .idle: closeUpstream(u)
    case .http2: sessionTimedOut(u)
    case .connecting:
      if u.pointee.stream.session != nil && !u.pointee.isStream {
        dropSession(u, connectError: ETIMEDOUT)
        return closeUpstream(u)
      }
      guard let x = u.pointee.exchange, let e = u.pointee.endpoint else { return closeUpstream(u) }
      detach(x, u)
      closeUpstream(u)
      connectFailed(x, e, ETIMEDOUT)
    case .handshake:
      guard let e = u.pointee.endpoint else { return closeUpstream(u) }
      upstreamHandshakeFailed(u, e, TLSFailure(.timeout, "the server did not finish it in time"))
    case .active:
      guard let x = u.pointee.exchange else { return closeUpstream(u) }
      let idle = u.pointee.endpoint?.pointee.service.pointee.timeouts.idle ?? 0
      // As long as it is we who do not listen, the upstream has all the time that it needs.
      if x.pointee.suspended || clientIsSlow(x) { return setTimer(u, idle) }
      if !x.pointee.responseStarted && !x.pointee.requestDone {
        // The request is still on its way: no response can be due.
        return setTimer(u, idle)
      }
      let metrics = u.pointee.endpoint?.pointee.service.pointee.metrics
      if x.pointee.responseStarted {
        metrics?.idleTimeouts.add()
        upstreamFailed(u, .upstreamIdleTimeout)
      } else {
        metrics?.firstByteTimeouts.add()
        upstreamFailed(u, .responseHeaderTimeout)
      }
    case .tunnel: tunnelTimedOut(u)
    }
  }

  // MARK: Letting go

  /// Separates exchange and connection.
  @inline(__always)
  func detach(_ x: ExchangeRef, _ u: UpstreamRef) {
    x.pointee.upstream = nil
    u.pointee.exchange = nil
    if let e = u.pointee.endpoint {
      e.pointee.active &-= 1
      e.pointee.service.pointee.active &-= 1
      e.pointee.service.pointee.metrics.requestsActive.sub()
    }
  }

  /// The exchange needs its upstream connection no more: back into the pool if it is clean, otherwise closed.
  func releaseUpstream(_ x: ExchangeRef) {
    guard let u = x.pointee.upstream else { return }
    let isClean = x.pointee.responseStarted && x.pointee.responseIsComplete && isReusable(x, u)
    detach(x, u)
    recycle(u, isReusable: isClean)
  }

  /// Whether nothing of the exchange is left on the connection, its response being complete.
  @inline(__always)
  func isReusable(_ x: ExchangeRef, _ u: UpstreamRef) -> Bool {
    u.pointee.phase == .active && x.pointee.requestDone && x.pointee.state.pointee.response.keepAlive
      && !x.pointee.responseTracker.isUntilClose && !u.pointee.sawEOF && u.pointee.input.isEmpty
      && u.pointee.output.isEmpty && !u.pointee.isWriteBroken
  }

  /// Puts a connection without an exchange into its endpoint's pool, or closes it.
  func recycle(_ u: UpstreamRef, isReusable: Bool) {
    guard let e = u.pointee.endpoint else { return closeUpstream(u) }
    let service = e.pointee.service
    if u.pointee.isStream {
      closeStream(u)
      if service.pointee.pendingCount > 0 { serveQueue(service) }
      return
    }
    let perConnection = service.pointee.maxRequestsPerConnection
    if isReusable && !e.pointee.isRemoved && service.pointee.proxyProtocol == nil
      && u.pointee.tlsOwner == e.pointee.tlsOwner
      && e.pointee.idleCount < service.pointee.maxIdle
      && (perConnection == 0 || u.pointee.requests < UInt32(clamping: perConnection))
    {
      u.pointee.phase = .idle
      pool.detach(&u.pointee.input)
      setTimer(u, service.pointee.timeouts.keepAlive)
      e.pointee.linkIdle(u)
    } else {
      closeUpstream(u)
    }
    if service.pointee.pendingCount > 0 { serveQueue(service) }
  }

  func closeUpstream(_ u: UpstreamRef) {
    if u.pointee.isStream { return closeStream(u) }
    if u.pointee.phase == .closed { return }
    if u.pointee.stream.session != nil { dropSession(u) }
    guard let e = u.pointee.endpoint else { return }
    if u.pointee.phase == .idle { e.pointee.unlinkIdle(u) }
    u.pointee.phase = .closed
    u.pointee.generation &+= 1
    wheel.pointee.cancel(&u.pointee.timer)
    pool.detach(&u.pointee.input)
    u.pointee.output.releaseAll(pool)
    dropPipe(&u.pointee.pipe)
    u.pointee.isBulk = false
    Transport.end(&u.pointee.tls)
    u.pointee.tlsOwner = 0
    close(u.pointee.fd)
    u.pointee.fd = -1
    u.pointee.endpoint = nil
    e.pointee.connections &-= 1
    let service = e.pointee.service
    service.pointee.connections &-= 1
    service.pointee.metrics.active.sub()
    upstreams.give(u.pointee.slot)
    if service.pointee.pendingCount > 0 { deferQueues() }
    if e.pointee.isRemoved { freeIfUnused(e) }
  }
}
