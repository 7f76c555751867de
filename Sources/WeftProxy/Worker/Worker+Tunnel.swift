import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// Opaque bytes both ways, after the upstream has agreed to an upgrade (RFC 9110 7.8).
extension Worker {
  func startTunnel(_ x: ExchangeRef, _ u: UpstreamRef) {
    let s = x.pointee.state
    guard let c = x.pointee.client, s.pointee.request.upgrade, u.pointee.stream.isConnect || s.pointee.response.upgrade
    else { return upstreamFailed(u, .upstreamProtocolError) }
    if c.pointee.isStream && !u.pointee.isStream && !switchesToWebSocket(s) {
      return upstreamFailed(u, .upgradeRefused)
    }
    u.pointee.endpoint?.pointee.service.pointee.metrics.requests.count(status: s.pointee.response.status)
    x.pointee.responseStarted = true
    x.pointee.responseHeadSent = true
    x.pointee.stage = .responding
    // Both heads must survive in the buffers' stead, for the log.
    s.pointee.request.headers.keepWire(length: s.pointee.request.wireLength)
    s.pointee.response.headers.keepWire(length: s.pointee.response.wireLength)
    c.pointee.phase = .tunnel
    u.pointee.phase = .tunnel
    c.pointee.closeAfter = true
    if !sendSwitch(x, c, u) { return }
    c.pointee.readable = true
    u.pointee.readable = true
    wheel.pointee.cancel(&x.pointee.deadlineTimer)
    pumpTunnel(u)
  }

  /// The endpoint has answered with 101: whether it is WebSocket that it speaks from here on.
  private func switchesToWebSocket(_ s: UnsafeMutablePointer<ExchangeState>) -> Bool {
    s.pointee.response.headers.text(s.pointee.response.upgradeProtocol).equalsIgnoringCase(Bytes("websocket"))
      && WebSocketHandshake.proves(
        s.pointee.response.headers.value(WebSocketHandshake.accept),
        s.pointee.request.headers.value(WebSocketHandshake.key))
  }

  /// Tells the client that the tunnel stands, as its version of HTTP does: 101, or 200 (RFC 8441 5).
  /// - Returns: false when the client is gone, and with it the exchange.
  private func sendSwitch(_ x: ExchangeRef, _ c: ClientRef, _ u: UpstreamRef) -> Bool {
    let s = x.pointee.state
    s.pointee.response.headers.remove(.contentLength)
    if c.pointee.isStream {
      s.pointee.response.setStatus(200)
      s.pointee.response.headers.remove(WebSocketHandshake.accept)
      fieldList.reset()
      fieldList.appendResponse(s.pointee.response)
      if submitHead(c, hasBody: true) { return true }
      clientGone(c)
      return false
    }
    var protocolName = s.pointee.response.headers.text(s.pointee.response.upgradeProtocol)
    if u.pointee.isStream {
      protocolName = s.pointee.request.headers.text(s.pointee.request.upgradeProtocol)
      s.pointee.response.setStatus(101)
      s.pointee.response.headers.remove(WebSocketHandshake.accept)
      if let key = s.pointee.request.headers.value(WebSocketHandshake.key) {
        var accept = ByteWriter(scratch, Self.scratchSize)
        if WebSocketHandshake.writeAccept(key, into: &accept) {
          s.pointee.response.headers.add(WebSocketHandshake.accept, accept.bytes)
        }
      }
    }
    var w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.responseHead(s.pointee.response, into: &w)
    w.append("connection: upgrade\r\nupgrade: ")
    w.append(protocolName)
    w.append("\r\n\r\n")
    if w.overflow {
      clientGone(c)
      return false
    }
    return sendToClient(c, BytePointer(scratch), w.count)
  }

  // MARK: Streams

  /// Something happened to a client's stream that is a tunnel's end.
  func tunnelEvent(_ c: ClientRef, _ notices: ClientStream.Notices) {
    guard let u = c.pointee.exchange?.pointee.upstream else { return clientGone(c) }
    if notices.contains(.closed) {
      if c.pointee.stream.error != HTTP2ErrorCode.noError.rawValue { return tunnelReset(c) }
      c.pointee.sawEOF = true
    }
    c.pointee.readable = true
    pumpTunnel(u)
  }

