/// `weft.dev/v1 Service`: endpoints by address, or the workloads that carry its name, for use outside Kubernetes.
public struct WeftService: Resource {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "Service")
  public static let versions = ["v1"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// Empty: those of its Workloads.
  public let endpoints: [ServiceEndpoint]
  public let traffic: TrafficSettings

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    endpoints =
      spec.has("endpoints")
      ? spec.list("endpoints", count: 1...Bounds.endpoints.upperBound, ServiceEndpoint.init) : []
    traffic = TrafficSettings(spec)
  }
}

/// How requests reach a service's endpoints.
public struct TrafficSettings: Sendable, Hashable {
  /// How an endpoint is chosen.
  public enum LoadBalancer: String, Sendable, Hashable, CaseIterable {
    /// In turn, by weight.
    case roundRobin = "round-robin"
    /// Of two drawn at random, the one with fewer requests in flight.
    case leastRequest = "least-request"
    /// Drawn at random, by weight.
    case random
  }

  /// Bounds for one proxy; each worker takes its share, at least 1.
  public struct ConnectionPool: Sendable, Hashable {
    public var maxConnections = 1024
    /// Requests that wait for a connection when all are busy; more are answered with 503.
    public var maxPendingRequests = 1024
    /// After that many requests a connection is closed; 0: no limit.
    public var maxRequestsPerConnection = 0
    public var maxIdleConnections = 512
    /// Requests under way at once; more are answered with 503; 0: no limit.
    public var maxRequests = 0
    /// Retries under way at once; a request that would need another gets what the failed attempt brought; 0: no limit.
    public var maxRetries = 0
    /// How long a connection without work is kept.
    public var idleTimeout = ConfigDuration.seconds(60)
  }

  /// Zero: no limit.
  public struct Timeouts: Sendable, Hashable {
    public var connect = ConfigDuration.seconds(5)
    /// From the request sent to the response's first byte.
    public var firstByte = ConfigDuration.seconds(60)
    /// Between two pieces of a response.
    public var idle = ConfigDuration.minutes(5)
  }

  /// Bounds on the time for which a resolved name is used, whatever its records say.
  public struct DNS: Sendable, Hashable {
    public var minRefresh = ConfigDuration.seconds(1)
    public var maxRefresh = ConfigDuration.minutes(5)
  }

  /// Probes of idle TCP connections to endpoints.
  public struct TCPKeepalive: Sendable, Hashable {
    /// Without traffic until the first probe; zero: no probes.
    public var time = ConfigDuration.seconds(60)
    public var interval = ConfigDuration.seconds(15)
    /// Unanswered probes after which the connection is given up.
    public var probes = 4
  }

  /// What the endpoints speak.
  public enum ApplicationProtocol: String, Sendable, Hashable, CaseIterable {
    case http1
    /// HTTP/2 without being asked (prior knowledge), as gRPC needs it.
    case http2
    /// What an endpoint chooses in the TLS handshake (ALPN): HTTP/2, else HTTP/1.1. Without TLS, HTTP/1.1.
    case auto
  }

  /// Versions of the PROXY protocol, by which a proxy tells its backend who the client is.
  public enum ProxyProtocol: String, Sendable, Hashable, CaseIterable { case v1, v2 }

  /// nil: not given, which is `auto`, except where a GRPCRoute names the service: then `http2`.
  public var `protocol`: ApplicationProtocol?
  /// Each connection to an endpoint begins with such a header; nil: with none.
  public var proxyProtocol: ProxyProtocol?
  public var loadBalancer = LoadBalancer.roundRobin
  public var connectionPool = ConnectionPool()
  public var timeouts = Timeouts()
  public var dns = DNS()
  public var tcpKeepalive = TCPKeepalive()
  /// nil: endpoints are not asked.
  public var healthCheck: HealthCheckSettings?
  /// nil: endpoints are not judged by their answers.
  public var outlierDetection: OutlierDetectionSettings?
  /// Per cent of endpoints that must be well: with fewer, all of them get requests.
  public var panicThreshold = 50

  /// The defaults, which hold for every service that says nothing else.
  public init() {}

  init(_ spec: ObjectReader) {
    self.init(policy: spec)
    `protocol` = spec.optionalEnumeration("protocol")
    proxyProtocol = spec.optionalEnumeration("proxyProtocol")
    if let reader = spec.optionalObject("dns") { dns.read(reader) }
  }

  /// What a policy may say as well.
  init(policy spec: ObjectReader) {
    loadBalancer = spec.enumeration("loadBalancer", default: loadBalancer)
    if let reader = spec.optionalObject("connectionPool") { connectionPool.read(reader) }
    if let reader = spec.optionalObject("timeouts") { timeouts.read(reader) }
    if let reader = spec.optionalObject("tcpKeepalive") { tcpKeepalive.read(reader) }
    healthCheck = spec.optionalObject("healthCheck", HealthCheckSettings.init)
    outlierDetection = spec.optionalObject("outlierDetection", OutlierDetectionSettings.init)
    panicThreshold = spec.int("panicThreshold", in: 0...100, default: panicThreshold)
  }
}

extension TrafficSettings.ConnectionPool {
  fileprivate mutating func read(_ reader: ObjectReader) {
    maxConnections = reader.int("maxConnections", in: 1...1_000_000, default: maxConnections)
    maxPendingRequests = reader.int("maxPendingRequests", in: 0...1_000_000, default: maxPendingRequests)
    maxRequestsPerConnection = reader.int(
      "maxRequestsPerConnection", in: 0...Int(Int32.max), default: maxRequestsPerConnection)
    maxIdleConnections = reader.int("maxIdleConnections", in: 0...1_000_000, default: maxIdleConnections)
    maxRequests = reader.int("maxRequests", in: 0...1_000_000, default: maxRequests)
    maxRetries = reader.int("maxRetries", in: 0...1_000_000, default: maxRetries)
    idleTimeout = reader.duration("idleTimeout", in: .milliseconds(1)...(.seconds(86_400)), default: idleTimeout)
  }
}

extension TrafficSettings.Timeouts {
  fileprivate mutating func read(_ reader: ObjectReader) {
    connect = reader.duration("connect", default: connect)
    firstByte = reader.duration("firstByte", default: firstByte)
    idle = reader.duration("idle", default: idle)
  }
}

extension TrafficSettings.DNS {
  fileprivate mutating func read(_ reader: ObjectReader) {
    let range: ClosedRange<ConfigDuration> = .milliseconds(100)...(.seconds(86_400))
    minRefresh = reader.duration("minRefresh", in: range, default: minRefresh)
    maxRefresh = reader.duration("maxRefresh", in: range, default: maxRefresh)
    if minRefresh > maxRefresh { reader.error("minRefresh", "\(minRefresh) is longer than maxRefresh, \(maxRefresh)") }
  }
}

extension TrafficSettings.TCPKeepalive {
  fileprivate mutating func read(_ reader: ObjectReader) {
    time = reader.duration("time", in: .zero...(.seconds(32_767)), default: time)
    interval = reader.duration("interval", in: .seconds(1)...(.seconds(32_767)), default: interval)
    probes = reader.int("probes", in: 1...127, default: probes)
  }
}
