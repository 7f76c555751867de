import WeftFilter
import WeftHTTP
import WeftIO

/// The request's body on its way upstream, or into a filter's buffer.
extension Worker {
  /// Moves what can be moved: stops when the client has no more, when the upstream takes no more, or while a filter
  /// thinks. Not reading is the backpressure.
  func pumpRequest(_ x: ExchangeRef) {
    guard let c = x.pointee.client else { return sendBuffered(x) }
    let generation = x.pointee.generation
    var budget = Self.pumpBudget
    while x.pointee.generation == generation {
      if x.pointee.stage == .done || x.pointee.suspended { return }
      if x.pointee.requestMode == .buffered && x.pointee.stage != .bufferingRequest { return sendBuffered(x) }
      // What the client sends beyond waits: it may be the next request, even when nothing comes behind it.
      if x.pointee.requestDone { return }
      if x.pointee.stage != .bufferingRequest {
        guard let u = x.pointee.upstream, u.pointee.phase == .active, !u.pointee.isWriteBroken else { return }
        // The end of a stream needs no room, and goes out with what is queued.
        if c.pointee.isStream && c.pointee.hasNothingMore { return requestBodyEnded(x, c) }
        if !u.pointee.output.isEmpty { return }
      }
      if !c.pointee.input.isEmpty {
        if x.pointee.requestMode == .raw { relayRequest(x, c) } else { decodeRequest(x, c) }
        continue
      }
      if !c.pointee.readable { return }
      budget &-= 1
      if budget == 0 { return deferred.append(.pumpRequest(x.pointee.reference)) }
      // The buffer is about to be filled anew: the head that lies in it must move out.
      let s = x.pointee.state
      s.pointee.request.headers.keepWire(length: s.pointee.request.wireLength)
      pool.attach(&c.pointee.input)
      c.pointee.input.rewindIfEmpty()
      switch fill(c) {
      case .bytes: setTimer(c, settings.requestBodyIdleTimeout)
      case .wouldBlock: return
      case .closed:
        if !c.pointee.isStream { return clientGone(c) }
        requestBodyEnded(x, c)
      }
    }
  }

  /// The stream that the body came on has ended.
  private func requestBodyEnded(_ x: ExchangeRef, _ c: ClientRef) {
    let isWhole =
      x.pointee.requestMode == .raw ? x.pointee.requestTracker.close() : x.pointee.requestDecoder.close()
    if !isWhole || c.pointee.stream.trailersRefused { return fail(x, .malformedBody) }
    requestComplete(x, c)
    if x.pointee.requestMode != .raw { requestChunk(x, Bytes(), isLast: true, from: 0) }
  }

  /// Passes received bytes on as they stand.
  private func relayRequest(_ x: ExchangeRef, _ c: ClientRef) {
    guard let u = x.pointee.upstream else { return }
    let p = c.pointee.input.readPointer
    let n = x.pointee.requestTracker.consume(p, c.pointee.input.count)
    if n < 0 { return fail(x, .malformedBody) }
    c.pointee.input.start &+= n
    if x.pointee.requestTracker.isDone {
      requestComplete(x, c)
      x.pointee.requestSent = true
    }
    sendBody(x, u, p, n)
    if u.pointee.isStream && x.pointee.requestSent { endStreamRequest(u) }
  }

  private func requestComplete(_ x: ExchangeRef, _ c: ClientRef) {
    x.pointee.requestDone = true
    x.pointee.bytesReceived =
      x.pointee.requestMode == .raw ? x.pointee.requestTracker.dataBytes : x.pointee.bytesReceived
    stopTimer(c)
    // The upstream's time to answer runs from here.
    if let u = x.pointee.upstream, u.pointee.phase == .active, !x.pointee.responseStarted {
      setTimer(u, attemptTimeout(x, u))
    }
  }

  /// Sends body bytes, in their final framing, to the upstream; keeps a copy as long as the request may be repeated.
  func sendBody(_ x: ExchangeRef, _ u: UpstreamRef, _ p: BytePointer, _ n: Int) {
    keepForReplay(x, Bytes(p, n))
    if x.pointee.requestDone && !x.pointee.state.pointee.mirrors.isEmpty { sendMirrors(x) }
    sendToUpstream(u, p, n)
  }

  // MARK: Decoded

