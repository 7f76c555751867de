import WeftIO

/// How a message's body ends (RFC 9112 6.3).
@frozen
public enum BodyFraming: Equatable, Sendable {
  case none
  case length(UInt64)
  case chunked
  /// A response that ends with its connection.
  case untilClose
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
  /// 0 or 1, for HTTP/1.0 and HTTP/1.1.
  public var minorVersion: UInt8 = 1
  public var framing = BodyFraming.none
  /// The sender keeps the connection open (RFC 9112 9.3).
  public var keepAlive = true
  /// `Connection: upgrade` with an `Upgrade` field. The field itself stays in the table, removed from forwarding.
  public var upgrade = false
  /// Received bytes of the whole head, the empty line included; 0 for a head that was made.
  public var wireLength = 0
  /// Received bytes of the start line, CRLF included; 0 when it must be written anew.
  public var startLineLength = 0

  public init() {}

  @inlinable public var path: Bytes {
    let t = headers.text(target)
    return Bytes(t.base, min(pathLength, t.count))
  }
  /// The query without its `?`; empty when there is none.
  @inlinable public var query: Bytes { headers.text(target).slice(pathLength &+ 1, Int(target.count)) }
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
    minorVersion = 1
    framing = .none
    keepAlive = true
    upgrade = false
    wireLength = 0
    startLineLength = 0
  }

  /// Whether `value` may be a request target in origin-form: `/` or `*` first, no space, control or non-ASCII byte.
  public static func isTarget(_ value: Bytes) -> Bool {
    if value.isEmpty || (value[0] != 0x2f && !(value.count == 1 && value[0] == 0x2a)) { return false }
    var i = 0
    while i < value.count {
      let c = value.base[i]
      if c <= 0x20 || c >= 0x7f { return false }
      i &+= 1
    }
    return true
  }
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
