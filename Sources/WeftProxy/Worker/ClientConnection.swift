import WeftFilter
import WeftHTTP
import WeftIO
import WeftTLS

typealias ClientRef = UnsafeMutablePointer<ClientConnection>
typealias UpstreamRef = UnsafeMutablePointer<UpstreamConnection>
typealias ExchangeRef = UnsafeMutablePointer<ProxyExchange>

/// What a worker's epoll tokens and timers belong to.
enum Owner {
  static let listener: UInt8 = 0
  static let client: UInt8 = 1
  static let upstream: UInt8 = 2
  static let mailbox: UInt8 = 3
  static let exchangeDeadline: UInt8 = 4
  static let exchangeWake: UInt8 = 5
  static let filterTimer: UInt8 = 6
}

/// A client's connection. While it idles it holds neither a buffer nor an exchange.
struct ClientConnection: ~Copyable {
  enum Phase: UInt8 {
    case closed
    /// What a proxy in front says about the connection is awaited.
    case introduction
    /// A TLS client's hello is awaited, whose server name decides what becomes of the connection.
    case hello
    /// TLS is being agreed upon.
    case handshake
    /// Between requests: no byte of the next one has come.
    case idle
    /// A part of a request's head has come.
    case head
    /// A request is under way.
    case exchange
    /// The response is complete, some of it still unsent.
    case draining
    /// Our side is shut; what the client still sends is thrown away, so that it can read our last response.
    case lingering
    /// Opaque bytes both ways, after an upgrade.
    case tunnel
    /// An HTTP/2 connection: its streams are clients of their own.
    case http2
  }

  // Ten thousand of these may idle, so every byte counts: fields stand in an order that leaves no gaps, the rare ones
  // are behind a pointer, and what a request touches comes first.
  private let number: UInt32
  var generation: UInt32 = 0
  /// -1: a stream has none.
  var fd: Int32 = -1
  var phase = Phase.closed
  /// There may be bytes to receive: set by an edge, cleared by a short read.
  var readable = false
  /// The client has shut its sending side, or is gone.
  var sawEOF = false
  /// Close once the response is sent.
  var closeAfter = false
  var input: Buffer
  var requests: UInt32 = 0
  var exchange: ExchangeRef?
  var tls: TLSSession?
  var output = ByteQueue()
  var lingered: UInt32 = 0
  var listener: ListenerRef?
  var timer = TimerNode()
  /// The parse loop runs further up the stack and goes on by itself.
  var isParsing = false
  /// Of a tunnel: what it sends comes in bulk, so that splicing pays.
  var isBulk = false
  private var hasStreamRecord = false
  /// The client has said that its last request, which is here, is the last one (RFC 9112 9.6).
  var saysNoMore = false
  /// Of HTTP/2: what a stream has, or a connection that carries streams; of a tunnel, its pipe. Others share one that
  /// nobody writes.
  private var streamRecord: UnsafeMutablePointer<ClientStream>
  /// What is known of `tls` once its handshake is complete; retained, but by a stream, which has its connection's.
  var security: Unmanaged<DownstreamTLS>?
  private(set) var peer = SocketAddress()
  /// 0: the text is longer than 16 bytes and made when it is asked for.
  private var peerTextLength: UInt8 = 0
  /// The peer's address for X-Forwarded-For, made once a connection.
  private var peerText: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  var local = SocketAddress()

  /// - Parameters:
  ///   - slot: its number in the slab, below 2^32.
  ///   - unused: what stands for `stream` as long as `useStream` was not called; outlives the connection.
  init(slot: Int, pool: BufferPool, unused: UnsafeMutablePointer<ClientStream>) {
    number = UInt32(truncatingIfNeeded: slot)
    streamRecord = unused
    input = pool.none
  }

  deinit {
    if hasStreamRecord {
      streamRecord.deinitialize(count: 1)
      streamRecord.deallocate()
    }
  }

  @inline(__always) var slot: Int { Int(number) }

  /// Written only after `useStream`.
  @inline(__always) var stream: ClientStream {
    _read { yield streamRecord.pointee }
    nonmutating _modify { yield &streamRecord.pointee }
  }

  /// Makes `stream` its own. The slot keeps it for whom it serves next.
  mutating func useStream() {
    if hasStreamRecord { return }
    streamRecord = .allocate(capacity: 1)
    streamRecord.initialize(to: ClientStream())
    hasStreamRecord = true
  }

