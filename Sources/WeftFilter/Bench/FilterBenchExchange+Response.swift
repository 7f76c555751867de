import WeftHTTP
import WeftIO

/// The response side, as the proxy's worker runs it.
extension FilterBenchExchange {
  func resume() {
    if !isSuspended { return }
    isSuspended = false
    switch state.pointee.phase {
    case .request: continueRequest()
    case .requestBody, .requestTrailers: continueRequestBody()
    case .response: continueResponse()
    case .responseBody, .responseTrailers: continueResponseBody()
    case .ended: return
    }
  }

  func runResponse(_ first: FilterVerdict) {
    var verdict = first
    while true {
      switch verdict {
      case .next: return state.pointee.localStatus != 0 ? sendLocal() : sendResponse()
      case .respond: return respondLocally(from: state.pointee.filterIndex - 1)
      case .suspend:
        progress = .response
        if state.pointee.responseBufferLimit == 0 {
          isSuspended = true
          return
        }
        if state.pointee.localStatus == 0 && !isBuffered && state.pointee.response.framing != .none {
          isBuffering = true
          bufferedBy = ExchangeState.chainLimit
          return pumpResponse()
        }
        guard let next = responseIsBuffered() else { return }
        verdict = next
      }
    }
  }

  /// Answers with `state.response`, after the filters from `last` downwards have seen it.
  func respondLocally(from last: Int) {
    if headIsOut {
      isAborted = true
      return end()
    }
    pieces = []
    trailers = []
    isBuffering = false
    isBuffered = false
    isSuspended = false
    progress = .response
    state.pointee.phase = .response
    state.pointee.responseBufferLimit = 0
    bufferedBy = last + 1
    runResponse(last >= 0 ? chain.response(state, from: last) : .next)
  }

  /// Answers with one of the proxy's own errors.
  func fail(_ status: Int, throughChain: Bool = true) {
    if headIsOut {
      isAborted = true
      return end()
    }
    handle.respond(status, details: "bench_failure")
    if !throughChain { state.pointee.responseBodyFilters = 0 }
    respondLocally(from: throughChain ? chain.count - 1 : -1)
  }

  private func responseIsBuffered() -> FilterVerdict? {
    let filter = state.pointee.filterIndex
    if !filterBufferedResponse(from: bufferedBy - 1, downTo: filter + 1) { return nil }
    bufferedBy = filter
    state.pointee.filterIndex = filter
    state.pointee.responseBufferLimit = 0
    state.pointee.phase = .response
    let verdict = chain.resume(state)
    return verdict == .next ? chain.response(state, from: state.pointee.filterIndex - 1) : verdict
  }

  private func continueResponse() {
    if state.pointee.responseBufferLimit != 0 {
      guard let verdict = responseIsBuffered() else { return }
      return runResponse(verdict)
    }
    let verdict = chain.resume(state)
    runResponse(verdict == .next ? chain.response(state, from: state.pointee.filterIndex - 1) : verdict)
  }

  // MARK: The head

  private func sendLocal() {
    if !filterBufferedResponse(from: bufferedBy - 1, downTo: 0) { return }
    let status = state.pointee.response.status
    let body = state.pointee.localBody.bytes.array
    let mayHaveBody = status != 204 && status != 304
    if mayHaveBody { setLength(&state.pointee.response, body.count) }
    var message = FilterBenchMessage(response: state.pointee.response)
    if mayHaveBody && !state.pointee.request.isHead && !body.isEmpty { message.pieces = [body] }
    headIsOut = true
    response = message
    progress = .answered
  }

  private var mayHaveBody: Bool {
    let status = state.pointee.response.status
    return !state.pointee.request.isHead && status != 204 && status != 304
  }

