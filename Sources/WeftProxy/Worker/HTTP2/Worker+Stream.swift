import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// One HTTP/2 stream, in the place that a connection has in HTTP/1.1.
extension Worker {
  /// A stream of `session` begins.
  /// - Returns: nil when there are too many.
  func openStream(_ id: Int32, _ session: ClientSession) -> ClientRef? {
    let parent = session.connection
    if session.isLeaving || streamsActive >= Self.maxStreams { return nil }
    let c = clients.take { ClientConnection(slot: $0, pool: pool, unused: unusedStream) }
    streamsActive &+= 1
    c.pointee.fd = -1
    c.pointee.phase = .head
    c.pointee.readable = false
    c.pointee.sawEOF = false
    c.pointee.closeAfter = false
    c.pointee.isParsing = false
    c.pointee.requests = 0
    c.pointee.lingered = 0
    c.pointee.copyPeer(of: parent.pointee)
    c.pointee.local = parent.pointee.local
    c.pointee.listener = parent.pointee.listener
    // The connection outlives its streams.
    c.pointee.security = parent.pointee.security
    c.pointee.timer.token = c.pointee.token.raw
    c.pointee.useStream()
    c.pointee.stream.id = id
    c.pointee.stream.session = .passUnretained(session)
    c.pointee.stream.notices = []
    c.pointee.stream.fault = nil
    c.pointee.stream.trailersRefused = false
    c.pointee.stream.isDeferred = false
    c.pointee.stream.trailersWait = false
    c.pointee.stream.hasEnded = false
    c.pointee.stream.lingers = false
    c.pointee.stream.isClosed = false
    c.pointee.stream.error = 0
    c.pointee.stream.previous = nil
    c.pointee.stream.next = session.first
    session.first?.pointee.stream.previous = c
    session.first = c
    session.streams &+= 1
    session.requests &+= 1
    session.metrics.streams.add()
    session.metrics.streamsActive.add()
    stopTimer(parent)
    setTimer(c, settings.requestHeaderTimeout)
    if settings.maxRequestsPerConnection != 0 && session.requests >= settings.maxRequestsPerConnection {
      leaveHTTP2(parent)
    }
    return c
  }

  /// Streams of one worker.
  private static let maxStreams = 1_000_000

  func streamEvent(_ c: ClientRef, _ notices: ClientStream.Notices) {
    if c.pointee.phase == .tunnel { return tunnelEvent(c, notices) }
    if notices.contains(.closed) { return streamClosed(c) }
    let generation = c.pointee.generation
    if notices.contains(.head) { beginStream(c) }
    if c.pointee.generation != generation { return }
    if notices.contains(.body) && c.pointee.phase == .exchange, let x = c.pointee.exchange {
      c.pointee.readable = true
      pumpRequest(x)
      if c.pointee.generation != generation { return }
    }
    if notices.contains(.trailersSent), let x = c.pointee.exchange, c.pointee.phase == .exchange {
      return responseComplete(x)
    }
    if notices.contains(.drained) && c.pointee.phase == .exchange, let x = c.pointee.exchange {
      if x.pointee.requestDone { stopTimer(c) } else { setTimer(c, settings.requestBodyIdleTimeout) }
      clientDrained(x)
      if c.pointee.generation != generation { return }
    }
    if notices.contains(.sent) { responseSent(c) }
    if notices.contains(.surplus) { stopLingering(c) }
  }

  /// The request's head is there.
  private func beginStream(_ c: ClientRef) {
    guard let x = c.pointee.exchange, c.pointee.phase == .head else { return }
    c.pointee.phase = .exchange
    c.pointee.readable = c.pointee.sawEOF || !c.pointee.stream.received.isEmpty
    if let fault = c.pointee.stream.fault {
      return refuse(x, c, status: fault.status, message: fault.message, code: fault.code)
    }
    if x.pointee.state.pointee.request.upgrade { addWebSocketKey(x.pointee.state) }
    begin(x, c)
  }

  // MARK: Receiving

  /// Moves body bytes that have arrived into the stream's buffer, which must be attached and have space, and grants the
  /// client as many more.
  func fillFromStream(_ c: ClientRef) -> Fill {
    let result = receiveFromStream(c)
    if result.raw > 0 {
      c.pointee.input.end &+= result.raw
      return .bytes
    }
    c.pointee.readable = false
    return result.wouldBlock ? .wouldBlock : .closed
  }

