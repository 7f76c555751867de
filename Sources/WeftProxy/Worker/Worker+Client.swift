import Glibc
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTLS
import WeftTelemetry

/// The client's side of a connection: reading requests, sending responses, closing.
extension Worker {
  @inline(__always)
  func clientEvent(_ c: ClientRef, _ r: Readiness) {
    if r.failed {
      // A tunnel whose two directions have ended in good order looks the same, and may have bytes left to read.
      if c.pointee.phase != .tunnel || Socket.takeError(c.pointee.fd) != 0 { return clientGone(c) }
    }
    if r.peerClosed { c.pointee.sawEOF = true }
    if r.writable && !c.pointee.output.isEmpty && !flushClient(c) { return }
    var isReadable = r.readable || r.failed
    if let tls = c.pointee.tls {
      if isReadable { tls.becameReadable() }
      if r.writable && waitedForWriting(tls) { isReadable = true }
    }
    if isReadable {
      c.pointee.readable = true
      clientReadable(c)
    } else if r.writable && c.pointee.pipe != nil, let u = c.pointee.exchange?.pointee.upstream {
      pumpTunnel(u)
    }
  }

  func clientReadable(_ c: ClientRef) {
    switch c.pointee.phase {
    case .introduction: readIntroduction(c)
    case .hello: peekHello(c)
    case .handshake: clientHandshake(c)
    case .idle, .head: readRequests(c)
    case .exchange: if let x = c.pointee.exchange { pumpRequest(x) }
    case .lingering: discardInput(c)
    case .tunnel: if let u = c.pointee.exchange?.pointee.upstream { pumpTunnel(u) }
    case .http2: readHTTP2(c)
    case .draining, .closed: break
    }
  }

  // MARK: Receiving

  enum Fill { case bytes, wouldBlock, closed }

  /// Receives into the free part of the connection's buffer, which must be attached and have space.
  @inline(__always)
  func fill(_ c: ClientRef) -> Fill {
    if c.pointee.isStream { return fillFromStream(c) }
    let space = c.pointee.input.space
    let result = Transport.receive(c.pointee.fd, c.pointee.tls, c.pointee.input.writePointer, space)
    if result.raw > 0 {
      c.pointee.input.end &+= result.raw
      // A short read has emptied the socket, unless an end of file waits behind the bytes.
      if Transport.isEmptied(c.pointee.tls, by: result.raw, of: space) && !c.pointee.sawEOF {
        c.pointee.readable = false
      }
      return .bytes
    }
    c.pointee.readable = false
    if result.wouldBlock { return .wouldBlock }
    c.pointee.sawEOF = true
    return .closed
  }

  /// Parses and starts requests until one is under way or no bytes are left.
  func readRequests(_ c: ClientRef) {
    if c.pointee.isParsing { return }
    c.pointee.isParsing = true
    let generation = c.pointee.generation
    defer { if c.pointee.generation == generation { c.pointee.isParsing = false } }
    while c.pointee.generation == generation && (c.pointee.phase == .idle || c.pointee.phase == .head) {
      if !c.pointee.input.isEmpty {
        let progress = parseRequest(c)
        if progress { continue }
        if c.pointee.generation != generation { return }
      }
      if !c.pointee.readable {
        if !c.pointee.input.isEmpty { return }
        return isLeaving(c) && c.pointee.requests > 0 ? closeClient(c) : releaseIdle(c)
      }
      pool.attach(&c.pointee.input)
      if c.pointee.input.isEmpty {
        c.pointee.input.rewindIfEmpty()
      } else if c.pointee.input.space == 0 || c.pointee.input.start > 0 && c.pointee.input.space < 4096 {
        c.pointee.input.compact()
      }
      if c.pointee.input.space == 0 {
        guard let x = exchange(for: c) else { return }
        c.pointee.phase = .exchange
        startRecord(x, c)
        let s = x.pointee.state
        s.pointee.request.reset()
        c.pointee.closeAfter = true
        return fail(x, .requestHeadersTooLarge)
      }
      switch fill(c) {
      case .bytes: continue
      case .wouldBlock: continue
      case .closed: return closeClient(c)
      }
    }
  }

  /// Parses one request from what has been received.
  /// - Returns: false when more bytes are needed.
  @inline(__always)
  private func parseRequest(_ c: ClientRef) -> Bool {
    guard let x = exchange(for: c) else { return true }
    let s = x.pointee.state
    let outcome = HTTP1Parser.parseRequest(
      c.pointee.input.readPointer, c.pointee.input.count, into: &s.pointee.request, limits: settings.limits)
    switch outcome {
    case .complete(let length):
      c.pointee.input.start &+= length
      c.pointee.phase = .exchange
      begin(x, c)
      return true
    case .incomplete:
      if c.pointee.phase == .idle {
        c.pointee.phase = .head
        setTimer(c, settings.requestHeaderTimeout)
      }
      return false
    case .malformed(let error):
      if startsHTTP2(c) {
        startHTTP2(c)
        return true
      }
      c.pointee.phase = .exchange
      refuse(x, c, error)
      return true
    }
  }

