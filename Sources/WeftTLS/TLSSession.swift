import COpenSSL
import Glibc
import Synchronization
import WeftIO

/// TLS on one connected, non-blocking socket: a trivial handle, like a descriptor. Whoever made it frees it once, before
/// it closes the socket. Belongs to one worker.
///
/// The process must ignore SIGPIPE (`SignalSource` does): OpenSSL writes with write(2).
public struct TLSSession {
  let state: UnsafeMutablePointer<State>

  struct State: ~Copyable {
    let ssl: OpaquePointer
    let reader: OpaquePointer
    /// Bytes that the socket had given when OpenSSL's buffer was last known to be empty.
    var emptyAt: UInt64 = 0
    /// What has been read since then came after the socket's latest edge.
    var beganEmpty = false
    /// The kernel decrypts: a read ends with its record, whatever waits behind it.
    var readsRecords = false
    var isEstablished = false
    var sentClose = false
    /// Reading waits for the socket to take bytes (a key update).
    var readWaitsForWrite = false
    var entry = -1
    var serverName: String?
    var failure: TLSFailure?
    // What callbacks find the way back by; held while the session lives.
    var names: Unmanaged<TLSServerNames>?
    var client: Unmanaged<TLSClientContext>?
    var store: UnsafeMutablePointer<TLSSessionStore>?
    var peer: CertificateInfo?

    init(ssl: OpaquePointer, reader: OpaquePointer) {
      self.ssl = ssl
      self.reader = reader
    }

    deinit {
      SSL_free(ssl)
      names?.release()
      client?.release()
    }
  }

  /// Sessions of the process that have not been freed.
  public static var live: Int { count.load(ordering: .relaxed) }
  private static let count = Atomic<Int>(0)

  // MARK: Life

  private init(state: UnsafeMutablePointer<State>) { self.state = state }

  /// The handle that belongs to an SSL, for callbacks.
  init?(_ ssl: OpaquePointer) {
    guard let raw = SSL_get_ex_data(ssl, 0) else { return nil }
    state = raw.assumingMemoryBound(to: State.self)
  }

  /// The server's side of a connection; nil when memory is short.
  public static func server(_ fd: Int32, _ names: TLSServerNames) -> TLSSession? {
    guard let session = make(fd, names.front) else { return nil }
    session.state.pointee.names = Unmanaged.passRetained(names)
    SSL_set_accept_state(session.state.pointee.ssl)
    return session
  }

  /// The client's side of a connection; nil when memory is short.
  /// - Parameters:
  ///   - store: where sessions of this endpoint are kept; must outlive the session. One in it is resumed.
  ///   - onlyHTTP1: HTTP/1.1 is offered and nothing else, whatever the context's settings say.
  public static func client(
    _ fd: Int32, _ context: TLSClientContext, store: UnsafeMutablePointer<TLSSessionStore>? = nil,
    onlyHTTP1: Bool = false
  ) -> TLSSession? {
    guard let session = make(fd, context.context) else { return nil }
    let state = session.state
    state.pointee.client = Unmanaged.passRetained(context)
    state.pointee.store = store
    SSL_set_connect_state(state.pointee.ssl)
    let isReady = context.serverNameText.withUnsafeBufferPointer { name -> Bool in
      if context.isAddress {
        return !context.checksName
          || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(state.pointee.ssl), name.baseAddress) == 1
      }
      if !context.serverName.isEmpty, weft_ssl_server_name(state.pointee.ssl, name.baseAddress) == 0 { return false }
      if !context.checksName { return true }
      SSL_set_hostflags(state.pointee.ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
      return SSL_set1_host(state.pointee.ssl, name.baseAddress) == 1
    }
    if !isReady || onlyHTTP1 && !session.offerHTTP1() {
      ERR_clear_error()
      session.free()
      return nil
    }
    if let store, let old = store.pointee.take(for: context.number) {
      if SSL_set_session(state.pointee.ssl, old) != 1 { ERR_clear_error() }
      SSL_SESSION_free(old)
    }
    return session
  }

