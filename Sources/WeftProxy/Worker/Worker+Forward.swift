import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// Getting a connection for a request and sending the request on it.
extension Worker {
  /// Connects that one attempt may make before it counts as failed.
  private static let maxConnectTries: UInt8 = 3

  /// Sends the request on an idle connection, on a new one, or queues it for one.
  func forward(_ x: ExchangeRef) {
    let s = x.pointee.state
    x.pointee.stage = .connecting
    guard let service = x.pointee.service else { return fail(x, .noSuchBackend) }
    let now = clock.pointee.milliseconds
    var endpoint: EndpointRef?
    if let wanted = s.pointee.upstreamOverride, let address = SocketAddress(wanted.bytes.string) {
      endpoint = service.pointee.endpoint(at: address)
    }
    if endpoint == nil && s.pointee.upstreamOverride != nil && s.pointee.isUpstreamOverrideStrict {
      return fail(x, .noHealthyUpstream)
    }
    if service.pointee.maxRequests != 0 && service.pointee.active >= service.pointee.maxRequests {
      service.pointee.metrics.overflows.add()
      return fail(x, .requestLimit)
    }
    if x.pointee.session.id != 0, let e = service.pointee.endpoint(id: x.pointee.session.id), e.pointee.isAvailable,
      x.pointee.triedEndpoints & (1 &<< UInt64(e.pointee.number & 63)) == 0
    {
      endpoint = endpoint ?? e
    }
    guard
      let e = endpoint ?? service.pointee.pick(tried: x.pointee.triedEndpoints, now: now, random: &context.random)
    else { return fail(x, .noHealthyUpstream) }
    if usesStream(x, service, e) { return forwardHTTP2(x, service, e) }
    if !x.pointee.isOpaque, let u = e.pointee.takeIdle() {
      bind(x, u, e)
      u.pointee.phase = .active
      u.pointee.reused = true
      return sendRequest(x, u)
    }
    if service.pointee.connections >= service.pointee.maxConnections {
      // Perhaps another endpoint has an idle connection that only stands in the way.
      if !closeIdle(service) { return wait(x, service) }
    }
    connect(x, e)
  }

  /// Closes an idle connection of the service.
  /// - Returns: false when there is none.
  func closeIdle(_ service: ServiceRef) -> Bool {
    guard let spare = service.pointee.endpoints.first(where: { $0.pointee.idleCount > 0 })?.pointee.firstIdle else {
      return false
    }
    closeUpstream(spare)
    return true
  }

  @inline(__always)
  func bind(_ x: ExchangeRef, _ u: UpstreamRef, _ e: EndpointRef) {
    x.pointee.upstream = u
    u.pointee.exchange = x
    u.pointee.sawBytes = false
    e.pointee.active &+= 1
    e.pointee.service.pointee.active &+= 1
    e.pointee.service.pointee.metrics.requestsActive.add()
    x.pointee.triedEndpoints |= 1 &<< UInt64(e.pointee.number & 63)
    let s = x.pointee.state
    s.pointee.upstreamAddress = e.pointee.address
  }

  func wait(_ x: ExchangeRef, _ service: ServiceRef) {
    if service.pointee.pendingCount >= service.pointee.maxPending {
      service.pointee.metrics.overflows.add()
      return fail(x, .overflow)
    }
    if service.pointee.queueLength > 2 * service.pointee.pendingCount + 64 {
      service.pointee.compactQueue { exchange($0)?.pointee.isPending ?? false }
    }
    x.pointee.isPending = true
    service.pointee.enqueue(x.pointee.reference)
    service.pointee.metrics.pending.add()
    if service.pointee.timeouts.firstByte != 0 { setWake(x, service.pointee.timeouts.firstByte) }
  }

  /// The exchange waits for a connection no longer.
  func leaveQueue(_ x: ExchangeRef) {
    if !x.pointee.isPending { return }
    x.pointee.isPending = false
    wheel.pointee.cancel(&x.pointee.wakeTimer)
    if let service = x.pointee.service {
      service.pointee.metrics.pending.sub()
      service.pointee.leave()
    }
  }

  /// A connection of the service has become free or gone: the next waiting request may have one.
  func serveQueue(_ service: ServiceRef) {
    while service.pointee.pendingCount > 0,
      service.pointee.connections < service.pointee.maxConnections
        || service.pointee.endpoints.contains(where: {
          $0.pointee.idleCount > 0 || $0.pointee.sessionWithRoom() != nil
        })
    {
      guard let reference = service.pointee.dequeue() else { return }
      guard let x = exchange(reference), x.pointee.isPending else { continue }
      leaveQueue(x)
      forward(x)
    }
  }

  /// A place has become free in the middle of something else: the queues get their turn after the present events.
  func deferQueues() {
    if queuesDeferred { return }
    queuesDeferred = true
    deferred.append(.serveQueues)
  }

