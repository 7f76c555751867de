import WeftFilter
import WeftHTTP
import WeftIO

/// The response's head on its way to the client, with what is there of its body.
extension Worker {
  /// Sends the head with what is there of the body.
  func sendResponse(_ x: ExchangeRef) {
    let s = x.pointee.state
    if s.pointee.response.headers.hasOverflowed { return fail(x, .responseHeadersTooLarge) }
    let mayHaveBody =
      s.pointee.response.status != 204 && s.pointee.response.status != 304 && !s.pointee.request.isHead
    // A filter may have given a body to a response that had none.
    if s.pointee.response.framing == .none && mayHaveBody && !s.pointee.bufferedResponseBody.isEmpty {
      x.pointee.responseMode = .buffered
    }
    if x.pointee.responseMode == .buffered {
      if !filterBufferedResponse(x, from: x.pointee.responseBufferedBy &- 1, downTo: 0) { return }
      s.pointee.response.headers.remove(.transferEncoding)
      // A stream sends them by itself.
      if mayHaveBody && s.pointee.responseTrailers.count > 0 && s.pointee.request.version == .http11 {
        return sendWithTrailers(x)
      }
      if mayHaveBody { setContentLength(&s.pointee.response, s.pointee.bufferedResponseBody.count) }
    }
    guard let c = x.pointee.client else { return deliverCall(x) }
    if x.pointee.responseMode != .buffered { settleResponseBody(x, c) }
    if let rule = x.pointee.rule, rule.pointee.session != nil { markSession(x, rule) }
    x.pointee.stage = .responding
    x.pointee.responseHeadSent = true
    if c.pointee.isStream { return sendStreamResponse(x, c) }
    var w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.responseHead(s.pointee.response, into: &w)
    endHead(x, c, &w)
    if x.pointee.responseMode == .buffered {
      let body = s.pointee.bufferedResponseBody.bytes
      x.pointee.bytesSent = UInt64(body.count)
      let isInline = body.count <= w.space
      if isInline { w.append(body) }
      if w.overflow { return clientGone(c) }
      if !sendToClient(c, BytePointer(scratch), w.count) { return }
      if !isInline && !sendToClient(c, body.base, body.count) { return }
      return responseComplete(x)
    }
    // Body bytes that came with the head go out with it.
    if x.pointee.responseMode == .raw, let u = x.pointee.upstream {
      let p = u.pointee.input.readPointer
      let n = x.pointee.responseTracker.consume(p, u.pointee.input.count)
      if n < 0 { return upstreamFailed(u, .upstreamProtocolError) }
      w.append(p, n)
      u.pointee.input.start &+= n
    }
    if w.overflow { return clientGone(c) }
    if !sendToClient(c, BytePointer(scratch), w.count) { return }
    if x.pointee.responseMode == .none || (x.pointee.responseMode == .raw && x.pointee.responseTracker.isDone) {
      x.pointee.bytesSent = x.pointee.responseTracker.dataBytes
      return responseComplete(x)
    }
  }

  /// Sends a buffered body, in chunks, so that its trailers can follow.
  private func sendWithTrailers(_ x: ExchangeRef) {
    let s = x.pointee.state
    guard let c = x.pointee.client else { return deliverCall(x) }
    if let rule = x.pointee.rule, rule.pointee.session != nil { markSession(x, rule) }
    x.pointee.stage = .responding
    x.pointee.responseHeadSent = true
    s.pointee.response.headers.remove(.contentLength)
    s.pointee.response.headers.add(Names.transferEncoding, Bytes("chunked"))
    var w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.responseHead(s.pointee.response, into: &w)
    endHead(x, c, &w)
    if w.overflow { return clientGone(c) }
    if !sendToClient(c, BytePointer(scratch), w.count) { return }
    x.pointee.bytesSent = UInt64(s.pointee.bufferedResponseBody.count)
    let generation = x.pointee.generation
    sendChunks(s.pointee.bufferedResponseBody.bytes) { p, n in
      if x.pointee.generation == generation { _ = sendToClient(c, p, n) }
    }
    if x.pointee.generation != generation { return }
    w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.lastChunk(trailers: s.pointee.responseTrailers, into: &w)
    if sendToClient(c, BytePointer(scratch), w.count) { responseComplete(x) }
  }

  /// Decides how the body goes to the client.
  @inline(__always)
  private func settleResponseBody(_ x: ExchangeRef, _ c: ClientRef) {
    let s = x.pointee.state
    let framing = s.pointee.response.framing
    var isStream: Bool { x.pointee.upstream?.pointee.isStream ?? false }
    if framing == .none {
      x.pointee.responseMode = .none
      if isStream && !c.pointee.isStream { endHeadWithoutBody(x) }
      return
    }
    if c.pointee.isStream {
      // The stream itself frames the body: all that may pass as it stands is content and nothing else.
      if case .length = framing, s.pointee.responseBodyFilters == 0 {
        x.pointee.responseMode = .raw
        return
      }
      x.pointee.responseMode = .decoded
      x.pointee.responseDecoder = BodyDecoder(framing)
      x.pointee.responseChunked = false
      if s.pointee.responseBodyFilters != 0 { s.pointee.response.headers.remove(.contentLength) }
      return
    }
    let isOldClient = s.pointee.request.version == .http10
    let trailersWatched =
      framing == .chunked && (s.pointee.chain?._withUnsafeGuaranteedRef { $0.watchesResponseTrailers } ?? false)
    // What an HTTP/2 stream ends needs a framing of its own here, and may have trailers.
    let isPlain = framing != .untilClose || !isStream
    if s.pointee.responseBodyFilters == 0 && !trailersWatched && isPlain && !(isOldClient && framing == .chunked) {
      x.pointee.responseMode = .raw
      if framing == .untilClose { c.pointee.closeAfter = true }
      return
    }
    x.pointee.responseMode = .decoded
    x.pointee.responseDecoder = BodyDecoder(framing)
    // Those of a stream may be here already.
    if !isStream { s.pointee.responseTrailers.reset() }
    s.pointee.response.headers.remove(.contentLength)
    if isOldClient {
      // HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
      s.pointee.response.headers.remove(.transferEncoding)
      x.pointee.responseChunked = false
      c.pointee.closeAfter = true
    } else {
      x.pointee.responseChunked = true
      if framing != .chunked { s.pointee.response.headers.add(Names.transferEncoding, Bytes("chunked")) }
    }
  }

  /// What an HTTP/2 head ended needs a length here: a client would take all that follows for its body.
  private func endHeadWithoutBody(_ x: ExchangeRef) {
    let s = x.pointee.state
    let status = s.pointee.response.status
    if s.pointee.request.isHead || status == 204 || status == 304 { return }
    setContentLength(&s.pointee.response, 0)
  }

  /// Ends a head with what the connection itself has to say.
  @inline(__always)
  func endHead(_ x: ExchangeRef, _ c: ClientRef, _ w: inout ByteWriter) {
    if c.pointee.closeAfter {
      w.append("connection: close\r\n\r\n")
    } else if x.pointee.state.pointee.request.version == .http10 {
      w.append("connection: keep-alive\r\n\r\n")
    } else {
      w.append("\r\n")
    }
  }
}
