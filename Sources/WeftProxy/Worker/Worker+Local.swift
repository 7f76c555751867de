import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// Responses that the proxy makes itself: a filter's answers, failures, refusals.
extension Worker {
  /// Answers with `state.response` and `state.localBody`, after the filters from `last` downwards have seen it.
  func respondLocally(_ x: ExchangeRef, from last: Int) {
    let s = x.pointee.state
    if x.pointee.responseHeadSent { return abort(x, .filterFailed) }
    if let u = x.pointee.upstream {
      if !x.pointee.responseIsComplete { closeBound(x, u) }
    }
    leaveQueue(x)
    wheel.pointee.cancel(&x.pointee.wakeTimer)
    x.pointee.isBackingOff = false
    x.pointee.suspended = false
    x.pointee.stage = .response
    x.pointee.responseMode = .none
    if s.pointee.localStatus != 0 { answerAsGRPC(x) }
    s.pointee.phase = .response
    s.pointee.responseBufferLimit = 0
    x.pointee.responseBufferedBy = last &+ 1
    if let chain = s.pointee.chain, last >= 0 {
      let verdict = chain._withUnsafeGuaranteedRef { $0.response(s, from: last) }
      return responseVerdict(x, verdict)
    }
    sendLocal(x)
  }

  private func closeBound(_ x: ExchangeRef, _ u: UpstreamRef) {
    detach(x, u)
    closeUpstream(u)
  }

  /// Ends the exchange with one of the proxy's own errors; the whole chain's response side sees it.
  func fail(_ x: ExchangeRef, _ failure: Failure) {
    let s = x.pointee.state
    if x.pointee.call != nil { return failCall(x, failure) }
    // A client that waits for the answer to CONNECT reads why there is no tunnel.
    if x.pointee.isOpaque && (s.pointee.request.method != .connect || x.pointee.responseHeadSent) {
      return failConnection(x, failure)
    }
    if x.pointee.responseHeadSent { return abort(x, failure) }
    s.pointee.responseFlags.formUnion(failure.flags)
    let details = s.pointee.details
    // The Gateway API's status for a backend that does not resolve is 500, and UNAVAILABLE for gRPC, which is that of 503.
    let status = failure == .noSuchBackend && isGRPC(s) ? 503 : failure.status
    x.pointee.handle.respond(status, body: Bytes(failure.message), details: failure.details)
    // RFC 9110 11.6.1, RFC 6750 3.1.
    if failure == .unauthenticated {
      s.pointee.response.headers.add(Names.wwwAuthenticate, Bytes("Bearer error=\"invalid_token\""))
    }
    // A parser's or filter's own reason says more than the table's.
    if details.utf8CodeUnitCount > 0 && failure == .upstreamProtocolError { s.pointee.details = details }
    switch failure {
    case .requestHeaderTimeout, .requestBodyTimeout, .malformedBody, .requestBodyTooLarge, .badPath:
      x.pointee.client?.pointee.closeAfter = true
    default: break
    }
    if failure == .filterFailed || failure == .requestHeadersTooLarge || failure == .responseHeadersTooLarge {
      // The chain itself is what is broken: it gets no second chance to break the answer.
      s.pointee.responseBodyFilters = 0
      return respondLocally(x, from: -1)
    }
    let last = (s.pointee.chain?._withUnsafeGuaranteedRef { $0.count } ?? 0) &- 1
    respondLocally(x, from: last)
  }

  /// The response's head is out already: all that can be said now is that the body is not whole.
  func abort(_ x: ExchangeRef, _ failure: Failure) {
    let s = x.pointee.state
    s.pointee.responseFlags.formUnion(failure.flags)
    s.pointee.details = failure.details
    guard let c = x.pointee.client else { return failCall(x, failure) }
    resetIfUnframed(x, c)
    endExchange(x)
    closeClient(c)
  }