  func tunnelEvent(_ u: UpstreamRef, _ notices: UpstreamStream.Notices) {
    if notices.contains(.closed) {
      if u.pointee.stream.error != HTTP2ErrorCode.noError.rawValue { return tunnelBroken(u) }
      u.pointee.sawEOF = true
    }
    u.pointee.readable = true
    pumpTunnel(u)
  }

  private func receive(_ c: ClientRef) -> IOResult {
    if c.pointee.isStream { return receiveFromStream(c) }
    return Transport.receive(c.pointee.fd, c.pointee.tls, c.pointee.input.writePointer, c.pointee.input.space)
  }

  /// Sends, or queues for a stream to send: then the queue says that it takes no more for now.
  private func send(_ c: ClientRef, _ p: BytePointer, _ count: Int) -> IOResult {
    if !c.pointee.isStream { return Transport.send(c.pointee.fd, c.pointee.tls, p, count) }
    sendToStream(c, p, count)
    return IOResult(raw: count)
  }

  private func send(_ u: UpstreamRef, _ p: BytePointer, _ count: Int) -> IOResult {
    if !u.pointee.isStream { return transmitToUpstream(u, p, count) }
    sendToStream(u, p, count)
    return IOResult(raw: count)
  }

  // MARK: Bytes

  /// Moves bytes in both directions until neither side has more or takes more.
  func pumpTunnel(_ u: UpstreamRef) {
    guard let x = u.pointee.exchange, let c = x.pointee.client else { return closeUpstream(u) }
    let (clientGeneration, upstreamGeneration) = (c.pointee.generation, u.pointee.generation)
    setTimer(c, settings.tunnelIdleTimeout)
    setTimer(u, settings.tunnelIdleTimeout)
    var budget = Self.pumpBudget
    var moved = true
    while moved {
      moved = false
      if !upward(x, c, u, &moved) || !downward(x, c, u, &moved) { return tunnelReset(c) }
      if c.pointee.generation != clientGeneration || u.pointee.generation != upstreamGeneration { return }
      budget &-= 1
      if budget == 0 && moved { return deferred.append(.pumpTunnel(u.pointee.token)) }
    }
    if c.pointee.input.isEmpty { pool.detach(&c.pointee.input) }
    if u.pointee.input.isEmpty { pool.detach(&u.pointee.input) }
    // Each direction ends on its own; the tunnel ends with the second. A stream that is gone in good order takes nothing
    // more, and what is meant for it has nowhere to go.
    let (clientLeft, upstreamLeft) = (c.pointee.stream.isClosed, u.pointee.stream.isClosed)
    let upEnded =
      upstreamLeft
      || c.pointee.sawEOF && !c.pointee.readable && c.pointee.input.isEmpty && u.pointee.output.isEmpty
        && u.pointee.pipe == nil
    let downEnded =
      clientLeft
      || u.pointee.sawEOF && !u.pointee.readable && u.pointee.input.isEmpty && c.pointee.output.isEmpty
        && c.pointee.pipe == nil
    if upEnded && !upstreamLeft { endSending(u) }
    if downEnded && !clientLeft { endSending(c) }
    // A stream's last frame is still to be sent: its end is told.
    if upEnded && downEnded && (clientLeft || !c.pointee.isStream) && (upstreamLeft || !u.pointee.isStream) {
      tunnelEnded(c)
    }
  }

  private func endSending(_ c: ClientRef) {
    if c.pointee.isStream { endStreamTunnel(c) } else { Transport.shutdownWrite(c.pointee.fd, c.pointee.tls) }
  }

  private func endSending(_ u: UpstreamRef) {
    if !u.pointee.isStream { return Transport.shutdownWrite(u.pointee.fd, u.pointee.tls) }
    if !u.pointee.stream.hasEnded { endStreamRequest(u) }
  }

