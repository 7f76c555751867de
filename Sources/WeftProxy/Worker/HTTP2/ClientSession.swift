import WeftFilter
import WeftHTTP
import WeftIO

/// The HTTP/2 session of a client's connection. What arrives is put where the exchanges find it, and the streams
/// concerned are noted for the worker, which deals with them once libnghttp2 has returned.
final class ClientSession: HTTP2Session {
  private unowned(unsafe) let worker: Worker
  let connection: ClientRef
  let metrics: HTTP2Metrics
  /// Streams that have a `ClientConnection`, newest first.
  var first: ClientRef?
  var streams = 0
  /// Has frames to send, and stands on the worker's list for it.
  var isDirty = false
  /// The client has been told that no further streams are welcome.
  var isLeaving = false
  /// Requests so far.
  var requests: UInt32 = 0

  init(
    _ worker: Worker, _ connection: ClientRef, _ settings: HTTP2Settings, _ metrics: HTTP2Metrics
  ) throws(HTTP2Failure) {
    self.worker = worker
    self.connection = connection
    self.metrics = metrics
    try super.init(role: .server, settings: settings, memory: worker.http2Memory)
    metrics.sessions.add()
    metrics.sessionsActive.add()
  }

  /// The connection is gone, or about to go.
  func ended() {
    if let signals = takeSignals() { metrics.count(signals) }
    metrics.sessionsActive.sub()
  }

  @inline(__always)
  private func client(_ context: UnsafeMutableRawPointer) -> ClientRef {
    context.assumingMemoryBound(to: ClientConnection.self)
  }

  override func headBegan(_ stream: Int32, _ context: UnsafeMutableRawPointer?, isFirst: Bool) -> Bool {
    if let context {
      builder.pointee.beginTrailers()
      // Trailers are of use only as long as their request is under way; behind a response they are swallowed.
      return client(context).pointee.exchange != nil || client(context).pointee.phase == .draining
    }
    guard let c = worker.openStream(stream, self), let x = worker.exchange(for: c) else { return false }
    setContext(stream, c)
    let s = x.pointee.state
    builder.pointee.begin(&s.pointee.request)
    return true
  }

  override func field(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ name: Bytes, _ value: Bytes) {
    guard let x = client(context).pointee.exchange else { return }
    let s = x.pointee.state
    if builder.pointee.isTrailers {
      builder.pointee.addTrailer(name, value, to: &s.pointee.requestTrailers, limits: worker.settings.limits)
    } else {
      builder.pointee.addRequest(name, value, to: &s.pointee.request, limits: worker.settings.limits)
    }
  }

  override func headEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer, endsStream: Bool) {
    let c = client(context)
    if endsStream { c.pointee.sawEOF = true }
    guard let x = c.pointee.exchange else { return }
    if builder.pointee.isTrailers {
      if builder.pointee.trailerFault != nil { c.pointee.stream.trailersRefused = true }
      return worker.note(c, .body)
    }
    let s = x.pointee.state
    c.pointee.stream.fault = builder.pointee.finishRequest(&s.pointee.request, endsStream: endsStream)
    worker.note(c, .head)
  }

  override func data(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ bytes: Bytes) {
    let c = client(context)
    // A response that is complete already wants no more of the request.
    if c.pointee.phase == .draining {
      c.pointee.lingered &+= UInt32(truncatingIfNeeded: bytes.count)
      if c.pointee.lingered <= Worker.lingerBytes { consumed(stream, bytes.count) } else { worker.note(c, .surplus) }
      return
    }
    c.pointee.stream.received.append(bytes, worker.pool)
    worker.note(c, .body)
  }

  override func dataEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer) {
    let c = client(context)
    c.pointee.sawEOF = true
    worker.note(c, .body)
  }

  override func closed(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ error: UInt32) {
    let c = client(context)
    c.pointee.stream.isClosed = true
    c.pointee.stream.error = error
    worker.note(c, .closed)
  }

  override func supply(_ stream: Int32, _ context: UnsafeMutableRawPointer, limit: Int) -> Supply {
    let c = client(context)
    let waiting = c.pointee.output.count
    if waiting > limit { return .bytes(limit) }
    if c.pointee.phase == .draining {
      worker.note(c, .sent)
      return .last(waiting, hasTrailers: false)
    }
    if c.pointee.stream.hasEnded { return .last(waiting, hasTrailers: false) }
    if c.pointee.stream.trailersWait, let x = c.pointee.exchange {
      worker.fieldList.reset()
      let s = x.pointee.state
      worker.fieldList.append(s.pointee.responseTrailers)
      if !submitTrailers(stream, worker.fieldList) { return .later }
      c.pointee.stream.trailersWait = false
      worker.note(c, .trailersSent)
      return .last(waiting, hasTrailers: true)
    }
    if waiting > 0 { return .bytes(waiting) }
    c.pointee.stream.isDeferred = true
    return .later
  }

  override func take(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ count: Int, into w: inout ByteWriter) {
    let c = client(context)
    c.pointee.output.move(count, into: &w, worker.pool)
    if !c.pointee.output.isEmpty { return }
    if c.pointee.phase == .exchange || c.pointee.phase == .tunnel { worker.note(c, .drained) }
  }
}
