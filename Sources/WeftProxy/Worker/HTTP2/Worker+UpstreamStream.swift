import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// One HTTP/2 stream to an endpoint, in the place that a connection has in HTTP/1.1.
extension Worker {
  /// Opens a stream for the request; it is sent at once, or when the connection stands.
  func openStream(_ x: ExchangeRef, _ parent: UpstreamRef, _ e: EndpointRef) {
    guard let session = parent.pointee.stream.session else { return fail(x, .noHealthyUpstream) }
    let u = upstreams.take { UpstreamConnection(slot: $0, pool: pool) }
    u.pointee.fd = -1
    u.pointee.readable = false
    u.pointee.sawEOF = false
    u.pointee.isWriteBroken = false
    u.pointee.reused = parent.pointee.phase == .http2
    u.pointee.requests = 0
    u.pointee.endpoint = e
    u.pointee.timer.token = u.pointee.token.raw
    u.pointee.stream.isStream = true
    u.pointee.stream.id = 0
    u.pointee.stream.notices = []
    u.pointee.stream.fault = nil
    u.pointee.stream.hasHead = false
    u.pointee.stream.hasEnded = false
    u.pointee.stream.isConnect = wantsTunnel(x)
    u.pointee.stream.isDeferred = false
    u.pointee.stream.isClosed = false
    u.pointee.stream.error = 0
    u.pointee.stream.session = .passUnretained(session.takeUnretainedValue())
    session._withUnsafeGuaranteedRef { s in
      u.pointee.stream.previous = nil
      u.pointee.stream.next = s.first
      s.first?.pointee.stream.previous = u
      s.first = u
      s.streams &+= 1
      s.requests &+= 1
      s.metrics.streams.add()
      s.metrics.streamsActive.add()
      let limit = e.pointee.service.pointee.maxRequestsPerConnection
      if limit != 0 && s.requests >= UInt32(clamping: limit) { s.isLeaving = true }
      // It has been introduced as this client's, and is nobody else's.
      if e.pointee.service.pointee.proxyProtocol != nil { s.isLeaving = true }
    }
    upstreamStreams &+= 1
    e.pointee.connections &+= 1  // so that it is not freed under the stream
    bind(x, u, e)
    let mustWait = u.pointee.stream.isConnect && !session._withUnsafeGuaranteedRef { $0.hasSettings }
    if parent.pointee.phase == .http2 && session._withUnsafeGuaranteedRef({ $0.streams == 1 }) { sessionBusy(parent) }
    if mustWait { setTimer(u, e.pointee.service.pointee.timeouts.connect) }
    if parent.pointee.phase == .http2 && !mustWait {
      u.pointee.phase = .active
      sendRequest(x, u)
    } else {
      u.pointee.phase = .connecting
    }
  }

  private func sessionBusy(_ parent: UpstreamRef) {
    parent.pointee.stream.session?._withUnsafeGuaranteedRef { $0.hasAnswered = true }
    setTimer(parent, Self.pingInterval)
  }

  // MARK: Sending

  /// Sends the request's head, with what there is of its body.
  func sendStreamRequest(_ x: ExchangeRef, _ u: UpstreamRef) {
    guard let session = u.pointee.stream.session else { return upstreamFailed(u, .upstreamReset) }
    if u.pointee.stream.isConnect { return sendStreamConnect(x, u, session) }
    let s = x.pointee.state
    let isBuffered = x.pointee.requestMode == .buffered
    let body = s.pointee.bufferedRequestBody.bytes
    let replay = x.pointee.replay.bytes
    let isEmpty =
      isBuffered
      ? body.isEmpty && s.pointee.requestTrailers.count == 0 : x.pointee.requestMode == .none
    fieldList.reset()
    fieldList.appendRequest(s.pointee.request, scheme: s.pointee.isTLS ? Bytes("https") : Bytes("http"))
    u.pointee.stream.hasEnded = isEmpty
    let id = session._withUnsafeGuaranteedRef {
      $0.submitRequest(fieldList, hasBody: !isEmpty, context: UnsafeMutableRawPointer(u))
    }
    guard let id else { return streamNotOpened(u, session) }
    u.pointee.stream.id = id
    markDirty(u)
    setTimer(u, attemptTimeout(x, u))
    if isBuffered {
      let n = min(body.count, Self.inlineBody)
      x.pointee.bufferedSent = n
      u.pointee.output.append(body.base, n, pool)
      if n == body.count { u.pointee.stream.hasEnded = true }
    } else if !isEmpty {
      // Bytes of an earlier attempt first.
      u.pointee.output.append(replay, pool)
      if x.pointee.requestSent { u.pointee.stream.hasEnded = true }
    }
    if x.pointee.requestDone && !s.pointee.mirrors.isEmpty && !isBuffered && x.pointee.requestSent { sendMirrors(x) }
    if !x.pointee.requestDone { pumpRequest(x) }
  }