  /// Of a tunnel: bytes on their way to it that are spliced. Written only after `useStream`.
  @inline(__always) var pipe: SplicePipe? {
    _read { yield streamRecord.pointee.pipe }
    nonmutating _modify { yield &streamRecord.pointee.pipe }
  }

  /// A stream of an HTTP/2 connection, and no connection itself.
  @inline(__always) var isStream: Bool { streamRecord.pointee.id != 0 }
  /// Of a stream: all that the client sent has been taken.
  var hasNothingMore: Bool { sawEOF && input.isEmpty && stream.received.isEmpty }

  mutating func setPeer(_ address: SocketAddress) {
    peer = address
    peerText = (0, 0, 0, 0)
    peerTextLength = 0
    guard let ip = address.ip, ip.isV4 else { return }
    peerTextLength = withUnsafeMutableBytes(of: &peerText) { raw in
      guard let base = raw.baseAddress else { return 0 }
      var w = ByteWriter(base.assumingMemoryBound(to: UInt8.self), raw.count)
      address.appendIP(to: &w)
      return UInt8(truncatingIfNeeded: w.count)
    }
  }

  /// Takes over the peer, and its text, of the connection whose stream it is.
  mutating func copyPeer(of parent: borrowing ClientConnection) {
    peer = parent.peer
    peerText = parent.peerText
    peerTextLength = parent.peerTextLength
  }

  /// The peer's address as text, for the time of the call; `unknown` without one (RFC 7239 6.2).
  @inline(__always)
  func withPeerText<R>(_ body: (Bytes) -> R) -> R {
    if peerTextLength == 0 { return withLongPeerText(body) }
    return withUnsafeBytes(of: peerText) { raw in
      guard let base = raw.baseAddress else { return body(Bytes("unknown")) }
      return body(Bytes(base.assumingMemoryBound(to: UInt8.self), Int(peerTextLength)))
    }
  }

  private func withLongPeerText<R>(_ body: (Bytes) -> R) -> R {
    guard peer.ip != nil else { return body(Bytes("unknown")) }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: IPAddress.maximumTextLength) { text in
      guard let base = text.baseAddress else { return body(Bytes("unknown")) }
      var w = ByteWriter(base, text.count)
      peer.appendIP(to: &w)
      return body(w.bytes)
    }
  }

  @inline(__always) var token: Token { Token(kind: Owner.client, slot: slot, generation: generation) }
}

/// A connection to an endpoint.
struct UpstreamConnection: ~Copyable {
  enum Phase: UInt8 {
    case closed, connecting, handshake, idle, active, tunnel
    /// An HTTP/2 connection: its streams are connections of their own here.
    case http2
  }

  let slot: Int
  var generation: UInt32 = 0
  var fd: Int32 = -1
  var phase = Phase.closed
  var readable = false
  var sawEOF = false
  /// It has carried a request before, so that a failure may only mean that the upstream had closed it.
  var reused = false
  /// Bytes of the present response have come.
  var sawBytes = false
  /// It takes no more of the request; what it has answered can still be read.
  var isWriteBroken = false
  /// Of a tunnel: what it sends comes in bulk, so that splicing pays.
  var isBulk = false
  /// Of a tunnel: bytes on their way to it that are spliced.
  var pipe: SplicePipe?
  var requests: UInt32 = 0
  /// Nanoseconds of the worker's clock.
  var connectStarted: UInt64 = 0
  var input: Buffer
  var output = ByteQueue()
  var exchange: ExchangeRef?
  var timer = TimerNode()
  var endpoint: EndpointRef?
  var tls: TLSSession?
  /// The number of the service's TLS context with which it was made: with another one it is not used again.
  var tlsOwner: UInt64 = 0
  var stream = UpstreamStream()
  // The endpoint's idle list, most recently used first; of an HTTP/2 connection, the endpoint's list of those.
  var nextIdle: UpstreamRef?
  var previousIdle: UpstreamRef?

  init(slot: Int, pool: BufferPool) {
    self.slot = slot
    input = pool.none
  }

  /// A stream of an HTTP/2 connection, and no connection itself.
  @inline(__always) var isStream: Bool { stream.isStream }
  /// Of a stream: all that the endpoint sent has been taken.
  var hasNothingMore: Bool { sawEOF && stream.hasHead && input.isEmpty && stream.received.isEmpty }

  @inline(__always) var token: Token { Token(kind: Owner.upstream, slot: slot, generation: generation) }
}
