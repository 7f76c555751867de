/// `weft.dev/v1 Proxy`: settings of the whole process. One at most; without one the defaults hold.
public struct ProxyResource: Resource {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "Proxy")
  public static let versions = ["v1"]

  /// How long clients may take. Zero: no limit.
  public struct Timeouts: Sendable, Hashable {
    /// From the first byte of a request, or the start of a connection, to the end of its head; then 408.
    public var requestHeader = ConfigDuration.seconds(30)
    /// Between two pieces of a request's body; then 408.
    public var requestBodyIdle = ConfigDuration.seconds(60)
    /// Between two requests on a connection.
    public var keepAlive = ConfigDuration.seconds(75)
    /// Of a client's TLS handshake; zero is no choice here.
    public var tlsHandshake = ConfigDuration.seconds(10)
    /// A client that takes no bytes of its response.
    public var writeIdle = ConfigDuration.seconds(60)
    /// An upgraded connection (WebSocket) without traffic.
    public var tunnelIdle = ConfigDuration.seconds(3600)
    /// For what is in flight when the process is told to stop, or a listener is removed.
    public var drain = ConfigDuration.seconds(30)
  }

  /// How much a client may send.
  public struct Limits: Sendable, Hashable {
    /// Bytes of a request line; then 414.
    public var maxRequestLine = 8 << 10
    /// Bytes of a whole head; then 431.
    public var maxHeaderBytes = 16 << 10
    /// Field lines of a head; then 431.
    public var maxHeaders = 100
    /// Client connections of the process; more wait to be accepted.
    public var maxConnections = 65_536
    /// TLS handshakes under way at once in the process; a client beyond them is turned away.
    public var maxHandshakes = 4_096
    /// After that many requests a connection is closed; 0: no limit.
    public var maxRequestsPerConnection = 0
  }

  /// What the proxy says about clients to upstreams, and what it believes.
  public struct Forwarding: Sendable, Hashable {
    public enum ForwardedFor: String, Sendable, Hashable, CaseIterable { case append, replace, off }
    public enum RequestID: String, Sendable, Hashable, CaseIterable { case keep, generate, off }

    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    public var xForwardedFor = ForwardedFor.append
    /// Whether RFC 7239 `Forwarded` is written as well.
    public var forwarded = false
    /// Proxies in front whose X-Forwarded fields are believed, counted from the nearest.
    public var trustedHops = 0
    /// Addresses and networks of peers whose X-Forwarded fields are believed.
    public var trustedProxies: [String] = []
    /// `X-Request-Id`: keep passes a client's on and makes a missing one; generate always makes one.
    public var requestId = RequestID.keep
    /// The name in `Via`; empty: no `Via`.
    public var via = ""
    /// `Server` of responses that the proxy itself makes; empty: none.
    public var serverHeader = "weft"
  }

  /// How names of endpoints are resolved.
  public struct DNS: Sendable, Hashable {
    /// Addresses of the servers to ask, in order, port 53 where none is given; empty: those of /etc/resolv.conf.
    public var servers: [String] = []
  }

  /// A public key whose signatures of bundles are believed.
  public struct TrustedKey: Sendable, Hashable {
    public enum Source: Sendable, Hashable {
      /// The key itself, as PEM.
      case pem(String)
      /// A PEM file.
      case file(String)
    }

    /// What messages and the admin endpoint call it.
    public let name: String
    public let source: Source
    public let origin: Origin

    /// The key's file, if it is in one.
    public var path: String? { if case .file(let path) = source { path } else { nil } }
  }

  /// Which bundles must be signed by a trusted key.
  public enum SignatureRequirement: String, Sendable, Hashable, CaseIterable {
    case never
    /// Every one, folders too.
    case always
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  public var timeouts = Timeouts()
  public var limits = Limits()
  public var forwarding = Forwarding()
  public var dns = DNS()
  public var accessLog: [AccessLogSettings] = []
  public var trustedKeys: [TrustedKey] = []
  public var requireSignature = SignatureRequirement.never

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    guard let spec = reader.optionalObject("spec") else { return }
    if let reader = spec.optionalObject("timeouts") { timeouts.read(reader) }
    if let reader = spec.optionalObject("limits") { limits.read(reader) }
    if let reader = spec.optionalObject("forwarding") { forwarding.read(reader) }
    if let reader = spec.optionalObject("dns") { dns.servers = reader.strings("servers", count: 0...8, .server) }
    accessLog = spec.objects("accessLog", count: Bounds.accessLogs, AccessLogSettings.init)
    trustedKeys = spec.map("trustedKeys", TrustedKey.init)
    if trustedKeys.count > Bounds.trustedKeys {
      spec.error("trustedKeys", "has \(trustedKeys.count) keys; at most \(Bounds.trustedKeys) are allowed")
    }
    requireSignature = spec.enumeration("requireSignature", default: requireSignature)
    if requireSignature == .always, !spec.has("trustedKeys") {
      spec.error("requireSignature", "would refuse every bundle, for there are no \"trustedKeys\"; name one at least")
    }
  }
}

