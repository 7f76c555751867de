extension HTTPRoute {
  /// How long a rule's requests may take.
  public struct Timeouts: Sendable, Hashable {
    /// From the client's request to the end of the response. Zero: none; nil: not given.
    public let request: ConfigDuration?
    /// For each attempt at a backend. Zero: none; nil: not given.
    public let backendRequest: ConfigDuration?

    init() {
      request = nil
      backendRequest = nil
    }

    init(_ reader: ObjectReader) {
      request = reader.optionalDuration("request")
      backendRequest = reader.optionalDuration("backendRequest")
      if let request, let backendRequest, !request.isZero, backendRequest > request {
        reader.error("backendRequest", "\(backendRequest) is longer than the request timeout of \(request)")
      }
    }
  }

  /// When and how often a rule's requests are repeated.
  public struct Retry: Sendable, Hashable {
    /// Response status codes that ask for a repetition, each from 400 to 599.
    public let codes: [Int]
    /// Repetitions at most; nil: left to the implementation.
    public let attempts: Int?
    /// The least time before a repetition; nil: left to the implementation.
    public let backoff: ConfigDuration?
    public let origin: Origin

    init(_ reader: ObjectReader) {
      codes = reader.list("codes", count: 0...200) { try $0.int(in: 400...599) }
      attempts = reader.optionalInt("attempts", in: 1...100)
      backoff = reader.optionalDuration("backoff")
      origin = Origin(reader.node)
      if Set(codes).count != codes.count { reader.error("codes", "lists a code twice; keep one") }
    }
  }

  /// How a client stays with one endpoint.
  public struct SessionPersistence: Sendable, Hashable {
    public enum Carrier: String, Sendable, Hashable, CaseIterable {
      case cookie = "Cookie"
      case header = "Header"
    }

    public enum Lifetime: String, Sendable, Hashable, CaseIterable {
      case session = "Session"
      case permanent = "Permanent"
    }

    public let carrier: Carrier
    /// Of the cookie or header; nil: made up.
    public let name: String?
    public let cookiePath: String
    public let cookieLifetime: Lifetime
    public let absoluteTimeout: ConfigDuration?
    public let idleTimeout: ConfigDuration?
    public let origin: Origin

    init(_ reader: ObjectReader) {
      origin = Origin(reader.node)
      carrier = reader.enumeration("type", default: .cookie)
      absoluteTimeout = reader.optionalDuration("absoluteTimeout")
      idleTimeout = reader.optionalDuration("idleTimeout")
      // Up to release 1.4 the API had sessionName and cookieConfig; since then, cookie and header.
      let sessionName = reader.optionalString("sessionName", .headerName)
      let oldLifetime = reader.optionalObject("cookieConfig")?.optionalEnumeration("lifetimeType", Lifetime.self)
      let cookie = reader.optionalObject("cookie")
      let cookieName = cookie?.optionalString("name", .headerName)
      cookiePath = cookie?.string("path", .cookiePath, default: "/") ?? "/"
      cookieLifetime = cookie?.optionalEnumeration("lifetimeType") ?? oldLifetime ?? .session
      let headerName = reader.optionalObject("header")?.string("name", .headerName)
      name = cookieName ?? headerName ?? sessionName
      if carrier == .header, reader.has("cookie") { reader.error("cookie", "must not be given with type Header") }
      if carrier == .cookie, reader.has("header") { reader.error("header", "must not be given with type Cookie") }
      if cookieLifetime == .permanent, absoluteTimeout == nil {
        reader.error("absoluteTimeout", "is missing; a permanent cookie needs it")
      }
    }
  }
}

extension StringRule {
  /// The Path attribute of a cookie (RFC 6265 4.1.1).
  static let cookiePath = StringRule(
    "a cookie's path begins with \"/\" and has no \";\" and no control characters",
    { text in
      text.utf8.count <= 1024 && text.utf8.first == UInt8(ascii: "/")
        && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ";") }
    })
}
