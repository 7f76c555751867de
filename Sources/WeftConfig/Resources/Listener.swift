/// One port of a Gateway, with the host name that it answers for and the routes that may attach.
public struct Listener: Sendable, Hashable {
  public enum TrafficProtocol: String, Sendable, Hashable, CaseIterable {
    case http = "HTTP"
    case https = "HTTPS"
    case tls = "TLS"
    case tcp = "TCP"
    case udp = "UDP"
  }

  public let name: String
  /// May begin with `*.`; nil: every host.
  public let hostname: String?
  public let port: Int
  public let `protocol`: TrafficProtocol
  public let tls: ListenerTLS?
  public let allowedRoutes: AllowedRoutes
  public let origin: Origin

  init(_ reader: ObjectReader, namespace: String) {
    name = reader.string("name", .dnsSubdomain)
    let hostname = reader.optionalString("hostname")
    self.hostname = hostname == "" ? nil : hostname
    port = reader.int("port", in: Bounds.port)
    self.protocol = reader.enumeration("protocol")
    tls = reader.optionalObject("tls") { ListenerTLS($0, namespace: namespace) }
    allowedRoutes = reader.optionalObject("allowedRoutes", AllowedRoutes.init) ?? AllowedRoutes()
    origin = Origin(reader.node)
    check(reader)
  }

  private func check(_ reader: ObjectReader) {
    if let hostname, let problem = StringRule.wildcardHostname.problem(hostname) { reader.error("hostname", problem) }
    switch self.protocol {
    case .http, .tcp, .udp:
      if tls != nil { reader.error("tls", "must not be given with protocol \(self.protocol.rawValue)") }
      if self.protocol != .http, hostname != nil {
        reader.error("hostname", "must not be given with protocol \(self.protocol.rawValue)")
      }
    case .https:
      if !reader.has("tls") { reader.error("tls", "is missing; protocol HTTPS needs it") }
      if tls?.mode == .passthrough {
        reader.error("tls", "mode Passthrough needs protocol TLS; HTTPS is always terminated here")
      }
    case .tls:
      if let mode = tls?.settings.peerAuthentication, mode == .disable {
        reader.error("tls", "weft.dev/peer-authentication: disable leaves nothing of protocol TLS; use protocol TCP")
      }
      if tls?.hasMode != true { reader.error("tls", "needs a mode with protocol TLS: Terminate or Passthrough") }
    }
  }
}

/// Which routes may attach to a listener.
public struct AllowedRoutes: Sendable, Hashable {
  public enum Namespaces: Sendable, Hashable {
    case all
    /// The Gateway's own.
    case same
    case none
    case selected(LabelSelector)
  }

  private enum From: String, CaseIterable {
    case all = "All"
    case selector = "Selector"
    case same = "Same"
    case none = "None"
  }

  public let namespaces: Namespaces
  /// None: every kind that fits the protocol.
  public let kinds: [ResourceKind]

  init() {
    namespaces = .same
    kinds = []
  }

  init(_ reader: ObjectReader) {
    namespaces = reader.optionalObject("namespaces", AllowedRoutes.namespaces) ?? .same
    kinds = reader.objects("kinds", count: Bounds.routeKinds) { reader in
      ResourceKind(
        group: reader.string("group", .group, default: ResourceKind.gatewayAPI), kind: reader.string("kind", .kind))
    }
  }

  private static func namespaces(_ reader: ObjectReader) -> Namespaces {
    let from = reader.enumeration("from", default: From.same)
    let selector = reader.optionalObject("selector", LabelSelector.init)
    switch from {
    case .all: return .all
    case .same: return .same
    case .none: return .none
    case .selector:
      guard let selector else {
        reader.error("selector", "is missing; \"from: Selector\" needs it")
        return .none
      }
      return .selected(selector)
    }
  }
}