  private func decodeRequest(_ x: ExchangeRef, _ c: ClientRef) {
    let s = x.pointee.state
    let p = c.pointee.input.readPointer
    switch x.pointee.requestDecoder.next(p, c.pointee.input.count, trailers: &s.pointee.requestTrailers) {
    case .data(let start, let count, let consumed):
      c.pointee.input.start &+= consumed
      x.pointee.bytesReceived &+= UInt64(truncatingIfNeeded: count)
      // A body with a known length ends with its last piece, a chunked one with its last chunk.
      let isLast = x.pointee.requestDecoder.isDone
      if isLast { requestComplete(x, c) }
      requestChunk(x, Bytes(p + start, count), isLast: isLast, from: 0)
    case .end(let consumed):
      c.pointee.input.start &+= consumed
      if x.pointee.requestDone { return }
      requestComplete(x, c)
      requestChunk(x, Bytes(), isLast: true, from: 0)
    case .needMore(let consumed):
      c.pointee.input.start &+= consumed
    case .malformed:
      fail(x, .malformedBody)
    }
  }

  /// Shows a decoded piece to the filters from `first` on, and passes on what they make of it.
  private func requestChunk(_ x: ExchangeRef, _ bytes: Bytes, isLast: Bool, from first: Int) {
    let s = x.pointee.state
    s.pointee.phase = .requestBody
    let end = x.pointee.stage == .bufferingRequest ? s.pointee.filterIndex : ExchangeState.chainLimit
    let buffering = s.pointee.filterIndex
    var chunk = BodyChunk(bytes, isLast: isLast, stores: bodyScratch)
    var verdict = FilterVerdict.next
    if s.pointee.requestBodyFilters != 0, let chain = s.pointee.chain {
      verdict = chain._withUnsafeGuaranteedRef { $0.requestBody(s, from: first, below: end, &chunk) }
    }
    switch verdict {
    case .next:
      if x.pointee.stage == .bufferingRequest { s.pointee.filterIndex = buffering }
      emitRequest(x, chunk.bytes, isLast: isLast)
    case .suspend:
      x.pointee.suspended = true
      x.pointee.holdsChunk = true
      x.pointee.heldChunkIsLast = isLast
      if !s.pointee.heldChunk.assign(chunk.bytes, limit: BodyScratch.limit) { fail(x, .requestBodyTooLarge) }
    case .respond:
      respondLocally(x, from: s.pointee.filterIndex &- 1)
    }
  }

  /// A filter that held a piece goes on.
  func continueRequestBody(_ x: ExchangeRef) {
    let s = x.pointee.state
    guard let chain = s.pointee.chain else { return }
    let phase = s.pointee.phase
    switch chain._withUnsafeGuaranteedRef({ $0.resume(s) }) {
    case .suspend: x.pointee.suspended = true
    case .respond: respondLocally(x, from: s.pointee.filterIndex &- 1)
    case .next:
      if phase == .requestTrailers { return requestTrailers(x, from: s.pointee.filterIndex &+ 1) }
      x.pointee.holdsChunk = false
      requestChunk(x, s.pointee.heldChunk.bytes, isLast: x.pointee.heldChunkIsLast, from: s.pointee.filterIndex &+ 1)
    }
  }

  private func emitRequest(_ x: ExchangeRef, _ bytes: Bytes, isLast: Bool) {
    let s = x.pointee.state
    if x.pointee.stage == .bufferingRequest {
      if !s.pointee.bufferedRequestBody.append(bytes, limit: s.pointee.requestBufferLimit) {
        return fail(x, .requestBodyTooLarge)
      }
      if isLast {
        x.pointee.stage = .request
        continueRequest(x)
      }
      return
    }
    guard let u = x.pointee.upstream else { return }
    if !x.pointee.requestChunked {
      sendBody(x, u, bytes.base, bytes.count)
      if isLast { requestTrailers(x, from: 0) }
      return
    }
    sendChunks(bytes) { sendBody(x, u, $0, $1) }
    if isLast { requestTrailers(x, from: 0) }
  }

  private func requestTrailers(_ x: ExchangeRef, from first: Int) {
    let s = x.pointee.state
    s.pointee.phase = .requestTrailers
    var verdict = FilterVerdict.next
    if first > 0 || s.pointee.requestTrailers.count > 0, let chain = s.pointee.chain {
      verdict = chain._withUnsafeGuaranteedRef { $0.requestTrailers(s, from: first) }
    }
    switch verdict {
    case .suspend: x.pointee.suspended = true
    case .respond: respondLocally(x, from: s.pointee.filterIndex &- 1)
    case .next:
      guard let u = x.pointee.upstream else { return }
      x.pointee.requestSent = true
      if u.pointee.isStream { return endStreamRequest(u) }
      var w = ByteWriter(scratch, Self.scratchSize)
      HTTP1Writer.lastChunk(trailers: s.pointee.requestTrailers, into: &w)
      sendBody(x, u, BytePointer(scratch), w.count)
    }
  }

