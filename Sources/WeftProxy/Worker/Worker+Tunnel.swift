import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// Opaque bytes both ways, after the upstream has agreed to an upgrade (RFC 9110 7.8).
extension Worker {
  func startTunnel(_ x: ExchangeRef, _ u: UpstreamRef) {
    let s = x.pointee.state
    guard let c = x.pointee.client, s.pointee.request.upgrade, s.pointee.response.upgrade else {
      return upstreamFailed(u, .upstreamProtocolError)
    }
    x.pointee.responseStarted = true
    x.pointee.responseHeadSent = true
    x.pointee.stage = .responding
    var w = ByteWriter(scratch, Self.scratchSize)
    HTTP1Writer.responseHead(s.pointee.response, into: &w)
    w.append("connection: upgrade\r\nupgrade: ")
    w.append(s.pointee.response.headers.text(s.pointee.response.upgradeProtocol))
    w.append("\r\n\r\n")
    if w.overflow { return upstreamFailed(u, .responseHeadersTooLarge) }
    // Both heads must survive in the buffers' stead, for the log.
    s.pointee.request.headers.keepWire(length: s.pointee.request.wireLength)
    s.pointee.response.headers.keepWire(length: s.pointee.response.wireLength)
    c.pointee.phase = .tunnel
    u.pointee.phase = .tunnel
    c.pointee.closeAfter = true
    if !sendToClient(c, BytePointer(scratch), w.count) { return }
    c.pointee.readable = true
    u.pointee.readable = true
    wheel.pointee.cancel(&x.pointee.deadlineTimer)
    pumpTunnel(u)
  }

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
      if !upward(x, c, u, &moved) || !downward(x, c, u, &moved) { return tunnelEnded(c) }
      if c.pointee.generation != clientGeneration || u.pointee.generation != upstreamGeneration { return }
      budget &-= 1
      if budget == 0 && moved { return deferred.append(.pumpTunnel(u.pointee.token)) }
    }
    if c.pointee.input.isEmpty { pool.detach(&c.pointee.input) }
    if u.pointee.input.isEmpty { pool.detach(&u.pointee.input) }
    // Each direction ends on its own; the tunnel ends with the second.
    let upEnded = c.pointee.sawEOF && !c.pointee.readable && c.pointee.input.isEmpty && u.pointee.output.isEmpty
    let downEnded = u.pointee.sawEOF && !u.pointee.readable && u.pointee.input.isEmpty && c.pointee.output.isEmpty
    if upEnded && downEnded { return tunnelEnded(c) }
    if upEnded { Transport.shutdownWrite(u.pointee.fd, u.pointee.tls) }
    if downEnded { Transport.shutdownWrite(c.pointee.fd, c.pointee.tls) }
  }

  private func upward(_ x: ExchangeRef, _ c: ClientRef, _ u: UpstreamRef, _ moved: inout Bool) -> Bool {
    if !u.pointee.output.isEmpty { return true }
    if c.pointee.input.isEmpty {
      if !c.pointee.readable { return true }
      pool.attach(&c.pointee.input)
      c.pointee.input.rewindIfEmpty()
      let result = Transport.receive(
        c.pointee.fd, c.pointee.tls, c.pointee.input.writePointer, c.pointee.input.space)
      if result.raw <= 0 {
        c.pointee.readable = false
        if result.isEnd { c.pointee.sawEOF = true }
        return !result.failed
      }
      c.pointee.input.end &+= result.raw
    }
    let n = c.pointee.input.count
    let result = Transport.send(u.pointee.fd, u.pointee.tls, c.pointee.input.readPointer, n)
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
    if !c.pointee.output.isEmpty { return true }
    if u.pointee.input.isEmpty {
      if !u.pointee.readable { return true }
      pool.attach(&u.pointee.input)
      u.pointee.input.rewindIfEmpty()
      let result = Transport.receive(
        u.pointee.fd, u.pointee.tls, u.pointee.input.writePointer, u.pointee.input.space)
      if result.raw <= 0 {
        u.pointee.readable = false
        if result.isEnd { u.pointee.sawEOF = true }
        return !result.failed
      }
      u.pointee.input.end &+= result.raw
    }
    let n = u.pointee.input.count
    let result = Transport.send(c.pointee.fd, c.pointee.tls, u.pointee.input.readPointer, n)
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

  func tunnelBroken(_ u: UpstreamRef) {
    if let c = u.pointee.exchange?.pointee.client { tunnelEnded(c) } else { closeUpstream(u) }
  }

  func tunnelTimedOut(_ u: UpstreamRef) {
    if let s = u.pointee.exchange?.pointee.state { s.pointee.responseFlags.insert(.streamIdleTimeout) }
    tunnelBroken(u)
  }
}
