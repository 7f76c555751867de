import CNghttp2
import Synchronization
import WeftIO

/// One HTTP/2 connection's framing, compression and flow control (RFC 9113), on libnghttp2. It moves no bytes itself:
/// what was received is given to `receive`, and what is to be sent is taken from `write`.
///
/// A subclass says what becomes of what arrives. Its methods are called from within `receive` and `write`; they may
/// submit heads, resets and the like, but must not call `receive` or `write`, and must not let the session go.
open class HTTP2Session {
  public enum Role: Sendable { case server, client }

  /// What a stream has to send at the moment.
  public enum Supply: Equatable, Sendable {
    /// So many bytes, and possibly more later.
    case bytes(Int)
    /// So many bytes, and that is the end of the body: it ends the stream, unless trailers follow.
    case last(Int, hasTrailers: Bool)
    /// Nothing yet; `resumeBody` says when there is.
    case later
  }

  private let raw: UnsafeMutablePointer<OpaquePointer?>
  private let owner: UnsafeMutablePointer<Unmanaged<HTTP2Session>?>
  private let memory: HTTP2Memory?
  /// For the header section that is being received. Behind a pointer, for it is changed with every field.
  public let builder: UnsafeMutablePointer<HTTP2HeadBuilder>
  public let role: Role
  let settings: HTTP2Settings
  /// Where `write` puts frames; nil outside of it.
  private var sink: UnsafeMutablePointer<ByteWriter>?
  private var sinkIsFull = false
  var allowance: Int
  /// What has been said so far that is counted; `takeSignals` begins anew.
  var signals = HTTP2Signals()
  private var totalResets: UInt64 = 0
  /// The peer did too much of what leads nowhere.
  public private(set) var isFlooded = false

  /// Sessions of the process that are in memory.
  public static var live: Int { count.load(ordering: .relaxed) }
  private static let count = Atomic<Int>(0)

  /// Frames are written into memory that has at least this much room: the largest frame, and its head.
  public static let writeRoom = 16_384 + 9 + 256

  /// - Parameter memory: the thread's, for libnghttp2's objects; nil: they come from the heap.
  /// - Throws: `HTTP2Failure` when there is no memory.
  public init(role: Role, settings: HTTP2Settings, memory: HTTP2Memory? = nil) throws(HTTP2Failure) {
    self.role = role
    self.memory = memory
    builder = .allocate(capacity: 1)
    builder.initialize(to: HTTP2HeadBuilder())
    self.settings = settings
    allowance = settings.idleFrameBurst
    HTTP2Session.count.add(1, ordering: .relaxed)
    raw = .allocate(capacity: 1)
    raw.initialize(to: nil)
    owner = .allocate(capacity: 1)
    owner.initialize(to: nil)
    guard let callbacks = HTTP2Callbacks.shared, let options = HTTP2Options(settings, role) else {
      throw HTTP2Failure(code: NGHTTP2_ERR_NOMEM.rawValue)
    }
    let result =
      role == .server
      ? nghttp2_session_server_new3(raw, callbacks, owner, options.pointer, memory?.functions)
      : nghttp2_session_client_new3(raw, callbacks, owner, options.pointer, memory?.functions)
    if result != 0 { throw HTTP2Failure(code: result) }
    owner.pointee = .passUnretained(self)
    try submitSettings()
  }

  deinit {
    owner.pointee = nil
    nghttp2_session_del(raw.pointee)
    raw.deallocate()
    owner.deallocate()
    builder.deallocate()
    HTTP2Session.count.subtract(1, ordering: .relaxed)
  }