  func serveQueues() {
    queuesDeferred = false
    for service in Array(services.values) where service.pointee.pendingCount > 0 { serveQueue(service) }
  }

  func connect(_ x: ExchangeRef, _ e: EndpointRef) {
    x.pointee.connectTries &+= 1
    let u = upstreams.take { UpstreamConnection(slot: $0, pool: pool) }
    var fd: Int32 = -1
    var isConnected = false
    switch Socket.connect(e.pointee.address) {
    case .connected(let connected):
      fd = connected
      isConnected = true
    case .inProgress(let started): fd = started
    case .failed(let error):
      upstreams.give(u.pointee.slot)
      return connectFailed(x, e, error)
    }
    do { try reactor.add(fd, u.pointee.token) } catch {
      close(fd)
      upstreams.give(u.pointee.slot)
      return connectFailed(x, e, error.errno)
    }
    let keepAlive = e.pointee.service.pointee.keepAlive
    if keepAlive.idle > 0 && e.pointee.address.ip != nil {
      // Best effort: a connection without probes is still a connection.
      _ = Socket.setKeepAlive(fd, idle: keepAlive.idle, interval: keepAlive.interval, count: keepAlive.probes)
    }
    u.pointee.fd = fd
    u.pointee.phase = .connecting
    u.pointee.readable = false
    u.pointee.sawEOF = false
    u.pointee.reused = false
    u.pointee.isWriteBroken = false
    u.pointee.requests = 0
    u.pointee.endpoint = e
    u.pointee.connectStarted = clock.pointee.now
    u.pointee.timer.token = u.pointee.token.raw
    e.pointee.connections &+= 1
    let service = e.pointee.service
    service.pointee.connections &+= 1
    service.pointee.metrics.connections.add()
    service.pointee.metrics.active.add()
    if usesStream(x, service, e) {
      if !startSession(u, e) {
        closeUpstream(u)
        return connectFailed(x, e, ENOMEM)
      }
      openStream(x, u, e)
    } else {
      bind(x, u, e)
    }
    setTimer(u, service.pointee.timeouts.connect)
    if isConnected { connected(u) }
  }

  /// A connect has come to its end, well or not.
  func connected(_ u: UpstreamRef) {
    let errno = Socket.takeError(u.pointee.fd)
    if u.pointee.stream.session != nil {
      if errno != 0 {
        dropSession(u, connectError: errno)
        return closeUpstream(u)
      }
      if u.pointee.endpoint?.pointee.service.pointee.proxyProtocol != nil, !sendProxyHeader(u) { return }
      if u.pointee.endpoint?.pointee.tls != nil { return upstreamHandshake(u) }
      u.pointee.endpoint?.pointee.connectSucceeded()
      return sessionConnected(u)
    }
    guard let x = u.pointee.exchange, let e = u.pointee.endpoint else { return closeUpstream(u) }
    if errno != 0 {
      detach(x, u)
      closeUpstream(u)
      return connectFailed(x, e, errno)
    }
    if e.pointee.service.pointee.proxyProtocol != nil, !sendProxyHeader(u) { return }
    // The handshake has the rest of the time for the connect.
    if e.pointee.tls != nil { return upstreamHandshake(u) }
    e.pointee.connectSucceeded()
    e.pointee.service.pointee.metrics.connectDuration.observe(clock.pointee.now &- u.pointee.connectStarted)
    u.pointee.phase = .active
    sendRequest(x, u)
  }

  /// A connection was there, but not a peer that we believe.
  func tlsConnectFailed(_ x: ExchangeRef, _ e: EndpointRef) {
    e.pointee.connectFailed(now: clock.pointee.milliseconds)
    judge(e, status: 503)
    let others = e.pointee.service.pointee.endpoints.count > 1
    if others && x.pointee.connectTries < Self.maxConnectTries { return forward(x) }
    attemptFailed(x, .connectFailure, .upstreamTLSFailure)
  }

  func connectFailed(_ x: ExchangeRef, _ e: EndpointRef, _ errno: Int32) {
    e.pointee.connectFailed(now: clock.pointee.milliseconds)
    judge(e, status: errno == ETIMEDOUT ? 504 : 503)
    countConnectFailure(e.pointee.service, errno)
    x.pointee.triedEndpoints |= 1 &<< UInt64(e.pointee.number & 63)
    let s = x.pointee.state
    s.pointee.upstreamAddress = e.pointee.address
    let timedOut = errno == ETIMEDOUT
    let others = e.pointee.service.pointee.endpoints.count > 1
    if others && x.pointee.connectTries < Self.maxConnectTries { return forward(x) }
    attemptFailed(x, .connectFailure, timedOut ? .connectTimeout : .connectFailure)
  }

