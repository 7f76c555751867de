import WeftFilter
import WeftHTTP
import WeftIO

/// The response's body on its way to the client, or into a filter's buffer.
extension Worker {
  /// Passes received bytes on as they stand.
  @inline(__always)
  func relayResponse(_ x: ExchangeRef, _ u: UpstreamRef) {
    guard let c = x.pointee.client else { return deliverCall(x) }
    let p = u.pointee.input.readPointer
    let n = x.pointee.responseTracker.consume(p, u.pointee.input.count)
    if n < 0 { return upstreamFailed(u, .upstreamProtocolError) }
    u.pointee.input.start &+= n
    if !sendToClient(c, p, n) { return }
    if x.pointee.responseTracker.isDone {
      x.pointee.bytesSent = x.pointee.responseTracker.dataBytes
      responseComplete(x)
    }
  }

  // MARK: Decoded

  func decodeResponse(_ x: ExchangeRef, _ u: UpstreamRef) {
    let s = x.pointee.state
    let p = u.pointee.input.readPointer
    switch x.pointee.responseDecoder.next(p, u.pointee.input.count, trailers: &s.pointee.responseTrailers) {
    case .data(let start, let count, let consumed):
      u.pointee.input.start &+= consumed
      responseChunk(x, Bytes(p + start, count), isLast: x.pointee.responseDecoder.isDone, from: lastBodyFilter(x))
    case .end(let consumed):
      u.pointee.input.start &+= consumed
      responseChunk(x, Bytes(), isLast: true, from: lastBodyFilter(x))
    case .needMore(let consumed):
      u.pointee.input.start &+= consumed
    case .malformed:
      upstreamFailed(u, .upstreamProtocolError)
    }
  }

  private func lastBodyFilter(_ x: ExchangeRef) -> Int {
    (x.pointee.state.pointee.chain?._withUnsafeGuaranteedRef { $0.count } ?? 0) &- 1
  }

  /// Shows a decoded piece to the filters from `last` downwards, and passes on what they make of it.
  func responseChunk(_ x: ExchangeRef, _ bytes: Bytes, isLast: Bool, from last: Int) {
    let s = x.pointee.state
    s.pointee.phase = .responseBody
    let buffering = s.pointee.filterIndex
    let end = x.pointee.stage == .bufferingResponse ? buffering &+ 1 : 0
    var chunk = BodyChunk(bytes, isLast: isLast, stores: bodyScratch)
    var verdict = FilterVerdict.next
    if s.pointee.responseBodyFilters != 0, let chain = s.pointee.chain {
      verdict = chain._withUnsafeGuaranteedRef { $0.responseBody(s, from: last, downTo: end, &chunk) }
    }
    switch verdict {
    case .next:
      if x.pointee.stage == .bufferingResponse { s.pointee.filterIndex = buffering }
      emitResponse(x, chunk.bytes, isLast: isLast)
    case .suspend:
      x.pointee.suspended = true
      x.pointee.holdsChunk = true
      x.pointee.heldChunkIsLast = isLast
      if !s.pointee.heldChunk.assign(chunk.bytes, limit: BodyScratch.limit) { fail(x, .responseBodyTooLarge) }
    case .respond:
      respondLocally(x, from: s.pointee.filterIndex &- 1)
    }
  }

  /// A filter that held a piece goes on.
  func continueResponseBody(_ x: ExchangeRef) {
    let s = x.pointee.state
    guard let chain = s.pointee.chain else { return }
    let phase = s.pointee.phase
    switch chain._withUnsafeGuaranteedRef({ $0.resume(s) }) {
    case .suspend: x.pointee.suspended = true
    case .respond: respondLocally(x, from: s.pointee.filterIndex &- 1)
    case .next:
      if phase == .responseTrailers { return responseTrailers(x, from: s.pointee.filterIndex &- 1) }
      x.pointee.holdsChunk = false
      responseChunk(x, s.pointee.heldChunk.bytes, isLast: x.pointee.heldChunkIsLast, from: s.pointee.filterIndex &- 1)
    }
  }

  private func emitResponse(_ x: ExchangeRef, _ bytes: Bytes, isLast: Bool) {
    let s = x.pointee.state
    if x.pointee.stage == .bufferingResponse {
      if !s.pointee.bufferedResponseBody.append(bytes, limit: s.pointee.responseBufferLimit) {
        return fail(x, .responseBodyTooLarge)
      }
      if isLast {
        x.pointee.stage = .response
        x.pointee.responseIsComplete = true
        if x.pointee.call != nil { return deliverCall(x) }
        continueResponse(x)
      }
      return
    }
    guard let c = x.pointee.client else { return }
    let generation = x.pointee.generation
    x.pointee.bytesSent &+= UInt64(bytes.count)
    if x.pointee.responseChunked {
      sendChunks(bytes) { p, n in
        if x.pointee.generation == generation { _ = sendToClient(c, p, n) }
      }
    } else if !sendToClient(c, bytes.base, bytes.count) {
      return
    }
    if x.pointee.generation == generation && isLast {
      responseTrailers(x, from: lastBodyFilter(x))
    }
  }

  private func responseTrailers(_ x: ExchangeRef, from last: Int) {
    let s = x.pointee.state
    s.pointee.phase = .responseTrailers
    var verdict = FilterVerdict.next
    if s.pointee.responseTrailers.count > 0, let chain = s.pointee.chain {
      verdict = chain._withUnsafeGuaranteedRef { $0.responseTrailers(s, from: last) }
    }
    if verdict == .suspend {
      x.pointee.suspended = true
      return
    }
    // The head is long gone: an answer of a filter's own has no place any more, and the body ends as it is.
    guard let c = x.pointee.client else { return }
    if c.pointee.isStream { return endStreamBody(x, c, hasTrailers: s.pointee.responseTrailers.count > 0) }
    if x.pointee.responseChunked {
      var w = ByteWriter(scratch, Self.scratchSize)
      HTTP1Writer.lastChunk(trailers: s.pointee.responseTrailers, into: &w)
      if !sendToClient(c, BytePointer(scratch), w.count) { return }
    }
    responseComplete(x)
  }

  // MARK: Buffered

  /// Runs the whole buffered body, or that of a local response, through the body filters from `last` down to `end`.
  /// - Returns: false when the exchange has taken another way.
  func filterBufferedResponse(_ x: ExchangeRef, from last: Int, downTo end: Int) -> Bool {
    let s = x.pointee.state
    guard s.pointee.responseBodyFilters != 0, last >= end, let chain = s.pointee.chain else { return true }
    if s.pointee.localStatus == 0 && x.pointee.responseMode != .buffered { return true }
    s.pointee.phase = .responseBody
    defer { s.pointee.phase = .response }
    var chunk = BodyChunk(x.pointee.handle.responseBody, isLast: true, stores: bodyScratch)
    let verdict = chain._withUnsafeGuaranteedRef { $0.responseBody(s, from: last, downTo: end, &chunk) }
    if verdict == .next {
      if chunk.isReplaced && !x.pointee.handle.replaceResponseBody(with: chunk.bytes) {
        fail(x, .responseBodyTooLarge)
        return false
      }
      return true
    }
    // The body is whole already: there is nothing to wait for that the head's phase could not have waited for.
    fail(x, .filterFailed)
    return false
  }
}
