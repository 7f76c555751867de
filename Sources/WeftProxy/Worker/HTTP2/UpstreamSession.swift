import WeftFilter
import WeftHTTP
import WeftIO

/// The HTTP/2 session of a connection to an endpoint. As with clients, what arrives is put where the exchanges find it,
/// and the streams concerned are noted for the worker.
final class UpstreamSession: HTTP2Session {
  private unowned(unsafe) let worker: Worker
  let connection: UpstreamRef
  let metrics: HTTP2Metrics
  private var isCounted = false
  /// Its streams, newest first.
  var first: UpstreamRef?
  var streams = 0
  /// Has frames to send, and stands on the worker's list for it.
  var isDirty = false
  /// The endpoint takes no further streams on it, or it has carried as many as it may.
  var isLeaving = false
  /// Something has been heard since the last PING was sent.
  var hasAnswered = true
  var requests: UInt32 = 0
  /// Its settings have come: whether it takes extended CONNECT is known.
  var hasSettings = false
  /// Streams may have waited for them.
  var settingsArrived = false
  /// Resets that it may still see before it is left.
  private var resetAllowance = UpstreamSession.resetBurst
  private var resetAllowedAt: UInt64 = 0

  init(
    _ worker: Worker, _ connection: UpstreamRef, _ settings: HTTP2Settings, _ metrics: HTTP2Metrics
  ) throws(HTTP2Failure) {
    self.worker = worker
    self.connection = connection
    self.metrics = metrics
    try super.init(role: .client, settings: settings, memory: worker.http2Memory)
  }

  /// The connection stands.
  func began() {
    isCounted = true
    metrics.sessions.add()
    metrics.sessionsActive.add()
  }

  /// The connection is gone, or about to go.
  func ended() {
    if let signals = takeSignals() { metrics.count(signals) }
    if isCounted { metrics.sessionsActive.sub() }
    isCounted = false
  }

  /// Whether another stream may be opened now.
  var hasRoom: Bool { !isLeaving && streams < min(peerMaxConcurrentStreams, 1_000) }

  /// Together with the streams that an endpoint allows at once, no more than what endpoints bear without taking it for an
  /// attack ("rapid reset"); and how many are granted anew a second.
  private static let resetBurst: UInt64 = 100
  private static let resetRate: UInt64 = 20

  /// We have reset a stream, for its client has gone. Many such clients must not cost the others the connection that
  /// they share: it takes no further streams, and those under way go on.
  /// - Parameter now: milliseconds.
  func countReset(now: UInt64) {
    let earned = (now &- min(resetAllowedAt, now)) &* Self.resetRate / 1_000
    if earned > 0 {
      resetAllowance = min(resetAllowance &+ min(earned, Self.resetBurst), Self.resetBurst)
      resetAllowedAt = now
    }
    if resetAllowance == 0 { isLeaving = true } else { resetAllowance &-= 1 }
  }

  @inline(__always)
  private func upstream(_ context: UnsafeMutableRawPointer) -> UpstreamRef {
    context.assumingMemoryBound(to: UpstreamConnection.self)
  }

  override func headBegan(_ stream: Int32, _ context: UnsafeMutableRawPointer?, isFirst: Bool) -> Bool {
    guard let context, let x = upstream(context).pointee.exchange else { return false }
    let s = x.pointee.state
    if upstream(context).pointee.stream.hasHead {
      builder.pointee.beginTrailers()
    } else {
      // Of an attempt before this one. Those of this one may come before the worker looks at the head.
      s.pointee.responseTrailers.reset()
      builder.pointee.begin(&s.pointee.response)
    }
    return true
  }

  override func field(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ name: Bytes, _ value: Bytes) {
    guard let x = upstream(context).pointee.exchange else { return }
    let s = x.pointee.state
    if builder.pointee.isTrailers {
      builder.pointee.addTrailer(name, value, to: &s.pointee.responseTrailers, limits: worker.settings.responseLimits)
    } else {
      builder.pointee.addResponse(name, value, to: &s.pointee.response, limits: worker.settings.responseLimits)
    }
  }

  override func headEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer, endsStream: Bool) {
    let u = upstream(context)
    if endsStream { u.pointee.sawEOF = true }
    guard let x = u.pointee.exchange else { return }
    if builder.pointee.isTrailers {
      if let fault = builder.pointee.trailerFault { u.pointee.stream.fault = fault }
      return worker.note(u, .body)
    }
    let s = x.pointee.state
    let method = s.pointee.request.method
    u.pointee.stream.fault = builder.pointee.finishResponse(&s.pointee.response, to: method, endsStream: endsStream)
    if u.pointee.stream.fault == nil && s.pointee.response.status < 200 {
      // Another head follows, and would overwrite this one.
      worker.passStreamInterim(x, u)
      return
    }
    u.pointee.stream.hasHead = true
    worker.note(u, .head)
  }

  override func data(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ bytes: Bytes) {
    let u = upstream(context)
    u.pointee.stream.received.append(bytes, worker.pool)
    worker.note(u, .body)
  }

  override func dataEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer) {
    let u = upstream(context)
    u.pointee.sawEOF = true
    worker.note(u, .body)
  }

  override func closed(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ error: UInt32) {
    let u = upstream(context)
    u.pointee.stream.isClosed = true
    u.pointee.stream.error = error
    worker.note(u, .closed)
  }

  override func supply(_ stream: Int32, _ context: UnsafeMutableRawPointer, limit: Int) -> Supply {
    let u = upstream(context)
    let waiting = u.pointee.output.count
    if waiting > limit { return .bytes(limit) }
    if u.pointee.stream.hasEnded {
      guard let x = u.pointee.exchange else { return .last(waiting, hasTrailers: false) }
      let s = x.pointee.state
      if s.pointee.requestTrailers.count == 0 { return .last(waiting, hasTrailers: false) }
      worker.fieldList.reset()
      worker.fieldList.append(s.pointee.requestTrailers)
      return .last(waiting, hasTrailers: submitTrailers(stream, worker.fieldList))
    }
    if waiting > 0 { return .bytes(waiting) }
    u.pointee.stream.isDeferred = true
    return .later
  }

  override func take(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ count: Int, into w: inout ByteWriter) {
    let u = upstream(context)
    u.pointee.output.move(count, into: &w, worker.pool)
    if u.pointee.output.isEmpty { worker.note(u, .drained) }
  }

  override func settingsReceived() {
    hasSettings = true
    settingsArrived = true
  }

  override func pongReceived() { hasAnswered = true }

  override func goAwayReceived(last: Int32, _ error: UInt32) {
    isLeaving = true
    worker.markDirty(connection)
  }
}