  /// Writes bytes as chunks (RFC 9112 7.1), each with its framing in one piece of memory.
  func sendChunks(_ bytes: Bytes, _ send: (BytePointer, Int) -> Void) {
    var at = 0
    while at < bytes.count {
      let n = min(bytes.count &- at, Self.scratchSize &- 64)
      var w = ByteWriter(scratch, Self.scratchSize)
      HTTP1Writer.chunk(size: n, into: &w)
      w.append(bytes.base + at, n)
      w.append("\r\n")
      send(BytePointer(scratch), w.count)
      at &+= n
    }
  }

  // MARK: Buffered

  /// Writes the buffered body anew as the one chunk of a chunked body, so that its trailers can follow.
  /// - Returns: false when there is no room for it.
  func encodeWithTrailers(_ x: ExchangeRef) -> Bool {
    let s = x.pointee.state
    let body = OwnedBytes(s.pointee.bufferedRequestBody.bytes)
    s.pointee.bufferedRequestBody.reset()
    var w = ByteWriter(scratch, Self.scratchSize)
    if body.bytes.count > 0 { HTTP1Writer.chunk(size: body.bytes.count, into: &w) }
    let limit = BodyScratch.limit + Self.scratchSize
    var fits = s.pointee.bufferedRequestBody.append(w.bytes, limit: limit)
    fits = s.pointee.bufferedRequestBody.append(body.bytes, limit: limit) && fits
    w = ByteWriter(scratch, Self.scratchSize)
    if body.bytes.count > 0 { w.append("\r\n") }
    HTTP1Writer.lastChunk(trailers: s.pointee.requestTrailers, into: &w)
    fits = s.pointee.bufferedRequestBody.append(w.bytes, limit: limit) && fits
    s.pointee.request.headers.remove(.contentLength)
    s.pointee.request.headers.add(Names.transferEncoding, Bytes("chunked"))
    return fits && !w.overflow
  }

  /// Runs the whole buffered body through the body filters `first..<end`.
  /// - Returns: false when the exchange has taken another way.
  func filterBufferedRequest(_ x: ExchangeRef, from first: Int, below end: Int) -> Bool {
    let s = x.pointee.state
    guard s.pointee.requestBodyFilters != 0, first < end, let chain = s.pointee.chain else { return true }
    s.pointee.phase = .requestBody
    defer { s.pointee.phase = .request }
    var chunk = BodyChunk(s.pointee.bufferedRequestBody.bytes, isLast: true, stores: bodyScratch)
    let verdict = chain._withUnsafeGuaranteedRef { $0.requestBody(s, from: first, below: end, &chunk) }
    switch verdict {
    case .next:
      if chunk.isReplaced && !s.pointee.bufferedRequestBody.assign(chunk.bytes, limit: BodyScratch.limit) {
        fail(x, .requestBodyTooLarge)
        return false
      }
      return true
    case .respond:
      respondLocally(x, from: s.pointee.filterIndex &- 1)
      return false
    case .suspend:
      // The body is whole already: there is nothing to wait for that the head's phase could not have waited for.
      fail(x, .filterFailed)
      return false
    }
  }

  /// Sends what is left of a buffered body.
  func sendBuffered(_ x: ExchangeRef) {
    guard x.pointee.requestMode == .buffered, let u = x.pointee.upstream, u.pointee.phase == .active,
      !u.pointee.isWriteBroken
    else { return }
    let generation = x.pointee.generation
    while x.pointee.generation == generation, x.pointee.upstream == u, u.pointee.output.isEmpty {
      let body = x.pointee.state.pointee.bufferedRequestBody.bytes
      let n = min(body.count &- x.pointee.bufferedSent, Self.inlineBody)
      if n <= 0 { return }
      let p = body.base + x.pointee.bufferedSent
      x.pointee.bufferedSent &+= n
      sendToUpstream(u, p, n)
      if u.pointee.isStream && x.pointee.bufferedSent == body.count { endStreamRequest(u) }
    }
  }
}
