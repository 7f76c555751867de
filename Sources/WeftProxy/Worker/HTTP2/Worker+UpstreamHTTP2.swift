import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// HTTP/2 connections to endpoints: opened, read, written, watched, ended.
extension Worker {
  /// Milliseconds without a byte from an endpoint that has streams under way, after which it is asked whether it is there;
  /// as long again, and the connection is given up.
  static let pingInterval: UInt32 = 15_000

  /// Sends the request on a stream of a connection that has room, or of a new one; queues it where neither is to be had.
  func forwardHTTP2(_ x: ExchangeRef, _ service: ServiceRef, _ e: EndpointRef) {
    if let u = e.pointee.sessionWithRoom() { return openStream(x, u, e) }
    if service.pointee.connections >= service.pointee.maxConnections && !closeIdle(service) { return wait(x, service) }
    connect(x, e)
  }

  /// The connection that `connect` has begun carries HTTP/2.
  /// - Returns: false when there is no memory for it.
  func startSession(_ u: UpstreamRef, _ e: EndpointRef) -> Bool {
    do throws(HTTP2Failure) {
      u.pointee.stream.session = .passRetained(
        try UpstreamSession(self, u, settings.upstreamHTTP2, http2Metrics(of: e.pointee.service)))
    } catch {
      return false
    }
    e.pointee.linkSession(u)
    return true
  }

  /// Made when the first connection to the service speaks HTTP/2.
  private func http2Metrics(of service: ServiceRef) -> HTTP2Metrics {
    if let made = service.pointee.metrics.http2 { return made }
    let made = HTTP2Metrics(families.http2.upstream, context.metrics, owner: service.pointee.name.bytes.string)
    service.pointee.metrics.http2 = made
    return made
  }

  func sessionConnected(_ u: UpstreamRef) {
    u.pointee.stream.session?._withUnsafeGuaranteedRef { $0.began() }
    u.pointee.phase = .http2
    u.pointee.readable = true
    setTimer(u, Self.pingInterval)
    markDirty(u)
    let generation = u.pointee.generation
    sendWaiting(u)
    if u.pointee.generation == generation { readUpstreamHTTP2(u) }
  }

  /// Sends the requests that waited for the connection, or for its settings.
  private func sendWaiting(_ u: UpstreamRef) {
    guard let session = u.pointee.stream.session else { return }
    let generation = u.pointee.generation
    while u.pointee.generation == generation,
      let stream = session._withUnsafeGuaranteedRef({ s in s.firstWaiting() }), let x = stream.pointee.exchange
    {
      stream.pointee.phase = .active
      sendRequest(x, stream)
    }
  }

  // MARK: Events

  func upstreamHTTP2Event(_ u: UpstreamRef, _ r: Readiness) {
    if r.peerClosed { u.pointee.sawEOF = true }
    if r.writable && !u.pointee.output.isEmpty {
      if flush(&u.pointee.output, u.pointee.fd, u.pointee.tls) == .failed { return closeUpstream(u) }
      if u.pointee.output.isEmpty { markDirty(u) }
    }
    var isReadable = r.readable
    if let tls = u.pointee.tls, r.writable, waitedForWriting(tls) { isReadable = true }
    if isReadable {
      u.pointee.readable = true
      readUpstreamHTTP2(u)
    }
  }

  func readUpstreamHTTP2(_ u: UpstreamRef) {
    let generation = u.pointee.generation
    var budget = Self.pumpBudget
    while u.pointee.generation == generation && u.pointee.readable {
      guard let session = u.pointee.stream.session else { return closeUpstream(u) }
      budget &-= 1
      if budget == 0 { return deferred.append(.readUpstreamHTTP2(u.pointee.token)) }
      pool.attach(&u.pointee.input)
      u.pointee.input.start = 0
      u.pointee.input.end = 0
      let result = receiveFromUpstream(u, u.pointee.input.writePointer, u.pointee.input.space)
      if result.raw <= 0 {
        u.pointee.readable = false
        if result.wouldBlock { break }
        return closeUpstream(u)
      }
      if Transport.isEmptied(u.pointee.tls, by: result.raw, of: u.pointee.input.space) && !u.pointee.sawEOF {
        u.pointee.readable = false
      }
      let bytes = Bytes(u.pointee.input.readPointer, result.raw)
      let isFine = session._withUnsafeGuaranteedRef { s in
        s.hasAnswered = true
        return s.receive(bytes)
      }
      markDirty(u)
      runUpstreamNotices()
      if u.pointee.generation == generation && session._withUnsafeGuaranteedRef({ $0.settingsArrived }) {
        session._withUnsafeGuaranteedRef { s in
          s.settingsArrived = false
          if s.peerAllowsConnectProtocol { u.pointee.endpoint?.pointee.lacksConnect = false }
        }
        sendWaiting(u)
      }
      if u.pointee.generation == generation && !isFine { return closeUpstream(u) }
    }
    if u.pointee.generation == generation { pool.detach(&u.pointee.input) }
  }