  /// Asks the endpoint for a tunnel (RFC 8441).
  private func sendStreamConnect(_ x: ExchangeRef, _ u: UpstreamRef, _ session: Unmanaged<UpstreamSession>) {
    if !session._withUnsafeGuaranteedRef({ $0.peerAllowsConnectProtocol }) {
      u.pointee.stream.isClosed = true
      let e = u.pointee.endpoint
      detach(x, u)
      closeUpstream(u)
      guard let e, e.pointee.service.pointee.negotiates else { return fail(x, .upgradeUnsupported) }
      // It may still take the request over HTTP/1.1.
      e.pointee.lacksConnect = true
      x.pointee.state.pointee.attempts &-= 1
      return forwardAgain(x, e)
    }
    let s = x.pointee.state
    fieldList.reset()
    fieldList.appendConnect(s.pointee.request, scheme: s.pointee.isTLS ? Bytes("https") : Bytes("http"))
    let id = session._withUnsafeGuaranteedRef {
      $0.submitRequest(fieldList, hasBody: true, context: UnsafeMutableRawPointer(u))
    }
    guard let id else { return streamNotOpened(u, session) }
    u.pointee.stream.id = id
    markDirty(u)
    setTimer(u, attemptTimeout(x, u))
  }

  /// The connection takes no more streams: the request may go on another one.
  private func streamNotOpened(_ u: UpstreamRef, _ session: Unmanaged<UpstreamSession>) {
    session._withUnsafeGuaranteedRef { $0.isLeaving = true }
    u.pointee.stream.isClosed = true
    u.pointee.stream.error = HTTP2ErrorCode.refusedStream.rawValue
    upstreamFailed(u, .upstreamReset)
  }

  /// Queues bytes of the request's body. The queue is what tells the client to wait.
  func sendToStream(_ u: UpstreamRef, _ p: BytePointer, _ count: Int) {
    u.pointee.output.append(p, count, pool)
    wakeStream(u)
  }

  /// All of the request is queued; its trailers, if it has any, follow.
  func endStreamRequest(_ u: UpstreamRef) {
    u.pointee.stream.hasEnded = true
    wakeStream(u)
  }

  private func wakeStream(_ u: UpstreamRef) {
    if u.pointee.stream.isDeferred, !u.pointee.stream.isClosed, let session = u.pointee.stream.session {
      u.pointee.stream.isDeferred = false
      session._withUnsafeGuaranteedRef { $0.resumeBody(u.pointee.stream.id) }
    }
    markDirty(u)
  }

  // MARK: Receiving

  func note(_ u: UpstreamRef, _ notice: UpstreamStream.Notices) {
    if u.pointee.stream.notices.isEmpty { noticedUpstreams.append(u.pointee.token) }
    u.pointee.stream.notices.insert(notice)
  }

  /// Lets the streams go on to which something happened.
  func runUpstreamNotices() {
    var i = 0
    while i < noticedUpstreams.count {
      let token = noticedUpstreams[i]
      i &+= 1
      let u = upstreams[token.slot]
      if u.pointee.generation != token.generation { continue }
      let notices = u.pointee.stream.notices
      u.pointee.stream.notices = []
      streamEvent(u, notices)
    }
    noticedUpstreams.removeAll(keepingCapacity: true)
  }

