import WeftIO

/// How a message's body ends (RFC 9112 6.3).
@frozen
public enum BodyFraming: Equatable, Sendable {
  case none
  case length(UInt64)
  case chunked
  /// Ends when its sender says so: a response that ends with its connection, or in HTTP/2 a body that ends with its
  /// stream.
  case untilClose
}

/// The version of HTTP in which a message was received.
@frozen
public enum HTTPVersion: UInt8, Sendable {
  case http10, http11, http2

  public var name: Bytes {
    switch self {
    case .http10: Bytes("HTTP/1.0")
    case .http11: Bytes("HTTP/1.1")
    case .http2: Bytes("HTTP/2")
    }
  }
}

/// The request methods that matter to a proxy.
public enum Method: UInt8, Sendable {
  case other, get, head, post, put, delete, connect, options, trace, patch

  /// Safe and idempotent methods may be repeated (RFC 9110 9.2.2).
  public var isIdempotent: Bool {
    switch self {
    case .get, .head, .put, .delete, .options, .trace: true
    case .other, .post, .connect, .patch: false
    }
  }
}

/// The start line of a message, its fields, and what follows from them. Reused from one exchange to the next.
public struct MessageHead: ~Copyable {
  public var headers = HeaderTable()

  // Request.
  public var method = Method.other
  public var methodText = TextReference()
  /// The path with its query, as it goes upstream: origin-form or `*`.
  public var target = TextReference()
  /// Length of the path before `?`.
  public var pathLength = 0
  /// The target as it was received, before any rewrite; for logs.
  public var originalTarget = TextReference()
  public var expectsContinue = false
  /// `TE: trailers` was said, so that trailers may be sent on.
  public var acceptsTrailers = false

  // Response.
  public var status = 0
  /// The reason phrase; empty: the standard one.
  public var reason = TextReference()

  // Both.
  public var version = HTTPVersion.http11
  public var framing = BodyFraming.none
  /// The sender keeps the connection open (RFC 9112 9.3).
  public var keepAlive = true
  /// `Connection: upgrade` with an `Upgrade` field. The field itself stays in the table, removed from forwarding.
  /// Of a request: the client asks to switch protocols; of a response: it is a 101 that does so.
  public var upgrade = false
  /// The value of the Upgrade field when `upgrade` is set, else empty.
  public var upgradeProtocol = TextReference()
  /// Received bytes of the whole head at `headers.wire`, the empty line included; 0 for a head that was made.
  public var wireLength = 0
  /// Received bytes of the start line, CRLF included; 0 when it must be written anew.
  public var startLineLength = 0
  /// How much of an incomplete head the parser has seen, so that it does not search the same bytes again. The parser sets
  /// it to 0 when a head is complete or refused; whoever gives up on an incomplete one must do so, or call `reset`.
  public var scanned = 0

  public init() {}

  @inlinable @inline(__always) public var path: Bytes {
    let t = headers.text(target)
    return Bytes(t.base, min(pathLength, t.count))
  }
  /// The query without its `?`; empty when there is none.
  @inlinable @inline(__always) public var query: Bytes {
    headers.text(target).slice(pathLength &+ 1, Int(target.count))
  }
  @inlinable public var isHead: Bool { method == .head }

  /// Replaces path and query. `value` must be a valid request target; see `isTarget`.
  /// - Returns: false when the arena's limit is reached.
  @discardableResult
  public mutating func setTarget(_ value: Bytes) -> Bool {
    guard let r = headers.store(value) else { return false }
    target = r
    pathLength = value.firstIndex(of: 0x3f) ?? value.count
    startLineLength = 0
    return true
  }

  @discardableResult
  public mutating func setMethod(_ value: Bytes) -> Bool {
    guard let r = headers.store(value) else { return false }
    methodText = r
    method = Method(value)
    startLineLength = 0
    return true
  }

  public mutating func setStatus(_ value: Int) {
    status = value
    reason = TextReference()
    startLineLength = 0
  }

  @discardableResult
  public mutating func setReason(_ value: Bytes) -> Bool {
    guard let r = headers.store(value) else { return false }
    reason = r
    startLineLength = 0
    return true
  }

  /// Empties the head, to be filled by hand rather than from received bytes.
  public mutating func reset() {
    headers.reset()
    method = .other
    methodText = TextReference()
    target = TextReference()
    originalTarget = TextReference()
    pathLength = 0
    expectsContinue = false
    acceptsTrailers = false
    status = 0
    reason = TextReference()
    version = .http11
    framing = .none
    keepAlive = true
    upgrade = false
    upgradeProtocol = TextReference()
    wireLength = 0
    startLineLength = 0
    scanned = 0
  }

  /// Whether `value` may be a request target: `*`, or origin-form by the rules that received targets must obey.
  public static func isTarget(_ value: Bytes) -> Bool {
    if value.isEmpty { return false }
    if value[0] != 0x2f { return value.count == 1 && value[0] == 0x2a }
    let path = ByteScan.path(value.base, value.count, 0)
    if path == value.count { return true }
    return value[path] == 0x3f && ByteScan.query(value.base, value.count, path) == value.count
  }
}

extension UnsafeMutablePointer<MessageHead> {
  /// Where the head's fields are.
  @inlinable @inline(__always)
  public var fields: UnsafeMutablePointer<HeaderTable> { withUnsafeMutablePointer(to: &pointee.headers) { $0 } }
}

extension Method {
  /// Methods are case-sensitive (RFC 9110 9.1).
  public init(_ b: Bytes) {
    switch b.count {
    case 3: self = b == Bytes("GET") ? .get : b == Bytes("PUT") ? .put : .other
    case 4: self = b == Bytes("HEAD") ? .head : b == Bytes("POST") ? .post : .other
    case 5: self = b == Bytes("PATCH") ? .patch : b == Bytes("TRACE") ? .trace : .other
    case 6: self = b == Bytes("DELETE") ? .delete : .other
    case 7: self = b == Bytes("OPTIONS") ? .options : b == Bytes("CONNECT") ? .connect : .other
    default: self = .other
    }
  }
}