  @inline(__always)
  func markDirty(_ u: UpstreamRef) {
    guard let session = u.pointee.stream.session else { return }
    session._withUnsafeGuaranteedRef { s in
      if s.isDirty { return }
      s.isDirty = true
      dirty.append(s.connection.pointee.token)
    }
  }

  /// Writes what the session has to say, until it is silent or the socket full.
  func flushUpstreamHTTP2(_ u: UpstreamRef) {
    guard let session = u.pointee.stream.session else { return }
    let generation = u.pointee.generation
    session._withUnsafeGuaranteedRef { $0.isDirty = false }
    if u.pointee.phase != .http2 { return }
    for round in 0... {
      if !u.pointee.output.isEmpty { return }
      if round == Self.writeRounds { return markDirty(u) }
      var w = ByteWriter(scratch, Self.scratchSize)
      let isFine = session._withUnsafeGuaranteedRef { $0.write(into: &w) }
      if w.count > 0 {
        let result = transmitToUpstream(u, BytePointer(scratch), w.count)
        if result.failed { return closeUpstream(u) }
        if result.count < w.count {
          u.pointee.output.append(BytePointer(scratch) + result.count, w.count &- result.count, pool)
        }
      }
      runUpstreamNotices()
      if u.pointee.generation != generation { return }
      if !isFine { return closeUpstream(u) }
      if w.count == 0 { break }
    }
    session._withUnsafeGuaranteedRef { if let signals = $0.takeSignals() { $0.metrics.count(signals) } }
    if session._withUnsafeGuaranteedRef({ $0.isOver || ($0.isLeaving && $0.streams == 0) }) { closeUpstream(u) }
  }

  // MARK: Time

  /// The connection's own timer: with streams under way, whether the endpoint is there; without, that it is not needed.
  func sessionTimedOut(_ u: UpstreamRef) {
    guard let session = u.pointee.stream.session else { return closeUpstream(u) }
    let isLost = session._withUnsafeGuaranteedRef { s -> Bool in
      if s.streams == 0 || !s.hasAnswered { return true }
      s.hasAnswered = false
      s.ping()
      return false
    }
    if isLost { return closeUpstream(u) }
    markDirty(u)
    setTimer(u, Self.pingInterval)
  }

  /// The last stream has gone.
  func sessionIdle(_ u: UpstreamRef) {
    guard let e = u.pointee.endpoint else { return }
    let isLeaving = u.pointee.stream.session?._withUnsafeGuaranteedRef { $0.isLeaving } ?? true
    if isLeaving || e.pointee.isRemoved { markDirty(u) }
    setTimer(u, e.pointee.service.pointee.timeouts.keepAlive)
  }

  // MARK: The end

  /// The connection is going: what its streams carried fails, or is tried elsewhere.
  /// - Parameters:
  ///   - connectError: why it never stood; 0: it did.
  ///   - tlsFailed: it never stood, for its TLS handshake has failed.
  func dropSession(_ u: UpstreamRef, connectError: Int32 = 0, tlsFailed: Bool = false) {
    guard let session = u.pointee.stream.session else { return }
    u.pointee.endpoint?.pointee.unlinkSession(u)
    session._withUnsafeGuaranteedRef { $0.isLeaving = true }
    while let stream = session._withUnsafeGuaranteedRef({ $0.first }) {
      stream.pointee.stream.isClosed = true
      let (x, e) = (stream.pointee.exchange, stream.pointee.endpoint)
      if stream.pointee.phase == .connecting, let x, let e {
        detach(x, stream)
        closeUpstream(stream)
        if tlsFailed {
          tlsConnectFailed(x, e)
        } else {
          connectFailed(x, e, connectError == 0 ? ECONNRESET : connectError)
        }
      } else if stream.pointee.phase == .tunnel {
        tunnelBroken(stream)
      } else {
        upstreamFailed(stream, .upstreamReset)
      }
    }
    u.pointee.stream.session = nil
    session._withUnsafeGuaranteedRef { $0.ended() }
    session.release()
  }
}

extension UpstreamSession {
  /// A stream whose request has not been sent, for the connection was being opened; one that needs to know the
  /// endpoint's settings goes on waiting for them.
  func firstWaiting() -> UpstreamRef? {
    var at = first
    while let u = at {
      if u.pointee.phase == .connecting && (hasSettings || !u.pointee.stream.isConnect) { return u }
      at = u.pointee.stream.next
    }
    return nil
  }
}
