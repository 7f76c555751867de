import WeftConfig
import WeftHTTP
import WeftIO
import WeftTLS

/// How a request's endpoint is chosen.
public enum LoadBalancing: String, Sendable, CaseIterable {
  case roundRobin = "round-robin"
  case leastRequest = "least-request"
  case random
}

/// A service as compiled from configuration: immutable, shared by all workers.
final class ServiceSpec: Sendable {
  struct Address: Sendable, Hashable {
    let address: SocketAddress
    let weight: UInt32
    /// A workload that takes no mutual TLS: connections to it stay plain where those to others are encrypted.
    var isPlain = false
  }

  /// `namespace/name:port`.
  let name: String
  let addresses: [Address]
  let loadBalancing: LoadBalancing
  let limits: Limits
  let timeouts: Timeouts
  let keepAlive: KeepAlive
  /// Its endpoints speak HTTP/2 without being asked (prior knowledge, RFC 9113 3.3).
  let isHTTP2: Bool
  /// With TLS, each endpoint chooses between HTTP/2 and HTTP/1.1 (ALPN); `isHTTP2` is false then.
  let negotiates: Bool
  /// Each connection begins with such a header, and so serves one client; nil: with none.
  let proxyProtocol: ProxyProtocolHeader.Version?
  /// nil: connections are plain.
  let tls: TLSClientContext?
  /// A policy for it cannot be kept: it has no endpoints, whatever is known of them.
  let isUnusable: Bool
  /// Some endpoints are workloads that take mutual TLS of the mesh.
  let isMesh: Bool
  /// nil: endpoints are neither asked nor judged.
  let health: ServiceHealth?

  /// Limits for one proxy; a worker takes its share, at least 1.
  struct Limits: Sendable, Hashable {
    var maxConnections = 1024
    /// Requests that wait for a connection when `maxConnections` are busy.
    var maxPendingRequests = 1024
    /// 0: no limit.
    var maxRequestsPerConnection = 0
    var maxIdleConnections = 512
    /// Requests under way; 0: no limit.
    var maxRequests = 0
    /// Retries under way; 0: no limit.
    var maxRetries = 0
  }

  /// TCP keepalive of its connections, in seconds.
  struct KeepAlive: Sendable, Hashable {
    /// Idle time before the first probe; 0: no probes.
    var idle: Int32 = 60
    var interval: Int32 = 15
    var probes: Int32 = 4
  }

  /// In milliseconds; 0: no limit.
  struct Timeouts: Sendable, Hashable {
    var connect: UInt32 = 5_000
    /// From the request sent to the response's first byte.
    var firstByte: UInt32 = 60_000
    /// Between two pieces of a response.
    var idle: UInt32 = 300_000
    /// A pooled connection without work.
    var keepAlive: UInt32 = 60_000
  }

  init(
    name: String, addresses: [Address], loadBalancing: LoadBalancing, limits: Limits = Limits(),
    timeouts: Timeouts = Timeouts(), keepAlive: KeepAlive = KeepAlive(), isHTTP2: Bool = false,
    negotiates: Bool = false, proxyProtocol: ProxyProtocolHeader.Version? = nil, tls: TLSClientContext? = nil,
    isUnusable: Bool = false, health: ServiceHealth? = nil, isMesh: Bool = false
  ) {
    self.isMesh = isMesh
    self.proxyProtocol = proxyProtocol
    self.health = health
    self.isUnusable = isUnusable
    self.tls = tls
    self.name = name
    self.addresses = addresses
    self.loadBalancing = loadBalancing
    self.limits = limits
    self.timeouts = timeouts
    self.keepAlive = keepAlive
    self.isHTTP2 = isHTTP2
    self.negotiates = negotiates
  }

  /// What its endpoints are offered in a TLS handshake (RFC 7301), the preferred one first.
  var protocols: [String] { isHTTP2 ? ["h2"] : negotiates ? ["h2", "http/1.1"] : ["http/1.1"] }

  func hasSameContent(as other: ServiceSpec) -> Bool {
    name == other.name && addresses == other.addresses && loadBalancing == other.loadBalancing
      && limits == other.limits && timeouts == other.timeouts && keepAlive == other.keepAlive
      && isHTTP2 == other.isHTTP2 && negotiates == other.negotiates && proxyProtocol == other.proxyProtocol
      && isMesh == other.isMesh && tls === other.tls
      && isUnusable == other.isUnusable
      && (health.map { mine in other.health.map(mine.hasSameContent) ?? false } ?? (other.health == nil))
  }

  /// The same, with encrypted connections.
  func with(_ tls: TLSClientContext?) -> ServiceSpec {
    ServiceSpec(
      name: name, addresses: addresses, loadBalancing: loadBalancing, limits: limits, timeouts: timeouts,
      keepAlive: keepAlive, isHTTP2: isHTTP2, negotiates: negotiates, proxyProtocol: proxyProtocol, tls: tls,
      health: health, isMesh: isMesh)
  }

  /// The same, with its endpoints watched as `traffic` says; what is known of them is carried over from `previous`.
  func watched(_ traffic: TrafficSettings, previous: ServiceSpec?) -> ServiceSpec {
    guard let health = ServiceHealth(traffic, addresses, previous: previous?.health) else { return self }
    return ServiceSpec(
      name: name, addresses: addresses, loadBalancing: loadBalancing, limits: limits, timeouts: timeouts,
      keepAlive: keepAlive, isHTTP2: isHTTP2, negotiates: negotiates, proxyProtocol: proxyProtocol, tls: tls,
      isUnusable: isUnusable, health: health, isMesh: isMesh)
  }

  /// The same, with nowhere to send requests to.
  func withoutEndpoints() -> ServiceSpec {
    ServiceSpec(
      name: name, addresses: [], loadBalancing: loadBalancing, limits: limits, timeouts: timeouts, keepAlive: keepAlive,
      isHTTP2: isHTTP2, negotiates: negotiates, proxyProtocol: proxyProtocol, isUnusable: true)
  }
}