  /// Where the end of the connection is the end of the body, an orderly close would pass a part off as the whole: the
  /// close that follows becomes a reset (RFC 9112 section 8).
  func resetIfUnframed(_ x: ExchangeRef, _ c: ClientRef) {
    if !x.pointee.responseHeadSent || x.pointee.responseIsComplete || c.pointee.isStream { return }
    let isUnframed =
      x.pointee.responseMode == .raw
      ? x.pointee.responseTracker.isUntilClose : x.pointee.responseMode == .decoded && !x.pointee.responseChunked
    if isUnframed { Socket.resetOnClose(c.pointee.fd) }
  }

  /// Refuses what could not be parsed. Nothing of it goes upstream, and the connection closes: where the next request
  /// would begin is unknown.
  func refuse(_ x: ExchangeRef, _ c: ClientRef, _ error: HTTPParseError) {
    refuse(x, c, status: error.status, message: error.message, code: error.code)
  }

  func refuse(_ x: ExchangeRef, _ c: ClientRef, status: Int, message: StaticString, code: StaticString) {
    let s = x.pointee.state
    startRecord(x, c)
    // What was parsed before the error is no basis for a log line.
    s.pointee.request.reset()
    x.pointee.requestDone = true
    c.pointee.closeAfter = true
    context.metrics.counter(families.refused, [s.pointee.listenerName.string, String(describing: code)]).add()
    s.pointee.responseFlags.insert(.downstreamProtocolError)
    x.pointee.handle.respond(status, body: Bytes(message), details: code)
    _ = s.pointee.localBody.append(Bytes("\n"), limit: 4096)
    respondLocally(x, from: -1)
  }

  /// Sends a local response.
  func sendLocal(_ x: ExchangeRef) {
    let s = x.pointee.state
    guard let c = x.pointee.client else { return failCall(x, .filterFailed) }
    if !filterBufferedResponse(x, from: x.pointee.responseBufferedBy &- 1, downTo: 0) { return }
    if s.pointee.response.headers.hasOverflowed {
      s.pointee.responseBodyFilters = 0
      return fail(x, .responseHeadersTooLarge)
    }
    let status = s.pointee.response.status
    let body = s.pointee.localBody.bytes
    if !x.pointee.requestDone { drainLocal(x, c) }
    if status != 204 && status != 304 { setContentLength(&s.pointee.response, body.count) }
    if c.pointee.isStream { return sendStreamLocal(x, c) }
    x.pointee.responseHeadSent = true
    x.pointee.stage = .responding
    var w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.responseHead(s.pointee.response, into: &w)
    // A filter that answers from a store says itself when and by whom the response was made (RFC 9110 6.6.1, 10.2.4).
    if s.pointee.response.headers.find(.date) == nil {
      w.append("date: ")
      w.append(dateText.bytes(wall: clock.pointee.wall))
      w.append("\r\n")
    }
    if !settings.serverHeader.isEmpty && s.pointee.response.headers.find(.server) == nil {
      w.append("server: ")
      w.append(settings.serverHeader)
      w.append("\r\n")
    }
    endHead(x, c, &w)
    let sendsBody = !s.pointee.request.isHead && status != 204 && status != 304
    var isInline = true
    if sendsBody {
      x.pointee.bytesSent = UInt64(body.count)
      isInline = body.count <= w.space
      if isInline { w.append(body) }
    }
    if w.overflow { return clientGone(c) }
    if !sendToClient(c, BytePointer(scratch), w.count) { return }
    if !isInline && !sendToClient(c, body.base, body.count) { return }
    x.pointee.responseIsComplete = true
    endExchange(x)
    finishClient(c)
  }

  /// The rest of the request's body is not wanted: taken off if it is here already, otherwise the connection closes.
  private func drainLocal(_ x: ExchangeRef, _ c: ClientRef) {
    if c.pointee.isStream { return }
    if x.pointee.requestMode != .decoded && x.pointee.requestMode != .buffered && !x.pointee.mustContinue
      && !c.pointee.input.isEmpty
    {
      let n = x.pointee.requestTracker.consume(c.pointee.input.readPointer, c.pointee.input.count)
      if n >= 0 && x.pointee.requestTracker.isDone {
        // The head stays where it is: only what follows it is taken off.
        c.pointee.input.start &+= n
        x.pointee.requestDone = true
        return
      }
    }
    c.pointee.closeAfter = true
  }
}