  private func offerHTTP1() -> Bool {
    let list: StaticString = "\u{8}http/1.1"
    return SSL_set_alpn_protos(state.pointee.ssl, list.utf8Start, UInt32(list.utf8CodeUnitCount)) == 0
  }

  private static func make(_ fd: Int32, _ context: OpaquePointer) -> TLSSession? {
    guard let ssl = SSL_new(context) else {
      ERR_clear_error()
      return nil
    }
    guard SSL_set_fd(ssl, fd) == 1, let reader = SSL_get_rbio(ssl) else {
      ERR_clear_error()
      SSL_free(ssl)
      return nil
    }
    let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
    state.initialize(to: State(ssl: ssl, reader: reader))
    count.add(1, ordering: .relaxed)
    let session = TLSSession(state: state)
    if SSL_set_ex_data(ssl, 0, state) != 1 {
      ERR_clear_error()
      session.free()
      return nil
    }
    return session
  }

  /// Frees everything but the socket. The handle, and every copy of it, is then dead.
  public func free() {
    if state.pointee.isEstablished {
      // Otherwise OpenSSL takes a connection that was closed without ceremony as a sign that its session is bad, and
      // does not resume it.
      SSL_set_shutdown(state.pointee.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
    }
    state.deinitialize(count: 1)
    state.deallocate()
    TLSSession.count.subtract(1, ordering: .relaxed)
  }

  // MARK: Handshake

  public enum Progress: Sendable, Equatable {
    case done
    /// Go on when the socket is readable, or writable.
    case wantsRead, wantsWrite
    /// `failure` says why; an alert has been sent where there is one for it.
    case failed
  }

  /// Goes on with the handshake.
  public func handshake() -> Progress {
    let s = state
    let result = SSL_do_handshake(s.pointee.ssl)
    if result == 1 {
      s.pointee.isEstablished = true
      s.pointee.readsRecords = weft_ssl_kernel_receive(s.pointee.ssl) != 0
      s.pointee.failure = toleratesInvalidPeer ? s.pointee.failure : nil
      return resumedPeerHasExpired() ? .failed : .done
    }
    switch SSL_get_error(s.pointee.ssl, result) {
    case SSL_ERROR_WANT_READ: return .wantsRead
    case SSL_ERROR_WANT_WRITE: return .wantsWrite
    case SSL_ERROR_SYSCALL:
      let error = errno
      fail(
        error == 0 || error == EAGAIN
          ? TLSFailure.queued() : TLSFailure(.closed, "\(SystemError(operation: "handshake", errno: error))"))
    default: fail(TLSFailure.queued())
    }
    return .failed
  }

  private func fail(_ failure: TLSFailure) {
    ERR_clear_error()
    // What a callback has noticed is nearer to the cause.
    if state.pointee.failure == nil || toleratesInvalidPeer { state.pointee.failure = failure }
  }

  /// OpenSSL does not look at a certificate again that stands in a session; its time may be over meanwhile.
  private func resumedPeerHasExpired() -> Bool {
    guard state.pointee.names != nil, SSL_session_reused(state.pointee.ssl) == 1, !toleratesInvalidPeer,
      let peer = SSL_get0_peer_certificate(state.pointee.ssl),
      let end = CertificateInfo.seconds(X509_get0_notAfter(peer))
    else { return false }
    let now = UnixSeconds.now()
    if now <= end { return false }
    fail(TLSFailure.certificate(Int(X509_V_ERR_CERT_HAS_EXPIRED), CertificateInfo(peer), now: now))
    return true
  }

  // MARK: Bytes

  /// Receives up to `count` bytes of one record.
  /// - Returns: as of a socket: EAGAIN when the socket must become readable first; 0 for the peer's close_notify. A
  ///   connection that ends without one is ECONNRESET, for its last bytes may be missing; broken TLS is EPROTO.
  public func receive(_ into: MutableBytePointer, _ count: Int) -> IOResult {
    let s = state
    let n = SSL_read(s.pointee.ssl, into, Int32(clamping: count))
    if n > 0 { return IOResult(raw: Int(n)) }
    switch SSL_get_error(s.pointee.ssl, n) {
    case SSL_ERROR_WANT_READ:
      return IOResult(raw: -Int(EAGAIN))
    case SSL_ERROR_WANT_WRITE:
      s.pointee.readWaitsForWrite = true
      return IOResult(raw: -Int(EAGAIN))
    case SSL_ERROR_ZERO_RETURN: return IOResult(raw: 0)
    case SSL_ERROR_SYSCALL:
      let error = errno
      ERR_clear_error()
      return IOResult(raw: -Int(error == 0 || error == EAGAIN ? ECONNRESET : error))
    default:
      let failure = TLSFailure.queued()
      fail(failure)
      return IOResult(raw: -Int(failure.reason == .closed ? ECONNRESET : EPROTO))
    }
  }

  /// To be called when the socket has become readable, before the next `receive`: `isDrained` depends on it.
  @inline(__always)
  public func becameReadable() {
    if BIO_number_read(state.pointee.reader) != state.pointee.emptyAt { state.pointee.beganEmpty = false }
  }

  /// Whether the socket has been emptied since it became readable, so that there is nothing to receive before that
  /// happens again. Never true in error; spares a read that would only say EAGAIN.
  public var isDrained: Bool {
    let s = state
    if s.pointee.readsRecords || SSL_has_pending(s.pointee.ssl) != 0 { return false }
    // With an empty buffer the first read(2) asks for a whole buffer. If all that came is less, the socket was empty
    // then, and whatever has come later will be told. The rest of a record that was begun before the socket last became
    // readable says nothing: OpenSSL asks for exactly the rest.
    let count = BIO_number_read(s.pointee.reader)
    let wasShort = s.pointee.beganEmpty && count &- s.pointee.emptyAt < TLSSession.readAhead
    s.pointee.emptyAt = count
    s.pointee.beganEmpty = true
    return wasShort
  }

  /// Less than the room that OpenSSL's record buffer has.
  private static var readAhead: UInt64 { 16_384 }

  /// The socket takes bytes again: whether reading, which waited for that, should go on.
  public func takeReadWaitsForWrite() -> Bool {
    let waited = state.pointee.readWaitsForWrite
    state.pointee.readWaitsForWrite = false
    return waited
  }

  /// Sends bytes until all are sent or the socket takes no more.
  ///
  /// After a short count or EAGAIN the next call must begin with the same bytes and have at least as many of them, or
  /// all there were: a record that was begun cannot be taken back. They may lie elsewhere.
  public func send(_ bytes: BytePointer, _ count: Int) -> IOResult {
    let s = state
    var sent = 0
    while sent < count {
      let n = SSL_write(s.pointee.ssl, bytes + sent, Int32(clamping: count &- sent))
      if n > 0 {
        sent &+= Int(n)
        continue
      }
      switch SSL_get_error(s.pointee.ssl, n) {
      case SSL_ERROR_WANT_WRITE, SSL_ERROR_WANT_READ: return IOResult(raw: sent > 0 ? sent : -Int(EAGAIN))
      case SSL_ERROR_SYSCALL:
        let error = errno
        ERR_clear_error()
        return IOResult(raw: -Int(error == 0 || error == EAGAIN ? EPIPE : error))
      default:
        fail(TLSFailure.queued())
        return IOResult(raw: -Int(EPIPE))
      }
    }
    return IOResult(raw: sent)
  }

  /// Says that we send no more (close_notify), as far as the socket takes it; without an established session nothing is
  /// said. Harmless when repeated.
  public func closeSending() {
    let s = state
    if !s.pointee.isEstablished || s.pointee.sentClose { return }
    s.pointee.sentClose = true
    _ = SSL_shutdown(s.pointee.ssl)
    ERR_clear_error()
  }
}

extension TLSSession {
  /// Changes the keys of both directions with the next record (RFC 8446 4.6.3); nothing before TLS 1.3.
  func requestKeyUpdate() {
    if SSL_key_update(state.pointee.ssl, Int32(SSL_KEY_UPDATE_REQUESTED)) != 1 { ERR_clear_error() }
  }
}