  /// The same, as from a socket: the caller counts the bytes.
  func receiveFromStream(_ c: ClientRef) -> IOResult {
    let n = min(c.pointee.stream.received.count, c.pointee.input.space)
    if n == 0 { return IOResult(raw: c.pointee.sawEOF ? 0 : -Int(EAGAIN)) }
    var w = ByteWriter(c.pointee.input.writePointer, n)
    c.pointee.stream.received.move(n, into: &w, pool)
    if !c.pointee.stream.isClosed, let session = c.pointee.stream.session {
      session._withUnsafeGuaranteedRef { $0.consumed(c.pointee.stream.id, n) }
      markDirty(c)
    }
    return IOResult(raw: n)
  }

  // MARK: Sending

  /// Queues bytes of the response's body. The queue is what tells the upstream to wait: see `clientIsSlow`.
  func sendToStream(_ c: ClientRef, _ p: BytePointer, _ count: Int) {
    c.pointee.output.append(p, count, pool)
    setTimer(c, settings.writeIdleTimeout)
    wakeStream(c)
  }

  /// Nothing more is sent to the client on a tunnel's stream.
  func endStreamTunnel(_ c: ClientRef) {
    if c.pointee.stream.hasEnded { return }
    c.pointee.stream.hasEnded = true
    wakeStream(c)
  }

  private func wakeStream(_ c: ClientRef) {
    if c.pointee.stream.isDeferred, !c.pointee.stream.isClosed, let session = c.pointee.stream.session {
      c.pointee.stream.isDeferred = false
      session._withUnsafeGuaranteedRef { $0.resumeBody(c.pointee.stream.id) }
    }
    markDirty(c)
  }

  /// Sends the response's head, and what there is of its body.
  func sendStreamResponse(_ x: ExchangeRef, _ c: ClientRef) {
    let s = x.pointee.state
    fieldList.reset()
    fieldList.appendResponse(s.pointee.response)
    let isBuffered = x.pointee.responseMode == .buffered
    let body = isBuffered ? s.pointee.bufferedResponseBody.bytes : Bytes()
    let hasTrailers = isBuffered && s.pointee.responseTrailers.count > 0
    let isEmpty = x.pointee.responseMode == .none || (isBuffered && (body.isEmpty || s.pointee.request.isHead))
    if !submitHead(c, hasBody: !isEmpty || hasTrailers) { return clientGone(c) }
    if isBuffered {
      if !isEmpty {
        x.pointee.bytesSent = UInt64(body.count)
        sendToStream(c, body.base, body.count)
      }
      return endStreamBody(x, c, hasTrailers: hasTrailers)
    }
    if isEmpty { return responseComplete(x) }
    // Body bytes that came with the head go out with it.
    if x.pointee.responseMode == .raw, let u = x.pointee.upstream, !u.pointee.input.isEmpty { relayResponse(x, u) }
  }

  /// Ends the response behind what is queued: at once, or behind its trailers.
  func endStreamBody(_ x: ExchangeRef, _ c: ClientRef, hasTrailers: Bool) {
    if !hasTrailers { return responseComplete(x) }
    c.pointee.stream.trailersWait = true
    x.pointee.responseIsComplete = true
    wakeStream(c)
  }

  /// Sends a response of the proxy's own.
  func sendStreamLocal(_ x: ExchangeRef, _ c: ClientRef) {
    let s = x.pointee.state
    let status = s.pointee.response.status
    let body = s.pointee.localBody.bytes
    x.pointee.responseHeadSent = true
    x.pointee.stage = .responding
    fieldList.reset()
    fieldList.appendResponse(s.pointee.response)
    if s.pointee.response.headers.find(.date) == nil {
      fieldList.append(Bytes("date"), dateText.bytes(wall: clock.pointee.wall))
    }
    if !settings.serverHeader.isEmpty && s.pointee.response.headers.find(.server) == nil {
      fieldList.append(Bytes("server"), settings.serverBytes.bytes)
    }
    let sendsBody = !s.pointee.request.isHead && status != 204 && status != 304 && !body.isEmpty
    if !submitHead(c, hasBody: sendsBody) { return clientGone(c) }
    if sendsBody {
      x.pointee.bytesSent = UInt64(body.count)
      sendToStream(c, body.base, body.count)
    }
    x.pointee.responseIsComplete = true
    endExchange(x)
    finishClient(c)
  }

  func sendStreamInterim(_ c: ClientRef, _ head: borrowing MessageHead) {
    fieldList.reset()
    fieldList.appendResponse(head)
    submitInterim(c)
  }

  /// 100 (Continue).
  func sendStreamContinue(_ c: ClientRef) {
    fieldList.reset()
    fieldList.append(status: 100)
    submitInterim(c)
  }

  private func submitInterim(_ c: ClientRef) {
    guard let session = c.pointee.stream.session, !c.pointee.stream.isClosed else { return }
    _ = session._withUnsafeGuaranteedRef { $0.submitInterim(c.pointee.stream.id, fieldList) }
    markDirty(c)
  }

