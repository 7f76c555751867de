import WeftFilter
import WeftHTTP
import WeftIO

/// The response's way back.
extension Worker {
  /// 1xx responses that one exchange may have.
  static let informationalLimit: UInt8 = 32

  @inline(__always)
  func clientIsSlow(_ x: ExchangeRef) -> Bool {
    if let c = x.pointee.client { return !c.pointee.output.isEmpty }
    return false
  }

  /// Reads the response and passes it on, until there is no more, or the client takes no more.
  func pumpResponse(_ u: UpstreamRef) {
    guard let x = u.pointee.exchange else { return upstreamFailed(u, .upstreamProtocolError) }
    let generation = u.pointee.generation
    var budget = Self.pumpBudget
    while u.pointee.generation == generation && u.pointee.exchange == x && u.pointee.phase == .active {
      if x.pointee.suspended { return }
      if clientIsSlow(x) {
        // The end of a stream needs no room, and goes out with what is queued.
        if u.pointee.isStream && u.pointee.hasNothingMore && x.pointee.stage == .responding { responseEnded(x, u) }
        return
      }
      if !u.pointee.input.isEmpty && x.pointee.responseStarted {
        if x.pointee.stage != .responding && x.pointee.stage != .bufferingResponse { return }
        if x.pointee.responseMode == .raw { relayResponse(x, u) } else { decodeResponse(x, u) }
        continue
      }
      if !u.pointee.readable { return }
      budget &-= 1
      if budget == 0 { return deferred.append(.pumpResponse(u.pointee.token)) }
      if !receive(x, u) { return }
    }
  }

  /// Receives once.
  /// - Returns: false when there is nothing to go on with.
  @inline(__always)
  private func receive(_ x: ExchangeRef, _ u: UpstreamRef) -> Bool {
    pool.attach(&u.pointee.input)
    if u.pointee.input.isEmpty {
      if x.pointee.responseStarted {
        // The buffer is about to be filled anew: the head that lies in it must move out.
        let s = x.pointee.state
        s.pointee.response.headers.keepWire(length: s.pointee.response.wireLength)
      }
      u.pointee.input.rewindIfEmpty()
    }
    let space = u.pointee.input.space
    if space == 0 {
      upstreamFailed(u, .responseHeadersTooLarge)
      return false
    }
    let result = receiveFromUpstream(u, u.pointee.input.writePointer, space)
    if result.raw > 0 {
      if !u.pointee.sawBytes {
        u.pointee.sawBytes = true
        x.pointee.upstreamFirstByte = clock.pointee.now
      }
      u.pointee.input.end &+= result.raw
      if Transport.isEmptied(u.pointee.tls, by: result.raw, of: space) && !u.pointee.sawEOF {
        u.pointee.readable = false
      }
      if x.pointee.responseStarted {
        setTimer(u, u.pointee.endpoint?.pointee.service.pointee.timeouts.idle ?? 0)
        return true
      }
      takeResponseHead(x, u)
      return true
    }
    u.pointee.readable = false
    if result.wouldBlock { return false }
    if result.isEnd {
      u.pointee.sawEOF = true
      responseEnded(x, u)
    } else {
      upstreamFailed(u, .upstreamReset)
    }
    return false
  }

  /// The upstream has closed its side: the end of a body that lasts until then, and the failure of anything else.
  private func responseEnded(_ x: ExchangeRef, _ u: UpstreamRef) {
    guard x.pointee.responseStarted else { return upstreamFailed(u, .upstreamReset) }
    if x.pointee.responseMode == .raw {
      guard x.pointee.responseTracker.close() else { return upstreamFailed(u, .upstreamReset) }
      x.pointee.client?.pointee.closeAfter = true
      return responseComplete(x)
    }
    guard x.pointee.responseDecoder.close() else { return upstreamFailed(u, .upstreamReset) }
    responseChunk(x, Bytes(), isLast: true, from: lastFilter(x))
  }

  // MARK: The head

