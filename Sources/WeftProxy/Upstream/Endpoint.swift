import WeftIO
import WeftTLS

typealias EndpointRef = UnsafeMutablePointer<Endpoint>

/// What an endpoint chose of what it was offered (ALPN, RFC 7301).
enum NegotiatedVersion { case unknown, http1, http2 }

/// One address of a service on one worker, with its idle connections. Freed when the service has dropped it and its
/// last connection has closed.
struct Endpoint: ~Copyable {
  let address: SocketAddress
  /// Distinguishes the endpoints of a service; see `ProxyExchange.triedEndpoints`.
  let number: Int
  /// Names it in sessions.
  let id: UInt64
  let service: ServiceRef
  var weight: UInt32
  /// Connections to it are plain, whatever the service says of others.
  private(set) var isPlain = false
  /// The number of `tls`; 0: connections are plain.
  private(set) var tlsOwner: UInt64 = 0
  /// The running sum of smooth weighted round-robin.
  var currentWeight: Int64 = 0
  /// Requests under way.
  var active = 0
  /// Connections open or being opened.
  var connections = 0
  var isRemoved = false
  /// Connect failures in a row.
  var failures: UInt32 = 0
  /// Avoided until this time (worker milliseconds), for connects have failed.
  var avoidedUntil: UInt64 = 0

  /// What all workers know of it; nil when nothing of its service is looked at.
  private(set) var health: Unmanaged<EndpointHealth>?

  /// TLS sessions to resume; outlives the connections, as the endpoint does.
  let resumable: UnsafeMutablePointer<TLSSessionStore>

  /// The version of HTTP that it chose in its last TLS handshake, if it was given the choice.
  var version = NegotiatedVersion.unknown
  /// It speaks HTTP/2, but opens no tunnels there (RFC 8441): they go over HTTP/1.1.
  var lacksConnect = false

  // Idle connections, most recently used first: an intrusive list.
  private var idle: UpstreamRef?
  private(set) var idleCount = 0
  /// HTTP/2 connections: an intrusive list by the same links.
  private(set) var sessions: UpstreamRef?

  init(address: SocketAddress, weight: UInt32, number: Int, id: UInt64, service: ServiceRef) {
    self.address = address
    self.weight = weight
    self.number = number
    self.service = service
    self.id = id
    resumable = .allocate(capacity: 1)
    resumable.initialize(to: TLSSessionStore())
  }

  mutating func setHealth(_ new: EndpointHealth?) {
    let old = health
    health = new.map(Unmanaged.passRetained)
    old?.release()
  }

  /// - Parameter owner: the number of the service's TLS context.
  mutating func secure(isPlain: Bool, owner: UInt64) {
    self.isPlain = isPlain
    tlsOwner = isPlain ? 0 : owner
  }

  /// How connections to it are encrypted; nil: they are plain.
  @inline(__always)
  var tls: TLSClientContext? { isPlain ? nil : service.pointee.tls }

  /// Neither its checks nor its answers speak against it.
  @inline(__always)
  var isAvailable: Bool { health?._withUnsafeGuaranteedRef { $0.isAvailable } ?? true }

  deinit {
    health?.release()
    resumable.deinitialize(count: 1)
    resumable.deallocate()
  }

  /// The idle connection that was used last, taken off the list.
  @inline(__always)
  mutating func takeIdle() -> UpstreamRef? {
    guard let u = idle else { return nil }
    unlinkIdle(u)
    return u
  }

  var firstIdle: UpstreamRef? { idle }

  @inline(__always)
  mutating func linkIdle(_ u: UpstreamRef) {
    u.pointee.nextIdle = idle
    u.pointee.previousIdle = nil
    idle?.pointee.previousIdle = u
    idle = u
    idleCount &+= 1
  }

  /// Takes `u`, which is on the list, off it.
  @inline(__always)
  mutating func unlinkIdle(_ u: UpstreamRef) {
    if let previous = u.pointee.previousIdle {
      previous.pointee.nextIdle = u.pointee.nextIdle
    } else {
      idle = u.pointee.nextIdle
    }
    u.pointee.nextIdle?.pointee.previousIdle = u.pointee.previousIdle
    u.pointee.nextIdle = nil
    u.pointee.previousIdle = nil
    idleCount &-= 1
  }

  // MARK: HTTP/2

  /// A connection that takes another stream, one that is still being opened included.
  func sessionWithRoom() -> UpstreamRef? {
    var at = sessions
    while let u = at {
      if let session = u.pointee.stream.session, session._withUnsafeGuaranteedRef({ $0.hasRoom }) { return u }
      at = u.pointee.nextIdle
    }
    return nil
  }

  /// Takes no more requests on its HTTP/2 connections; they go once what is under way has ended.
  func leaveSessions(_ body: (UpstreamRef) -> Void) {
    var at = sessions
    while let u = at {
      at = u.pointee.nextIdle
      u.pointee.stream.session?._withUnsafeGuaranteedRef { $0.isLeaving = true }
      body(u)
    }
  }

  mutating func linkSession(_ u: UpstreamRef) {
    u.pointee.nextIdle = sessions
    u.pointee.previousIdle = nil
    sessions?.pointee.previousIdle = u
    sessions = u
  }

  /// Takes `u`, which is on the list, off it.
  mutating func unlinkSession(_ u: UpstreamRef) {
    if let previous = u.pointee.previousIdle {
      previous.pointee.nextIdle = u.pointee.nextIdle
    } else {
      sessions = u.pointee.nextIdle
    }
    u.pointee.nextIdle?.pointee.previousIdle = u.pointee.previousIdle
    u.pointee.nextIdle = nil
    u.pointee.previousIdle = nil
  }

  /// A connect failed: avoid this endpoint for 1 s, doubling up to 30 s, as long as there is another one.
  mutating func connectFailed(now: UInt64) {
    failures = min(failures &+ 1, 16)
    avoidedUntil = now &+ min(500 &<< UInt64(failures), 30_000)
  }

  @inline(__always)
  mutating func connectSucceeded() {
    if failures != 0 {
      failures = 0
      avoidedUntil = 0
    }
  }
}