  /// An idle client holds neither buffer nor exchange.
  @inline(__always)
  func releaseIdle(_ c: ClientRef) {
    pool.detach(&c.pointee.input)
    if let x = c.pointee.exchange { releaseExchange(x) }
  }

  /// The response is complete: goes on with the client's next request, or closes.
  func finishClient(_ c: ClientRef) {
    if c.pointee.isStream { return finishStream(c) }
    if !c.pointee.output.isEmpty {
      c.pointee.phase = .draining
      setTimer(c, settings.writeIdleTimeout)
      return
    }
    if c.pointee.closeAfter { return closeGently(c) }
    if let x = c.pointee.exchange { releaseExchange(x) }
    c.pointee.phase = .idle
    setTimer(c, settings.keepAliveTimeout)
    if c.pointee.isParsing { return }
    if isLeaving(c) { return letGo(c) }
    if c.pointee.input.isEmpty && !c.pointee.readable { return pool.detach(&c.pointee.input) }
    readRequests(c)
  }

  /// The connection takes no further requests, for its listener or the whole process is about to go.
  @inline(__always)
  func isLeaving(_ c: ClientRef) -> Bool { isDraining || (c.pointee.listener?.pointee.index ?? -1) < 0 }

  /// Ends a leaving connection between requests, but not without an answer to a request that has arrived already. A
  /// client that has just connected is given a moment to say what it came for.
  func letGo(_ c: ClientRef) {
    if c.pointee.requests == 0 { return setTimer(c, Self.leavingGrace) }
    c.pointee.readable = true
    readRequests(c)
  }

  private static let leavingGrace: UInt32 = 1_000

  // MARK: Sending

  /// Sends bytes, keeping what the socket does not take.
  /// - Returns: false when the connection is gone, and with it the exchange.
  @inline(__always)
  func sendToClient(_ c: ClientRef, _ p: BytePointer, _ count: Int) -> Bool {
    if count == 0 { return true }
    if c.pointee.isStream {
      sendToStream(c, p, count)
      return true
    }
    var sent = 0
    if c.pointee.output.isEmpty {
      let result = Transport.send(c.pointee.fd, c.pointee.tls, p, count)
      if result.raw == count { return true }
      if result.failed {
        clientGone(c)
        return false
      }
      sent = result.count
      setTimer(c, settings.writeIdleTimeout)
    }
    c.pointee.output.append(p + sent, count &- sent, pool)
    return true
  }

  /// Sends what was kept.
  /// - Returns: false when the event needs no further handling.
  private func flushClient(_ c: ClientRef) -> Bool {
    switch flush(&c.pointee.output, c.pointee.fd, c.pointee.tls) {
    case .failed:
      clientGone(c)
      return false
    case .blocked:
      setTimer(c, settings.writeIdleTimeout)
      return true
    case .empty: break
    }
    switch c.pointee.phase {
    case .draining:
      if c.pointee.exchange == nil && !c.pointee.closeAfter { c.pointee.phase = .idle }
      finishClient(c)
      return true
    case .tunnel:
      if let u = c.pointee.exchange?.pointee.upstream { pumpTunnel(u) }
      return true
    case .exchange:
      guard let x = c.pointee.exchange else { return true }
      if x.pointee.requestDone { stopTimer(c) } else { setTimer(c, settings.requestBodyIdleTimeout) }
      clientDrained(x)
      return true
    case .http2:
      stopTimer(c)
      markDirty(c)
      return true
    default: return true
    }
  }

  enum Flush { case empty, blocked, failed }

  func flush(_ queue: inout ByteQueue, _ fd: Int32, _ tls: TLSSession?) -> Flush {
    let error = Transport.flush(&queue, fd, tls, pool)
    if error != 0 { return .failed }
    return queue.isEmpty ? .empty : .blocked
  }

  // MARK: Timeouts