  /// Parses the response's head, or heads: interim ones come before the final one.
  @inline(__always)
  private func takeResponseHead(_ x: ExchangeRef, _ u: UpstreamRef) {
    let s = x.pointee.state
    while true {
      let outcome = HTTP1Parser.parseResponse(
        u.pointee.input.readPointer, u.pointee.input.count, to: s.pointee.request.method, into: &s.pointee.response,
        limits: settings.responseLimits)
      switch outcome {
      case .incomplete:
        if u.pointee.input.space == 0 { u.pointee.input.compact() }
        return
      case .malformed(let error):
        s.pointee.details = error.code
        return upstreamFailed(u, .upstreamProtocolError)
      case .complete(let length):
        if s.pointee.response.status >= 200 {
          u.pointee.input.start &+= length
          return responseHead(x, u)
        }
        if s.pointee.response.status == 101 {
          u.pointee.input.start &+= length
          return startTunnel(x, u)
        }
        x.pointee.informational &+= 1
        if x.pointee.informational > Self.informationalLimit { return upstreamFailed(u, .upstreamProtocolError) }
        if !passInterim(x) { return }
        u.pointee.input.start &+= length
        if u.pointee.input.isEmpty { return }
      }
    }
  }

  /// Passes a 1xx response on to a client that can understand it.
  func passInterim(_ x: ExchangeRef) -> Bool {
    guard let c = x.pointee.client, x.pointee.state.pointee.request.version != .http10 else { return true }
    if x.pointee.state.pointee.response.status == 100 {
      if !x.pointee.mustContinue { return true }
      x.pointee.mustContinue = false
    }
    if c.pointee.isStream {
      let s = x.pointee.state
      sendStreamInterim(c, s.pointee.response)
      return true
    }
    var w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.responseHead(x.pointee.state.pointee.response, into: &w)
    w.append("\r\n")
    return sendToClient(c, BytePointer(scratch), w.count)
  }

  /// The final head is there.
  @inline(__always)
  func responseHead(_ x: ExchangeRef, _ u: UpstreamRef) {
    let s = x.pointee.state
    x.pointee.responseStarted = true
    x.pointee.responseIsComplete = false
    let status = s.pointee.response.status
    let service = u.pointee.endpoint?.pointee.service
    if let service {
      service.pointee.metrics.requests.count(status: status)
      service.pointee.metrics.firstByte.observe(clock.pointee.now &- s.pointee.started)
    }
    if let e = u.pointee.endpoint, e.pointee.health != nil { judgeResponse(x, e, status) }
    setTimer(u, service?.pointee.timeouts.idle ?? 0)
    // To a client of HTTP/2 any 2xx says that the tunnel stands.
    if s.pointee.request.upgrade && 200..<300 ~= status, let c = x.pointee.client, c.pointee.isStream,
      !u.pointee.stream.isConnect
    {
      x.pointee.responseStarted = false
      return upstreamFailed(u, .upgradeRefused)
    }
    if s.pointee.retryPolicy != nil && wantsRetry(x, u, status) { return }
    x.pointee.stage = .response
    x.pointee.responseTracker.begin(s.pointee.response.framing)
    s.pointee.phase = .response
    if let call = x.pointee.call {
      if s.pointee.response.framing == .none { return deliverCall(x) }
      s.pointee.responseBufferLimit = call.responseLimit
      return startBufferingResponse(x)
    }
    guard let chain = s.pointee.chain else { return responseVerdict(x, .next) }
    let verdict = chain._withUnsafeGuaranteedRef { $0.response(s, from: $0.count &- 1) }
    responseVerdict(x, verdict)
  }

  private func wantsRetry(_ x: ExchangeRef, _ u: UpstreamRef, _ status: Int) -> Bool {
    x.pointee.responseStarted = false
    // The connection still carries the unwanted body: it goes, unless there is none.
    let isReusable = x.pointee.state.pointee.response.framing == .none && isReusable(x, u)
    detach(x, u)
    if retry(x, .response(status)) {
      recycle(u, isReusable: isReusable)
      return true
    }
    x.pointee.responseStarted = true
    x.pointee.upstream = u
    u.pointee.exchange = x
    if let e = u.pointee.endpoint {
      e.pointee.active &+= 1
      e.pointee.service.pointee.active &+= 1
      e.pointee.service.pointee.metrics.requestsActive.add()
    }
    return false
  }

  private func lastFilter(_ x: ExchangeRef) -> Int {
    (x.pointee.state.pointee.chain?._withUnsafeGuaranteedRef { $0.count } ?? 0) &- 1
  }