  private func sendResponse() {
    if state.pointee.response.headers.hasOverflowed { return fail(500, throughChain: false) }
    let framing = state.pointee.response.framing
    let isMade = framing == .none && !state.pointee.bufferedResponseBody.isEmpty && mayHaveBody
    if isBuffered && framing != .none || isMade {
      if !filterBufferedResponse(from: bufferedBy - 1, downTo: 0) { return }
      state.pointee.response.headers.remove(.transferEncoding)
      setLength(&state.pointee.response, state.pointee.bufferedResponseBody.count)
    } else if framing != .none && state.pointee.responseBodyFilters != 0 {
      state.pointee.response.headers.remove(.contentLength)
      if framing != .chunked {
        state.pointee.response.headers.add(HeaderName("transfer-encoding"), Bytes("chunked"))
      }
    }
    var message = FilterBenchMessage(response: state.pointee.response)
    headIsOut = true
    if isBuffered && framing != .none || isMade {
      message.pieces = [state.pointee.bufferedResponseBody.bytes.array].filter { !$0.isEmpty }
      response = message
      progress = .answered
      return
    }
    response = message
    progress = framing == .none ? .answered : .response
    pumpResponse()
  }

  // MARK: The body

  private func pumpResponse() {
    while !isSuspended && !pieces.isEmpty && (isBuffering || headIsOut) && progress != .ended {
      let piece = OwnedBytes(pieces.removeFirst())
      if pieces.isEmpty { takeTrailers(into: &state.pointee.responseTrailers) }
      responseChunk(piece.bytes, isLast: pieces.isEmpty, from: chain.count - 1)
      withExtendedLifetime(piece) {}
    }
  }

  private func responseChunk(_ bytes: Bytes, isLast: Bool, from last: Int) {
    state.pointee.phase = .responseBody
    let buffering = state.pointee.filterIndex
    var chunk = BodyChunk(bytes, isLast: isLast, stores: bench.scratch)
    switch chain.responseBody(state, from: last, downTo: isBuffering ? buffering + 1 : 0, &chunk) {
    case .next:
      if isBuffering { state.pointee.filterIndex = buffering }
      emitResponse(chunk.bytes, isLast: isLast)
    case .suspend:
      isSuspended = true
      holdsChunk = true
      heldChunkIsLast = isLast
      if !state.pointee.heldChunk.assign(chunk.bytes, limit: BodyScratch.limit) { fail(500) }
    case .respond: respondLocally(from: state.pointee.filterIndex - 1)
    }
  }

  private func continueResponseBody() {
    let phase = state.pointee.phase
    switch chain.resume(state) {
    case .suspend: isSuspended = true
    case .respond: respondLocally(from: state.pointee.filterIndex - 1)
    case .next:
      if phase == .responseTrailers { return responseTrailers(from: state.pointee.filterIndex - 1) }
      holdsChunk = false
      let held = OwnedBytes(state.pointee.heldChunk.bytes)
      responseChunk(held.bytes, isLast: heldChunkIsLast, from: state.pointee.filterIndex - 1)
      withExtendedLifetime(held) {}
      pumpResponse()
    }
  }

  private func emitResponse(_ bytes: Bytes, isLast: Bool) {
    if isBuffering {
      if !state.pointee.bufferedResponseBody.append(bytes, limit: state.pointee.responseBufferLimit) {
        return fail(500)
      }
      if isLast {
        isBuffering = false
        isBuffered = true
        continueResponse()
      }
      return
    }
    if bytes.count > 0 { response?.pieces.append(bytes.array) }
    if !isLast { return }
    if state.pointee.responseTrailers.count == 0 {
      progress = .answered
    } else {
      responseTrailers(from: chain.count - 1)
    }
  }

  private func responseTrailers(from last: Int) {
    state.pointee.phase = .responseTrailers
    if chain.responseTrailers(state, from: last) == .suspend {
      isSuspended = true
      return
    }
    response?.trailers = FilterBenchMessage.fields(state.pointee.responseTrailers)
    progress = .answered
  }

  private func filterBufferedResponse(from last: Int, downTo end: Int) -> Bool {
    if state.pointee.responseBodyFilters == 0 || last < end { return true }
    if state.pointee.localStatus == 0 && !isBuffered { return true }
    state.pointee.phase = .responseBody
    defer { state.pointee.phase = .response }
    var chunk = BodyChunk(handle.responseBody, isLast: true, stores: bench.scratch)
    switch chain.responseBody(state, from: last, downTo: end, &chunk) {
    case .next:
      if chunk.isReplaced { handle.replaceResponseBody(with: chunk.bytes) }
      return true
    case .suspend, .respond:
      fail(500, throughChain: false)
      return false
    }
  }
}