extension ProxyResource.TrustedKey {
  /// Reads PEM text, or a path relative to the file that names it.
  fileprivate init(_ name: String, _ node: ConfigNode) throws {
    if let problem = StringRule.dnsSubdomain.problem(name) { throw node.error(problem) }
    let text = try node.string(.length(1...65_536))
    self.name = name
    origin = Origin(node)
    if text.contains("-----BEGIN ") {
      source = .pem(text)
    } else if text.contains("\n") || text.utf8.count > 4096 {
      throw node.error("is neither a PEM text (\"-----BEGIN PUBLIC KEY-----\") nor the path of one")
    } else {
      let file = node.location.file
      let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
      source = .file(text.hasPrefix("/") ? text : folder + text)
    }
  }
}

extension ProxyResource.Timeouts {
  fileprivate mutating func read(_ reader: ObjectReader) {
    requestHeader = reader.duration("requestHeader", default: requestHeader)
    requestBodyIdle = reader.duration("requestBodyIdle", default: requestBodyIdle)
    keepAlive = reader.duration("keepAlive", default: keepAlive)
    tlsHandshake = reader.duration(
      "tlsHandshake", in: .milliseconds(1)...(.seconds(3600)), default: tlsHandshake)
    writeIdle = reader.duration("writeIdle", default: writeIdle)
    tunnelIdle = reader.duration("tunnelIdle", default: tunnelIdle)
    drain = reader.duration("drain", in: .zero...(.seconds(86_400)), default: drain)
  }
}

extension ProxyResource.Limits {
  fileprivate mutating func read(_ reader: ObjectReader) {
    maxRequestLine = reader.bytes("maxRequestLine", in: 256...(32 << 10), default: maxRequestLine)
    maxHeaderBytes = reader.bytes("maxHeaderBytes", in: 1024...(32 << 10), default: maxHeaderBytes)
    maxHeaders = reader.int("maxHeaders", in: 8...1000, default: maxHeaders)
    maxConnections = reader.int("maxConnections", in: 1...10_000_000, default: maxConnections)
    maxHandshakes = reader.int("maxHandshakes", in: 1...1_000_000, default: maxHandshakes)
    maxRequestsPerConnection = reader.int(
      "maxRequestsPerConnection", in: 0...Int(Int32.max), default: maxRequestsPerConnection)
  }
}

extension ProxyResource.Forwarding {
  fileprivate mutating func read(_ reader: ObjectReader) {
    xForwardedFor = reader.enumeration("xForwardedFor", default: xForwardedFor)
    forwarded = reader.bool("forwarded", default: forwarded)
    trustedHops = reader.int("trustedHops", in: 0...32, default: trustedHops)
    trustedProxies = reader.strings("trustedProxies", count: 0...1024, .cidr)
    requestId = reader.enumeration("requestId", default: requestId)
    via = reader.string("via", .length(0...64), .pseudonym, default: via)
    serverHeader = reader.string("serverHeader", .length(0...128), .headerValue, default: serverHeader)
    if trustedHops > 0, !trustedProxies.isEmpty {
      reader.error("trustedHops", "cannot stand together with \"trustedProxies\"; keep one of them")
    }
  }
}

extension StringRule {
  /// What stands for this proxy in `Via` (RFC 9110 section 7.6.3).
  static let pseudonym = StringRule(
    "use letters, digits and !#$%&'*+-.^_`|~", { $0.utf8.allSatisfy(HTTPToken.isTokenByte) })
}