  // MARK: The chain's verdict

  func responseVerdict(_ x: ExchangeRef, _ first: FilterVerdict) {
    let s = x.pointee.state
    var verdict = first
    while true {
      switch verdict {
      case .next:
        return s.pointee.localStatus != 0 ? sendLocal(x) : sendResponse(x)
      case .respond:
        let below = s.pointee.filterIndex &- 1
        return respondLocally(x, from: below)
      case .suspend:
        if s.pointee.responseBufferLimit == 0 {
          x.pointee.suspended = true
          return
        }
        // A local response is whole; so is one that has been buffered before, or that has no body.
        let isWhole =
          s.pointee.localStatus != 0 || x.pointee.responseMode == .buffered || s.pointee.response.framing == .none
        if !isWhole { return startBufferingResponse(x) }
        guard let resumed = responseBodyBuffered(x) else { return }
        verdict = resumed
      }
    }
  }

  /// The body that a filter waits for is whole: runs the body filters behind it, and lets it go on.
  private func responseBodyBuffered(_ x: ExchangeRef) -> FilterVerdict? {
    let s = x.pointee.state
    let filter = s.pointee.filterIndex
    if !filterBufferedResponse(x, from: x.pointee.responseBufferedBy &- 1, downTo: filter &+ 1) { return nil }
    x.pointee.responseBufferedBy = filter
    s.pointee.filterIndex = filter
    s.pointee.responseBufferLimit = 0
    s.pointee.phase = .response
    guard let chain = s.pointee.chain else { return nil }
    return chain._withUnsafeGuaranteedRef { chain in
      let verdict = chain.resume(s)
      return verdict == .next ? chain.response(s, from: s.pointee.filterIndex &- 1) : verdict
    }
  }

  func continueResponse(_ x: ExchangeRef) {
    let s = x.pointee.state
    guard let chain = s.pointee.chain else { return }
    if s.pointee.responseBufferLimit != 0 {
      guard let verdict = responseBodyBuffered(x) else { return }
      return responseVerdict(x, verdict)
    }
    let verdict = chain._withUnsafeGuaranteedRef { chain in
      let verdict = chain.resume(s)
      return verdict == .next ? chain.response(s, from: s.pointee.filterIndex &- 1) : verdict
    }
    responseVerdict(x, verdict)
  }

  private func startBufferingResponse(_ x: ExchangeRef) {
    let s = x.pointee.state
    if case .length(let n) = s.pointee.response.framing, n > UInt64(s.pointee.responseBufferLimit) {
      return fail(x, .responseBodyTooLarge)
    }
    x.pointee.stage = .bufferingResponse
    x.pointee.responseMode = .buffered
    x.pointee.responseBufferedBy = ExchangeState.chainLimit
    x.pointee.responseDecoder = BodyDecoder(s.pointee.response.framing)
    if !(x.pointee.upstream?.pointee.isStream ?? false) { s.pointee.responseTrailers.reset() }
    if let u = x.pointee.upstream { pumpResponse(u) }
  }

  // MARK: The end

  /// The client has taken what was kept for it: the response may flow again.
  func clientDrained(_ x: ExchangeRef) {
    if let u = x.pointee.upstream, u.pointee.phase == .active { pumpResponse(u) }
  }

  /// The whole response has been handed to the client's socket or queue.
  func responseComplete(_ x: ExchangeRef) {
    guard let c = x.pointee.client else { return deliverCall(x) }
    x.pointee.responseIsComplete = true
    if !x.pointee.requestDone { drainRequest(x, c) }
    endExchange(x)
    finishClient(c)
  }

  /// The response has overtaken the request's body: if the rest is here already it is taken off, so that the connection
  /// can be used again; otherwise the connection closes.
  private func drainRequest(_ x: ExchangeRef, _ c: ClientRef) {
    if c.pointee.isStream { return }
    if x.pointee.requestMode == .raw && !c.pointee.input.isEmpty && x.pointee.upstream?.pointee.output.isEmpty ?? true {
      let n = x.pointee.requestTracker.consume(c.pointee.input.readPointer, c.pointee.input.count)
      if n >= 0 && x.pointee.requestTracker.isDone {
        c.pointee.input.start &+= n
        return
      }
    }
    c.pointee.closeAfter = true
  }
}
