import WeftHTTP
import WeftIO

/// The request side, as the proxy's worker runs it.
extension FilterBenchExchange {
  func begin(head: String, pieces: [[UInt8]], trailers: [String]) throws(FilterBenchError) {
    let wire = keep(head)
    let outcome = HTTP1Parser.parseRequest(
      wire.base, wire.count, into: &state.pointee.request, limits: HTTPLimits())
    guard case .complete = outcome else {
      throw FilterBenchError(description: "the proxy would refuse this request: \(outcome)")
    }
    self.pieces = state.pointee.request.framing == .none ? [] : pieces
    self.trailers = trailers
    bufferedBy = -1
    runRequest(chain.request(state, from: 0))
  }

  func runRequest(_ first: FilterVerdict) {
    var verdict = first
    while true {
      switch verdict {
      case .next: return requestIsThrough()
      case .respond: return respondLocally(from: state.pointee.lastToSeeAnswer)
      case .suspend:
        if state.pointee.requestBufferLimit == 0 {
          isSuspended = true
          return
        }
        if state.pointee.request.framing != .none && !isBuffered {
          isBuffering = true
          return pumpRequest()
        }
        guard let next = requestIsBuffered() else { return }
        verdict = next
      }
    }
  }

  /// The body that a filter waits for is whole.
  private func requestIsBuffered() -> FilterVerdict? {
    let filter = state.pointee.filterIndex
    if isBuffered && bufferedBy >= 0 && !filterBufferedRequest(from: bufferedBy + 1, below: filter) { return nil }
    bufferedBy = filter
    state.pointee.filterIndex = filter
    state.pointee.requestBufferLimit = 0
    state.pointee.phase = .request
    let verdict = chain.resume(state)
    return verdict == .next ? chain.request(state, from: state.pointee.filterIndex + 1) : verdict
  }

  /// Goes on in the request phase.
  func continueRequest() {
    if state.pointee.requestBufferLimit != 0 {
      guard let verdict = requestIsBuffered() else { return }
      return runRequest(verdict)
    }
    let verdict = chain.resume(state)
    runRequest(verdict == .next ? chain.request(state, from: state.pointee.filterIndex + 1) : verdict)
  }

  private func requestIsThrough() {
    if state.pointee.request.headers.hasOverflowed { return fail(431, throughChain: false) }
    // A filter may have given a body to a request that had none.
    if !state.pointee.bufferedRequestBody.isEmpty { isBuffered = true }
    if isBuffered {
      if !filterBufferedRequest(from: bufferedBy + 1, below: ExchangeState.chainLimit) { return }
      state.pointee.request.headers.remove(.transferEncoding)
      setLength(&state.pointee.request, state.pointee.bufferedRequestBody.count)
    }
    var message = FilterBenchMessage(request: state.pointee.request)
    if isBuffered && !state.pointee.bufferedRequestBody.isEmpty {
      message.pieces = [state.pointee.bufferedRequestBody.bytes.array]
    }
    upstreamRequest = message
    progress = .upstream
    state.pointee.attempts = 1
    pumpRequest()
  }

  /// Sends the pieces of the body through the chain, or into the buffer that a filter waits for.
  func pumpRequest() {
    while !isSuspended && !pieces.isEmpty && (isBuffering || progress == .upstream) {
      let piece = OwnedBytes(pieces.removeFirst())
      if pieces.isEmpty { takeTrailers(into: &state.pointee.requestTrailers) }
      requestChunk(piece.bytes, isLast: pieces.isEmpty, from: 0)
      withExtendedLifetime(piece) {}
    }
  }

  private func requestChunk(_ bytes: Bytes, isLast: Bool, from first: Int) {
    state.pointee.phase = .requestBody
    let buffering = state.pointee.filterIndex
    var chunk = BodyChunk(bytes, isLast: isLast, stores: bench.scratch)
    let verdict = chain.requestBody(
      state, from: first, below: isBuffering ? buffering : ExchangeState.chainLimit, &chunk)
    switch verdict {
    case .next:
      if isBuffering { state.pointee.filterIndex = buffering }
      emitRequest(chunk.bytes, isLast: isLast)
    case .suspend:
      isSuspended = true
      holdsChunk = true
      heldChunkIsLast = isLast
      if !state.pointee.heldChunk.assign(chunk.bytes, limit: BodyScratch.limit) { fail(413) }
    case .respond: respondLocally(from: state.pointee.filterIndex - 1)
    }
  }

  func continueRequestBody() {
    let phase = state.pointee.phase
    switch chain.resume(state) {
    case .suspend: isSuspended = true
    case .respond: respondLocally(from: state.pointee.filterIndex - 1)
    case .next:
      if phase == .requestTrailers { return requestTrailers(from: state.pointee.filterIndex + 1) }
      holdsChunk = false
      let held = OwnedBytes(state.pointee.heldChunk.bytes)
      requestChunk(held.bytes, isLast: heldChunkIsLast, from: state.pointee.filterIndex + 1)
      withExtendedLifetime(held) {}
      pumpRequest()
    }
  }

  private func emitRequest(_ bytes: Bytes, isLast: Bool) {
    if isBuffering {
      if !state.pointee.bufferedRequestBody.append(bytes, limit: state.pointee.requestBufferLimit) { return fail(413) }
      if isLast {
        isBuffering = false
        isBuffered = true
        continueRequest()
      }
      return
    }
    if bytes.count > 0 { upstreamRequest?.pieces.append(bytes.array) }
    if isLast && state.pointee.requestTrailers.count > 0 { requestTrailers(from: 0) }
  }

  private func requestTrailers(from first: Int) {
    state.pointee.phase = .requestTrailers
    switch chain.requestTrailers(state, from: first) {
    case .next: upstreamRequest?.trailers = FilterBenchMessage.fields(state.pointee.requestTrailers)
    case .suspend: isSuspended = true
    case .respond: respondLocally(from: state.pointee.filterIndex - 1)
    }
  }

  private func filterBufferedRequest(from first: Int, below end: Int) -> Bool {
    if state.pointee.requestBodyFilters == 0 || first >= end { return true }
    state.pointee.phase = .requestBody
    defer { state.pointee.phase = .request }
    var chunk = BodyChunk(state.pointee.bufferedRequestBody.bytes, isLast: true, stores: bench.scratch)
    switch chain.requestBody(state, from: first, below: end, &chunk) {
    case .next:
      if chunk.isReplaced { _ = state.pointee.bufferedRequestBody.assign(chunk.bytes, limit: BodyScratch.limit) }
      return true
    case .respond:
      respondLocally(from: state.pointee.filterIndex - 1)
      return false
    case .suspend:
      fail(500, throughChain: false)
      return false
    }
  }

  func setLength(_ head: inout MessageHead, _ count: Int) {
    head.headers.remove(.contentLength)
    let digits = keep("\(count)")
    head.headers.add(HeaderName("content-length"), digits)
  }
}