  func clientTimedOut(_ c: ClientRef) {
    switch c.pointee.phase {
    case .closed: break
    case .introduction: introductionFailed(c, .timeout, "none came in time")
    case .hello, .handshake: handshakeFailed(c, TLSFailure(.timeout, "the client did not finish it in time"))
    case .idle: closeClient(c)
    case .http2: http2TimedOut(c)
    case .head:
      if c.pointee.isStream { return http2TimedOut(c) }
      guard let x = exchange(for: c) else { return }
      c.pointee.phase = .exchange
      let s = x.pointee.state
      s.pointee.request.reset()
      c.pointee.closeAfter = true
      startRecord(x, c)
      fail(x, .requestHeaderTimeout)
    case .exchange:
      guard let x = c.pointee.exchange else { return closeClient(c) }
      if !c.pointee.output.isEmpty { return clientGone(c) }
      let waitsForClient =
        !x.pointee.requestDone && !x.pointee.suspended && c.pointee.input.isEmpty
        && (x.pointee.stage == .bufferingRequest || (x.pointee.upstream?.pointee.output.isEmpty ?? false))
      if waitsForClient && !x.pointee.responseHeadSent { return fail(x, .requestBodyTimeout) }
      if waitsForClient { return clientGone(c) }
      if !x.pointee.requestDone { setTimer(c, settings.requestBodyIdleTimeout) }
    case .draining where c.pointee.isStream && c.pointee.stream.lingers: stopLingering(c)
    case .draining, .lingering: closeClient(c)
    case .tunnel: if let u = c.pointee.exchange?.pointee.upstream { tunnelTimedOut(u) } else { clientGone(c) }
    }
  }

  // MARK: Closing

  /// Closes so that the client can still read what was sent last: shuts our side, and throws away what comes until the
  /// client closes, or for a second or two at the most. A plain close with bytes unread would reset the connection.
  func closeGently(_ c: ClientRef) {
    if c.pointee.sawEOF && c.pointee.input.isEmpty { return closeClient(c) }
    // Who says that nothing follows sends nothing that would reset the connection. (In TLS it may: an alert.)
    if c.pointee.saysNoMore && c.pointee.tls == nil && !c.pointee.readable && c.pointee.input.isEmpty {
      return closeClient(c)
    }
    if let x = c.pointee.exchange { releaseExchange(x) }
    Transport.shutdownWrite(c.pointee.fd, c.pointee.tls)
    c.pointee.phase = .lingering
    c.pointee.input.rewindIfEmpty()
    setTimer(c, Self.lingerTime)
    discardInput(c)
  }

  /// Milliseconds.
  static let lingerTime: UInt32 = 2_000
  static let lingerBytes: UInt32 = 1024 * 1024

  private func discardInput(_ c: ClientRef) {
    while c.pointee.readable {
      pool.attach(&c.pointee.input)
      c.pointee.input.start = 0
      c.pointee.input.end = 0
      switch fill(c) {
      case .bytes:
        c.pointee.lingered &+= UInt32(truncatingIfNeeded: c.pointee.input.count)
        if c.pointee.lingered > Self.lingerBytes { return closeClient(c) }
      case .wouldBlock: break
      case .closed: return closeClient(c)
      }
    }
    pool.detach(&c.pointee.input)
    if c.pointee.sawEOF { closeClient(c) }
  }

  /// The client has gone away, or broken a rule so that nothing can be said to it any more.
  func clientGone(_ c: ClientRef) {
    if c.pointee.phase == .tunnel { return tunnelReset(c) }
    if let x = c.pointee.exchange, x.pointee.stage != .done, c.pointee.phase == .exchange {
      let s = x.pointee.state
      s.pointee.responseFlags.insert(.downstreamConnectionTermination)
      s.pointee.details = "downstream_connection_termination"
      endExchange(x)
    }
    closeClient(c)
  }

  func closeClient(_ c: ClientRef) {
    if c.pointee.isStream { return closeStream(c) }
    if c.pointee.phase == .closed { return }
    if c.pointee.stream.session != nil { dropSession(c) }
    if let x = c.pointee.exchange {
      if x.pointee.stage != .done && c.pointee.phase != .idle && c.pointee.phase != .head { endExchange(x) }
      releaseExchange(x)
    }
    if c.pointee.phase == .handshake || c.pointee.phase == .hello { handshakes &-= 1 }
    c.pointee.phase = .closed
    c.pointee.generation &+= 1
    wheel.pointee.cancel(&c.pointee.timer)
    if c.pointee.tls != nil {
      Transport.end(&c.pointee.tls)
      c.pointee.security?.release()
      c.pointee.security = nil
    }
    pool.detach(&c.pointee.input)
    c.pointee.output.releaseAll(pool)
    if c.pointee.pipe != nil { dropPipe(&c.pointee.pipe) }
    c.pointee.isBulk = false
    close(c.pointee.fd)
    c.pointee.fd = -1
    if let l = c.pointee.listener {
      l.pointee.connections &-= 1
      l.pointee.metrics.active.sub()
      c.pointee.listener = nil
      if l.pointee.connections == 0 && l.pointee.index < 0 { freeListener(l) }
    }
    clients.give(c.pointee.slot)
  }
}