  private func upward(_ x: ExchangeRef, _ c: ClientRef, _ u: UpstreamRef, _ moved: inout Bool) -> Bool {
    if !u.pointee.output.isEmpty || u.pointee.stream.isClosed { return true }
    if c.pointee.isBulk || u.pointee.pipe != nil, c.pointee.input.isEmpty {
      switch spliceUp(c, u, &x.pointee.bytesReceived) {
      case .moved:
        moved = true
        return true
      case .waits: return true
      case .failed: return false
      case .unsuitable: break
      }
    }
    if c.pointee.input.isEmpty {
      if !c.pointee.readable { return true }
      pool.attach(&c.pointee.input)
      c.pointee.input.rewindIfEmpty()
      let space = c.pointee.input.space
      let result = receive(c)
      if result.raw <= 0 {
        c.pointee.readable = false
        if result.isEnd { c.pointee.sawEOF = true }
        return !result.failed
      }
      c.pointee.input.end &+= result.raw
      if result.raw == space {
        if canSplice(c, u) { c.pointee.isBulk = true }
      } else if !c.pointee.isStream, !c.pointee.sawEOF, Transport.isEmptied(c.pointee.tls, by: result.raw, of: space) {
        // As in `fill`: asking once more would cost a system call a message.
        c.pointee.readable = false
      }
    }
    let n = c.pointee.input.count
    let result = send(u, c.pointee.input.readPointer, n)
    if result.failed { return false }
    if result.count < n {
      u.pointee.output.append(c.pointee.input.readPointer + result.count, n &- result.count, pool)
    }
    x.pointee.bytesReceived &+= UInt64(n)
    c.pointee.input.start &+= n
    moved = true
    return true
  }

  private func downward(_ x: ExchangeRef, _ c: ClientRef, _ u: UpstreamRef, _ moved: inout Bool) -> Bool {
    if !c.pointee.output.isEmpty || c.pointee.stream.isClosed { return true }
    if u.pointee.isBulk || c.pointee.pipe != nil, u.pointee.input.isEmpty {
      switch spliceDown(u, c, &x.pointee.bytesSent) {
      case .moved:
        moved = true
        return true
      case .waits: return true
      case .failed: return false
      case .unsuitable: break
      }
    }
    if u.pointee.input.isEmpty {
      if !u.pointee.readable { return true }
      pool.attach(&u.pointee.input)
      u.pointee.input.rewindIfEmpty()
      let space = u.pointee.input.space
      let result = receiveFromUpstream(u, u.pointee.input.writePointer, space)
      if result.raw <= 0 {
        u.pointee.readable = false
        if result.isEnd { u.pointee.sawEOF = true }
        return !result.failed
      }
      u.pointee.input.end &+= result.raw
      if result.raw == space {
        if canSplice(c, u) { u.pointee.isBulk = true }
      } else if !u.pointee.isStream, !u.pointee.sawEOF, Transport.isEmptied(u.pointee.tls, by: result.raw, of: space) {
        // As in `fill`: asking once more would cost a system call a message.
        u.pointee.readable = false
      }
    }
    let n = u.pointee.input.count
    let result = send(c, u.pointee.input.readPointer, n)
    if result.failed { return false }
    if result.count < n {
      c.pointee.output.append(u.pointee.input.readPointer + result.count, n &- result.count, pool)
    }
    x.pointee.bytesSent &+= UInt64(n)
    u.pointee.input.start &+= n
    moved = true
    return true
  }

  private func tunnelEnded(_ c: ClientRef) {
    if let x = c.pointee.exchange { endExchange(x) }
    closeClient(c)
  }

  /// One side broke off: the other one learns it by a reset, for an orderly end would pass a part off as the whole.
  func tunnelReset(_ c: ClientRef) {
    if !c.pointee.isStream { Socket.resetOnClose(c.pointee.fd) }
    if let u = c.pointee.exchange?.pointee.upstream, !u.pointee.isStream { Socket.resetOnClose(u.pointee.fd) }
    tunnelEnded(c)
  }

  func tunnelBroken(_ u: UpstreamRef) {
    if let c = u.pointee.exchange?.pointee.client { tunnelReset(c) } else { closeUpstream(u) }
  }

  func tunnelTimedOut(_ u: UpstreamRef) {
    if let s = u.pointee.exchange?.pointee.state { s.pointee.responseFlags.insert(.streamIdleTimeout) }
    tunnelBroken(u)
  }
}