  private func countConnectFailure(_ service: ServiceRef, _ errno: Int32) {
    let reason =
      switch errno {
      case ECONNREFUSED: "refused"
      case ETIMEDOUT: "timeout"
      case EHOSTUNREACH, ENETUNREACH: "unreachable"
      default: "other"
      }
    context.metrics.counter(families.upstreamConnectFailures, [service.pointee.name.bytes.string, reason]).add()
  }

  /// Writes the request's head with as much of its body as is there.
  func sendRequest(_ x: ExchangeRef, _ u: UpstreamRef) {
    if x.pointee.isOpaque { return startOpaque(x, u) }
    let s = x.pointee.state
    s.pointee.attempts &+= 1
    if x.pointee.service?.pointee.negotiates ?? false, !settleFraming(x, u) { return fail(x, .upstreamProtocolError) }
    // The upstream before may have gone in the middle of a head.
    s.pointee.response.scanned = 0
    x.pointee.stage = .sent
    x.pointee.upstreamStarted = clock.pointee.now
    u.pointee.requests &+= 1
    if u.pointee.isStream { return sendStreamRequest(x, u) }
    var w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.requestHead(s.pointee.request, into: &w)
    if s.pointee.request.upgrade && x.pointee.requestDone {
      w.append("connection: upgrade\r\nupgrade: ")
      w.append(s.pointee.request.headers.text(s.pointee.request.upgradeProtocol))
      w.append("\r\n")
    }
    w.append("\r\n")
    // Bytes of an earlier attempt first, then what has arrived meanwhile: mostly all in one write.
    let replay = x.pointee.replay.bytes
    let isInline = replay.count <= min(Self.inlineBody, w.space)
    if isInline { w.append(replay) }
    var malformed = false
    if x.pointee.requestMode == .raw && !x.pointee.requestDone && isInline, let c = x.pointee.client,
      !c.pointee.input.isEmpty
    {
      let p = c.pointee.input.readPointer
      let n = x.pointee.requestTracker.consume(p, min(c.pointee.input.count, Self.inlineBody, w.space))
      if n < 0 {
        malformed = true
      } else {
        keepForReplay(x, Bytes(p, n))
        w.append(p, n)
        c.pointee.input.start &+= n
        if x.pointee.requestTracker.isDone {
          x.pointee.requestDone = true
          x.pointee.requestSent = true
          x.pointee.bytesReceived = x.pointee.requestTracker.dataBytes
          stopTimer(c)
        }
      }
    } else if x.pointee.requestMode == .buffered {
      let body = s.pointee.bufferedRequestBody.bytes
      let n = min(body.count, Self.inlineBody, w.space)
      w.append(body.base, n)
      x.pointee.bufferedSent = n
    }
    if malformed { return fail(x, .malformedBody) }
    if w.overflow { return fail(x, .requestHeadersTooLarge) }
    setTimer(u, attemptTimeout(x, u))
    let generation = x.pointee.generation
    sendToUpstream(u, BytePointer(scratch), w.count)
    if x.pointee.generation != generation || x.pointee.upstream != u { return }
    if !isInline {
      sendToUpstream(u, replay.base, replay.count)
      if x.pointee.generation != generation || x.pointee.upstream != u { return }
    }
    if x.pointee.requestDone && !s.pointee.mirrors.isEmpty { sendMirrors(x) }
    if !x.pointee.requestDone || x.pointee.requestMode == .buffered { pumpRequest(x) }
  }

  /// Keeps a copy of sent body bytes as long as the request may be repeated.
  @inline(__always)
  func keepForReplay(_ x: ExchangeRef, _ bytes: Bytes) {
    if bytes.count == 0 || x.pointee.replayLost { return }
    if !x.pointee.replay.append(bytes, limit: x.pointee.replayLimit) {
      x.pointee.replayLost = true
      x.pointee.replay.release()
    }
  }

  /// Milliseconds until the response's head must be there: the shortest of what service, rule and retry policy say.
  @inline(__always)
  func attemptTimeout(_ x: ExchangeRef, _ u: UpstreamRef) -> UInt32 {
    var limit = u.pointee.endpoint?.pointee.service.pointee.timeouts.firstByte ?? 0
    if let rule = x.pointee.rule, rule.pointee.backendTimeout != 0 {
      limit = limit == 0 ? rule.pointee.backendTimeout : min(limit, rule.pointee.backendTimeout)
    }
    if let policy = x.pointee.state.pointee.retryPolicy {
      let perTry = policy._withUnsafeGuaranteedRef { $0.perTryTimeout }
      if perTry != 0 { limit = limit == 0 ? perTry : min(limit, perTry) }
    }
    return limit
  }

  @inline(__always)
  func setTimer(_ u: UpstreamRef, _ milliseconds: UInt32) {
    wheel.pointee.scheduleLazily(&u.pointee.timer, at: milliseconds == 0 ? Worker.never : deadline(milliseconds))
  }
}