  func submitHead(_ c: ClientRef, hasBody wantsBody: Bool) -> Bool {
    guard let session = c.pointee.stream.session, !c.pointee.stream.isClosed else { return false }
    // A response that comes before the end of its request ends in a frame of its own: libnghttp2 would drop a head that
    // still waits when the reset of `responseSent` is asked for.
    let hasBody = wantsBody || !c.pointee.sawEOF
    c.pointee.stream.hasBody = hasBody
    if let x = c.pointee.exchange {
      gathering.pointee.countHead(now: clock.pointee.now, started: x.pointee.state.pointee.started)
    }
    let isSubmitted = session._withUnsafeGuaranteedRef {
      $0.submitResponse(c.pointee.stream.id, fieldList, hasBody: hasBody)
    }
    markDirty(c)
    return isSubmitted
  }

  // MARK: The end

  /// The response is complete; some of it may wait to be sent.
  func finishStream(_ c: ClientRef) {
    if let x = c.pointee.exchange { releaseExchange(x) }
    c.pointee.phase = .draining
    setTimer(c, settings.writeIdleTimeout)
    if c.pointee.stream.hasBody { wakeStream(c) } else { responseSent(c) }
  }

  /// The last byte has been handed to the session. Of a request that the client still sends, a small rest is swallowed:
  /// clients that know no better take the reset that RFC 9113 8.1 allows for a failure, and lose the response.
  private func responseSent(_ c: ClientRef) {
    if c.pointee.sawEOF || c.pointee.stream.isClosed || c.pointee.stream.lingers { return }
    guard let session = c.pointee.stream.session else { return }
    let waiting = c.pointee.stream.received.count
    c.pointee.stream.received.releaseAll(pool)
    c.pointee.stream.lingers = true
    c.pointee.lingered &+= UInt32(truncatingIfNeeded: waiting)
    if c.pointee.lingered > Self.lingerBytes { return stopLingering(c) }
    session._withUnsafeGuaranteedRef { $0.consumed(c.pointee.stream.id, waiting) }
    setTimer(c, Self.lingerTime)
    markDirty(c)
  }

  /// A client that goes on sending behind its response is told that it need not (RFC 9113 8.1).
  func stopLingering(_ c: ClientRef) {
    guard c.pointee.stream.lingers, !c.pointee.stream.isClosed, let session = c.pointee.stream.session else { return }
    session._withUnsafeGuaranteedRef { $0.reset(c.pointee.stream.id, .noError) }
    markDirty(c)
    setTimer(c, settings.writeIdleTimeout)
  }

  /// libnghttp2 has closed the stream: it has come to its end, or either side has reset it.
  private func streamClosed(_ c: ClientRef) {
    if c.pointee.phase == .exchange { clientGone(c) } else { closeClient(c) }
  }

  /// Lets go of the stream, with a reset if it has not come to its end.
  func closeStream(_ c: ClientRef) {
    if c.pointee.phase == .closed { return }
    if let x = c.pointee.exchange {
      if x.pointee.stage != .done && c.pointee.phase != .head { endExchange(x) }
      releaseExchange(x)
    }
    let isTunnel = c.pointee.phase == .tunnel
    c.pointee.phase = .closed
    c.pointee.generation &+= 1
    wheel.pointee.cancel(&c.pointee.timer)
    pool.detach(&c.pointee.input)
    c.pointee.output.releaseAll(pool)
    c.pointee.stream.received.releaseAll(pool)
    if let session = c.pointee.stream.session {
      session._withUnsafeGuaranteedRef { s in
        if !c.pointee.stream.isClosed {
          s.setContext(c.pointee.stream.id, nil)
          // RFC 8441 5: as the connection behind a tunnel breaks, so does the stream.
          s.reset(c.pointee.stream.id, isTunnel ? .cancel : .internalError)
          markDirty(c)
        }
        s.metrics.streamsActive.sub()
        unlink(c, s)
      }
    }
    c.pointee.stream.session = nil
    c.pointee.stream.id = 0
    c.pointee.stream.isClosed = false
    c.pointee.listener = nil
    streamsActive &-= 1
    clients.give(c.pointee.slot)
  }

  private func unlink(_ c: ClientRef, _ session: ClientSession) {
    if let previous = c.pointee.stream.previous {
      previous.pointee.stream.next = c.pointee.stream.next
    } else {
      session.first = c.pointee.stream.next
    }
    c.pointee.stream.next?.pointee.stream.previous = c.pointee.stream.previous
    c.pointee.stream.next = nil
    c.pointee.stream.previous = nil
    session.streams &-= 1
    if session.streams > 0 { return }
    setTimer(session.connection, settings.keepAliveTimeout)
    if session.isLeaving { markDirty(session.connection) }
  }
}