  private func streamEvent(_ u: UpstreamRef, _ notices: UpstreamStream.Notices) {
    guard let x = u.pointee.exchange else { return closeUpstream(u) }
    if u.pointee.phase == .tunnel { return tunnelEvent(u, notices) }
    let generation = u.pointee.generation
    if notices.contains(.head) || u.pointee.stream.fault != nil {
      if !u.pointee.sawBytes {
        u.pointee.sawBytes = true
        x.pointee.upstreamFirstByte = clock.pointee.now
        gathering.pointee.countHead(now: clock.pointee.now, started: x.pointee.state.pointee.started)
      }
      if u.pointee.stream.fault != nil { return upstreamFailed(u, .upstreamProtocolError) }
      if u.pointee.stream.isConnect && x.pointee.state.pointee.response.status < 300 { return startTunnel(x, u) }
      responseHead(x, u)
      if u.pointee.generation != generation { return }
    }
    if u.pointee.stream.hasHead && (notices.contains(.head) || notices.contains(.body)) {
      u.pointee.readable = true
      pumpResponse(u)
      if u.pointee.generation != generation { return }
    }
    if notices.contains(.drained), let x = u.pointee.exchange {
      pumpRequest(x)
      if u.pointee.generation != generation { return }
    }
    if !notices.contains(.closed) { return }
    // An endpoint that has answered in full may tell by a reset that it needs no more of the request.
    u.pointee.isWriteBroken = true
    u.pointee.output.releaseAll(pool)
    if !u.pointee.sawEOF { upstreamFailed(u, .upstreamReset) }
  }

  /// Moves body bytes that have arrived into the stream's buffer, which must be attached and have space, and grants the
  /// endpoint as many more.
  func receiveFromStream(_ u: UpstreamRef) -> IOResult {
    let n = min(u.pointee.stream.received.count, u.pointee.input.space)
    if n == 0 { return IOResult(raw: u.pointee.sawEOF ? 0 : -Int(EAGAIN)) }
    var w = ByteWriter(u.pointee.input.writePointer, n)
    u.pointee.stream.received.move(n, into: &w, pool)
    if !u.pointee.stream.isClosed, let session = u.pointee.stream.session {
      session._withUnsafeGuaranteedRef { $0.consumed(u.pointee.stream.id, n) }
      markDirty(u)
    }
    return IOResult(raw: n)
  }

  /// Passes an interim response on.
  func passStreamInterim(_ x: ExchangeRef, _ u: UpstreamRef) {
    x.pointee.informational &+= 1
    if x.pointee.informational > Self.informationalLimit {
      u.pointee.stream.fault = .headTooLarge
      return note(u, .head)
    }
    _ = passInterim(x)
  }

  // MARK: The end

  /// Lets go of the stream, with a reset if it has not come to its end.
  func closeStream(_ u: UpstreamRef) {
    if u.pointee.phase == .closed { return }
    u.pointee.phase = .closed
    u.pointee.generation &+= 1
    wheel.pointee.cancel(&u.pointee.timer)
    pool.detach(&u.pointee.input)
    u.pointee.output.releaseAll(pool)
    u.pointee.stream.received.releaseAll(pool)
    if let session = u.pointee.stream.session {
      let parent = session._withUnsafeGuaranteedRef { s in
        if !u.pointee.stream.isClosed && u.pointee.stream.id != 0 {
          s.setContext(u.pointee.stream.id, nil)
          s.reset(u.pointee.stream.id, .cancel)
          s.countReset(now: clock.pointee.milliseconds)
          markDirty(u)
        }
        if let previous = u.pointee.stream.previous {
          previous.pointee.stream.next = u.pointee.stream.next
        } else {
          s.first = u.pointee.stream.next
        }
        u.pointee.stream.next?.pointee.stream.previous = u.pointee.stream.previous
        s.streams &-= 1
        s.metrics.streamsActive.sub()
        return s.connection
      }
      if session._withUnsafeGuaranteedRef({ $0.streams == 0 }) && parent.pointee.phase == .http2 { sessionIdle(parent) }
    }
    u.pointee.stream.next = nil
    u.pointee.stream.previous = nil
    u.pointee.stream.session = nil
    u.pointee.stream.isStream = false
    u.pointee.stream.isConnect = false
    u.pointee.stream.isClosed = false
    guard let e = u.pointee.endpoint else { return }
    u.pointee.endpoint = nil
    e.pointee.connections &-= 1
    upstreamStreams &-= 1
    upstreams.give(u.pointee.slot)
    if e.pointee.isRemoved { freeIfUnused(e) }
  }
}
