import WeftConfig
import WeftHTTP
import WeftIO

/// Settings of the whole process, from the `Proxy` resource.
struct ProxySettings: Sendable {
  var limits = HTTPLimits()
  /// Of responses' heads.
  var responseLimits = HTTPLimits(maxHeadBytes: 28 * 1024, maxFields: 200)
  var maxConnections = 65_536
  var maxHandshakes = 4_096
  /// 0: no limit.
  var maxRequestsPerConnection: UInt32 = 0

  // Milliseconds; 0: no limit.
  var requestHeaderTimeout: UInt32 = 30_000
  var requestBodyIdleTimeout: UInt32 = 60_000
  var keepAliveTimeout: UInt32 = 75_000
  var tlsHandshakeTimeout: UInt32 = 10_000
  /// A client that takes no bytes of its response.
  var writeIdleTimeout: UInt32 = 60_000
  var tunnelIdleTimeout: UInt32 = 3_600_000
  var drainTimeout: UInt32 = 30_000

  /// What clients may do on an HTTP/2 connection, and what endpoints.
  var http2 = HTTP2Settings()
  var upstreamHTTP2 = HTTP2Settings()
  var forwarding = ForwardingSettings()
  /// `Server` of responses that the proxy makes; empty: none.
  var serverHeader = "weft" { didSet { serverBytes = OwnedBytes(serverHeader) } }
  private(set) var serverBytes = OwnedBytes("weft")
}

/// What the proxy says about the client to the upstream, and what it believes.
struct ForwardingSettings: Sendable {
  enum ForwardedFor: String, Sendable, CaseIterable { case append, replace, off }
  enum RequestID: String, Sendable, CaseIterable { case keep, generate, off }

  var forwardedFor = ForwardedFor.append
  /// Write RFC 7239 `Forwarded` as well.
  var forwarded = false
  /// Proxies in front whose X-Forwarded-* are believed, counted from the right.
  var trustedHops = 0
  /// Peers whose X-Forwarded-* are believed.
  var trustedProxies: [CIDR] = [] { didSet { hasTrustedProxies = !trustedProxies.isEmpty } }
  private(set) var hasTrustedProxies = false
  /// keep: a client's id is passed on and a missing one made; generate: always a new one.
  var requestID = RequestID.keep
  /// The name in `Via`; empty: no `Via`.
  var via = "" { didSet { writesVia = !via.isEmpty } }
  private(set) var writesVia = false
}

extension ProxySettings {
  /// The settings of a `Proxy` resource; the defaults without one.
  init(_ resource: ProxyResource?) {
    guard let resource else { return }
    limits = HTTPLimits(
      maxRequestLine: resource.limits.maxRequestLine, maxHeadBytes: resource.limits.maxHeaderBytes,
      maxFields: resource.limits.maxHeaders)
    maxConnections = resource.limits.maxConnections
    maxHandshakes = resource.limits.maxHandshakes
    maxRequestsPerConnection = UInt32(clamping: resource.limits.maxRequestsPerConnection)
    requestHeaderTimeout = resource.timeouts.requestHeader.timer
    requestBodyIdleTimeout = resource.timeouts.requestBodyIdle.timer
    keepAliveTimeout = resource.timeouts.keepAlive.timer
    tlsHandshakeTimeout = resource.timeouts.tlsHandshake.timer
    writeIdleTimeout = resource.timeouts.writeIdle.timer
    tunnelIdleTimeout = resource.timeouts.tunnelIdle.timer
    drainTimeout = resource.timeouts.drain.timer
    serverHeader = resource.forwarding.serverHeader
    serverBytes = OwnedBytes(serverHeader)
    forwarding = ForwardingSettings(resource.forwarding)
  }
}

extension ForwardingSettings {
  init(_ f: ProxyResource.Forwarding) {
    forwardedFor =
      switch f.xForwardedFor {
      case .append: .append
      case .replace: .replace
      case .off: .off
      }
    requestID =
      switch f.requestId {
      case .keep: .keep
      case .generate: .generate
      case .off: .off
      }
    forwarded = f.forwarded
    trustedHops = f.trustedHops
    trustedProxies = f.trustedProxies.compactMap { CIDR($0) }
    hasTrustedProxies = !trustedProxies.isEmpty
    via = f.via
    writesVia = !via.isEmpty
  }
}