  private func submitSettings() throws(HTTP2Failure) {
    var entries = [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(max(settings.streamWindow, 0))),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: settings.maxHeaderListSize),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE.rawValue), value: settings.headerTableSize),
    ]
    if role == .server {
      entries.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue), value: settings.maxConcurrentStreams))
      entries.append(
        nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL.rawValue), value: 1))
    } else {
      entries.append(nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
    }
    var result = nghttp2_submit_settings(raw.pointee, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    if result == 0 && settings.connectionWindow > 65_535 {
      result = nghttp2_session_set_local_window_size(
        raw.pointee, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, settings.connectionWindow)
    }
    if result != 0 { throw HTTP2Failure(code: result) }
  }

  // MARK: What a subclass answers

  /// A header section begins.
  /// - Parameters:
  ///   - context: the stream's; nil for a stream that is new.
  ///   - isFirst: it is the peer's first one on the stream, a head. A later one is the trailers, or of a response the
  ///     head that follows an interim one.
  /// - Returns: false to refuse the stream (REFUSED_STREAM).
  open func headBegan(_ stream: Int32, _ context: UnsafeMutableRawPointer?, isFirst: Bool) -> Bool { false }
  /// One field of the section that began last.
  open func field(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ name: Bytes, _ value: Bytes) {}
  /// The section is complete.
  open func headEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer, endsStream: Bool) {}
  /// A piece of a body. It counts against the stream's window until `consumed` is called.
  open func data(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ bytes: Bytes) {}
  /// The peer has sent all of the stream's body. Not called when the head or the trailers ended the stream.
  open func dataEnded(_ stream: Int32, _ context: UnsafeMutableRawPointer) {}
  /// The stream is gone, for good (`noError`) or because it was reset. Its context is not used any more.
  open func closed(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ error: UInt32) {}
  /// What the stream can send now, at most `limit` bytes.
  open func supply(_ stream: Int32, _ context: UnsafeMutableRawPointer, limit: Int) -> Supply { .later }
  /// Writes the next `count` bytes of the stream's body, as many as `supply` has promised.
  open func take(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ count: Int, into w: inout ByteWriter) {}
  /// The peer's settings have come, the first or changed ones.
  open func settingsReceived() {}
  /// The peer answers a PING.
  open func pongReceived() {}
  /// The peer takes no stream beyond `last`.
  open func goAwayReceived(last: Int32, _ error: UInt32) {}

  // MARK: Bytes

  /// Takes received bytes.
  /// - Returns: false when the connection must end: its peer broke the protocol or floods it. What is to be said to it
  ///   waits in `write`.
  public func receive(_ bytes: Bytes) -> Bool {
    // What has become of the stream since is not known.
    builder.pointee.context = nil
    let n = nghttp2_session_mem_recv(raw.pointee, bytes.base, bytes.count)
    if isFlooded { end(.enhanceYourCalm) }
    switch Int32(truncatingIfNeeded: n) {
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue: signals.flood = .continuations
    case NGHTTP2_ERR_FLOODED.rawValue: signals.flood = .replies
    default: break
    }
    return n == bytes.count && !isFlooded
  }

  /// What has been said since the last call, and forgets it.
  public func takeSignals() -> HTTP2Signals? {
    if signals == HTTP2Signals() { return nil }
    defer { signals = HTTP2Signals() }
    totalResets &+= signals.resetsReceived
    return signals
  }

  /// Writes the frames that are due into `w`, until none is left or less than `writeRoom` is.
  /// - Returns: false when the connection must end.
  public func write(into w: inout ByteWriter) -> Bool {
    sinkIsFull = false
    return withUnsafeMutablePointer(to: &w) { w in
      sink = w
      defer { sink = nil }
      while w.pointee.space >= Self.writeRoom && !sinkIsFull {
        var frame: UnsafePointer<UInt8>?
        let n = nghttp2_session_mem_send(raw.pointee, &frame)
        if n < 0 { return false }
        guard n > 0, let frame else { return true }
        w.pointee.append(frame, n)
      }
      return !w.pointee.overflow
    }
  }

  /// There are frames to send, window permitting.
  public var wantsWrite: Bool { nghttp2_session_want_write(raw.pointee) != 0 }
  /// Nothing is left to be said or heard: the connection is to be closed.
  public var isOver: Bool {
    nghttp2_session_want_write(raw.pointee) == 0 && nghttp2_session_want_read(raw.pointee) == 0
  }

  // MARK: Streams

  public func setContext(_ stream: Int32, _ context: UnsafeMutableRawPointer?) {
    _ = nghttp2_session_set_stream_user_data(raw.pointee, stream, context)
  }

  func context(of stream: Int32) -> UnsafeMutableRawPointer? {
    nghttp2_session_get_stream_user_data(raw.pointee, stream)
  }

  /// Opens a stream with a request's head.
  /// - Returns: its number; nil when the connection takes no more.
  public func submitRequest(
    _ fields: borrowing HTTP2FieldList, hasBody: Bool, context: UnsafeMutableRawPointer
  ) -> Int32? {
    var provider = HTTP2Callbacks.provider
    let stream = withUnsafePointer(to: &provider) {
      nghttp2_submit_request(raw.pointee, nil, fields.pointer, fields.count, hasBody ? $0 : nil, context)
    }
    return stream > 0 ? stream : nil
  }

  /// A response's head. With `hasBody`, `supply` gives the rest.
  public func submitResponse(_ stream: Int32, _ fields: borrowing HTTP2FieldList, hasBody: Bool) -> Bool {
    var provider = HTTP2Callbacks.provider
    return withUnsafePointer(to: &provider) {
      nghttp2_submit_response(raw.pointee, stream, fields.pointer, fields.count, hasBody ? $0 : nil)
    } == 0
  }

  /// An interim response's head (1xx).
  public func submitInterim(_ stream: Int32, _ fields: borrowing HTTP2FieldList) -> Bool {
    nghttp2_submit_headers(
      raw.pointee, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, nil, fields.pointer, fields.count, nil) == 0
  }

  /// Trailers, which end the stream. To be called from within `supply`, or after it has said that they follow.
  public func submitTrailers(_ stream: Int32, _ fields: borrowing HTTP2FieldList) -> Bool {
    nghttp2_submit_trailer(raw.pointee, stream, fields.pointer, fields.count) == 0
  }

  /// A stream whose `supply` said `later` has something now.
  public func resumeBody(_ stream: Int32) { _ = nghttp2_session_resume_data(raw.pointee, stream) }

  public func reset(_ stream: Int32, _ error: HTTP2ErrorCode) {
    _ = nghttp2_submit_rst_stream(raw.pointee, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, error.rawValue)
  }

  /// Grants the peer what of the stream's body has been dealt with.
  public func consumed(_ stream: Int32, _ count: Int) {
    _ = nghttp2_session_consume_stream(raw.pointee, stream, count)
  }

  /// Streams that the peer allows at once.
  public var peerMaxConcurrentStreams: Int {
    Int(nghttp2_session_get_remote_settings(raw.pointee, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
  }

  /// The peer takes extended CONNECT (RFC 8441 3); false as long as its settings have not come.
  public var peerAllowsConnectProtocol: Bool {
    nghttp2_session_get_remote_settings(raw.pointee, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
  }

  // MARK: The connection

  /// Says that no further streams are welcome; those under way go on (RFC 9113 6.8). The first of two steps: streams that
  /// were on their way are still taken until `stopAccepting`.
  public func announceEnd() { _ = nghttp2_submit_shutdown_notice(raw.pointee) }

  /// Takes no stream beyond those seen so far.
  public func stopAccepting() {
    let last = nghttp2_session_get_last_proc_stream_id(raw.pointee)
    _ = nghttp2_submit_goaway(
      raw.pointee, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, HTTP2ErrorCode.noError.rawValue, nil, 0)
  }

  /// Ends the connection with GOAWAY once that is written.
  public func end(_ error: HTTP2ErrorCode) { _ = nghttp2_session_terminate_session(raw.pointee, error.rawValue) }

  /// Asks the peer whether it is there.
  public func ping() { _ = nghttp2_submit_ping(raw.pointee, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil) }

  // MARK: For the callbacks

  /// Room was found for a DATA frame of `length` bytes: its head, then the bytes.
  func writeData(_ stream: Int32, _ context: UnsafeMutableRawPointer, _ head: BytePointer, _ length: Int) -> Int32 {
    guard let sink else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
    if sink.pointee.space < length &+ 9 {
      sinkIsFull = true
      return NGHTTP2_ERR_WOULDBLOCK.rawValue
    }
    // What we send is answered with grants of the window.
    earn(8)
    sink.pointee.append(head, 9)
    take(stream, context, length, into: &sink.pointee)
    return 0
  }

  /// Data arrived: the connection's window is granted anew at once, and the peer has earned a few idle frames.
  func received(_ stream: Int32, _ count: Int) {
    _ = nghttp2_session_consume_connection(raw.pointee, count)
    earn(4)
  }

  /// Something useful arrived, which pays for frames that carry nothing.
  func earn(_ frames: Int) { allowance = min(allowance &+ frames, settings.idleFrameBurst) }

  /// A frame that carries nothing.
  func spend(on reason: HTTP2Flood) {
    allowance &-= 1
    if allowance >= 0 || isFlooded { return }
    isFlooded = true
    signals.flood = reason
  }

  /// We say that the connection ends.
  func goAwaySent(_ error: UInt32) {
    signals.goAwaysSent &+= 1
    // This is how libnghttp2 answers more resets than `HTTP2Options` allow; we give this reason for nothing else.
    if error == HTTP2ErrorCode.internalError.rawValue, totalResets &+ signals.resetsReceived >= settings.resetBurst {
      signals.flood = .resets
    }
  }
}

/// libnghttp2's reason for not doing something.
public struct HTTP2Failure: Error, Equatable, Sendable, CustomStringConvertible {
  public let code: Int32
  public var description: String { nghttp2_strerror(code).map { String(cString: $0) } ?? "error \(code)" }
}
