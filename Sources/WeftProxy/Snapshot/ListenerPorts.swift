import WeftConfig
import WeftIO
import WeftTLS

/// Gathers the Gateway listeners that share an address, and the routes of all of them, into one route table each.
struct ListenerPorts {
  private struct Port {
    let address: SocketAddress
    let name: String
    /// Hostnames of its listeners, `*` for one without.
    var hostnames: [String] = []
    var specs: [RouteMatchSpec] = []
    /// What each listener that terminates TLS presents.
    var tls: [TLSServerNames.Entry] = []
    /// What becomes of connections by server name, beside HTTP.
    var connections: [(hostname: String?, action: ConnectionTable.Action)] = []
    var owners: [(hostname: String, gateway: ResourceName)] = []
    /// How the first of its HTTPS listeners treats plain connections.
    var peerMode: PeerAuthentication.Mode?
    /// Of a plain TCP port.
    var plain: ConnectionTable.Action?
    var meshNamespace: String?
    var takesRedirected = false
    /// The same for all of its listeners, for it is read before it is known which of them is meant.
    let proxyProtocol: ListenerProxyProtocol?
    let origin: Origin
  }

  private var ports: [Port] = []
  private var index: [SocketAddress: Int] = [:]
  private var listeners: [ListenerName: [(port: Int, hostname: String)]] = [:]
  /// Listeners that take requests for services of the mesh.
  private(set) var outbound: [ListenerName] = []
  private var modes: [ListenerName: ListenerTLS.Mode] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  /// - Parameter tls: a listener's certificates and demands; nil when it cannot be served.
  init(_ resources: ResourceSet, tls: (Gateway, Listener) -> TLSServerContext?) {
    // Reported when the configuration was loaded.
    let conflicted = resources.conflictedListeners
    for gateway in resources.gateways.all {
      let given = gateway.addresses.filter { !$0.value.isEmpty }
      for address in given where ListenerPorts.socket(address, port: 0) == nil {
        diagnostics.append(
          address.origin.warning(
            "an address of type \(address.type) cannot be listened on: use IPAddress or \(Gateway.Address.unixSocket) (Accepted=False, reason UnsupportedAddress)"
          ))
      }
      for listener in gateway.listeners {
        if conflicted[ListenerName(gateway: gateway.name, listener: listener.name)] != nil { continue }
        guard listener.protocol != .udp else {
          diagnostics.append(
            listener.origin.warning(
              "protocol \(listener.protocol.rawValue) is not served yet: the listener stays closed"))
          continue
        }
        guard let number = UInt16(exactly: listener.port) else { continue }
        var context: TLSServerContext?
        let isPlain = listener.tls?.settings.peerAuthentication == .disable
        if !isPlain, listener.protocol == .https || listener.protocol == .tls && listener.tls?.mode == .terminate {
          context = tls(gateway, listener)
          if context == nil { continue }
        }
        if given.isEmpty { add(SocketAddress(.any, port: number), gateway, listener, context) }
        for address in given {
          if let socket = ListenerPorts.socket(address, port: number) { add(socket, gateway, listener, context) }
        }
      }
    }
  }

  private static func socket(_ address: Gateway.Address, port: UInt16) -> SocketAddress? {
    if address.type == Gateway.Address.unixSocket { return SocketAddress(unixPath: address.value) }
    return IPAddress(address.value).map { SocketAddress($0, port: port) }
  }

  private mutating func add(
    _ address: SocketAddress, _ gateway: Gateway, _ listener: Listener, _ context: TLSServerContext?
  ) {
    let name = ListenerName(gateway: gateway.name, listener: listener.name)
    let port = index[address] ?? ports.count
    let introduction = gateway.proxyProtocol[listener.name]
    if port == ports.count {
      index[address] = port
      ports.append(
        Port(
          address: address, name: "\(gateway.name)/\(listener.name)", proxyProtocol: introduction,
          origin: listener.origin))
    } else if ports[port].proxyProtocol != introduction {
      diagnostics.append(
        listener.origin.error(
          "shares \(address) with listener \(ports[port].name), so weft.dev/proxy-protocol and weft.dev/proxy-protocol-from must say the same of both"
        ))
    }
    ports[port].hostnames.append(listener.hostname ?? "*")
    if gateway.meshRole == .outbound, listener.protocol == .http {
      ports[port].meshNamespace = gateway.metadata.namespace
      ports[port].takesRedirected = gateway.takesRedirected
      if !outbound.contains(name) { outbound.append(name) }
    }
    ports[port].owners.append((listener.hostname ?? "*", gateway.name))
    let mode = listener.tls?.settings.peerAuthentication ?? .unset
    if let other = ports[port].peerMode, other != mode,
      [other, mode].contains(where: { $0 == .disable || $0 == .permissive })
    {
      diagnostics.append(
        listener.origin.error(
          "weft.dev/peer-authentication is \(mode.option) here and \(other.option) on another listener of the port, which cannot tell their connections apart; make them equal"
        ))
    }
    ports[port].peerMode = ports[port].peerMode ?? mode
    switch listener.protocol {
    case .tcp: ports[port].plain = .refuse
    case .https: ports[port].connections.append((listener.hostname, .http))
    case .tls:
      modes[name] = listener.tls?.mode
      // Behind those of routes, which are added later and stand before it where the name is the same.
      ports[port].connections.append((listener.hostname, .refuse))
    case .http, .udp: break
    }
    if let context { ports[port].tls.append(.init(hostname: listener.hostname, context: context)) }
    listeners[name, default: []].append((port, listener.hostname ?? "*"))
  }

  /// Adds one match of a rule that is attached to `listener`.
  mutating func add(_ match: RouteMatchSpec, listener: ListenerName) {
    for (port, hostname) in listeners[listener] ?? [] {
      var spec = match
      spec.listenerHostname = hostname
      ports[port].specs.append(spec)
    }
  }

  /// Adds a rule for connections that is attached to `listener`. The first that was added wins a name.
  mutating func add(connections rule: Int, hostnames: [String], listener: ListenerName) {
    for (port, _) in listeners[listener] ?? [] {
      guard let mode = modes[listener] else {
        if ports[port].plain == .refuse { ports[port].plain = .forward(rule) }
        continue
      }
      let action = mode == .passthrough ? ConnectionTable.Action.passThrough(rule) : .forward(rule)
      let names = hostnames.isEmpty ? [nil] : hostnames.map { Optional($0) }
      let first = ports[port].connections.firstIndex { $0.action == .refuse } ?? ports[port].connections.count
      ports[port].connections.insert(contentsOf: names.map { ($0, action) }, at: first)
    }
  }

  /// Compiles the tables.
  func finish(tickets: TicketKeys) -> ([ListenerSpec], [Diagnostic]) {
    var specs: [ListenerSpec] = []
    var problems: [Diagnostic] = []
    for port in ports {
      do {
        let table = try RouteTable(port.specs, listenerHostnames: port.hostnames)
        let tls = port.tls.isEmpty ? nil : try TLSServerNames(port.tls, tickets: tickets)
        let isHTTP = port.plain == nil && port.connections.allSatisfy { $0.action == .http }
        let connections = isHTTP ? nil : ConnectionTable(port.connections, plain: port.plain)
        specs.append(
          ListenerSpec(
            name: port.name, address: port.address, routes: table, tls: tls, connections: connections,
            meshNamespace: port.meshNamespace, takesRedirected: port.takesRedirected, owners: port.owners,
            acceptsPlain: port.peerMode == .permissive && tls != nil,
            proxyProtocol: port.proxyProtocol.map(ProxyProtocolSpec.init), origin: port.origin))
      } catch {
        problems.append(port.origin.error("\(error)"))
      }
    }
    return (specs, problems)
  }

  /// What a listener's table is made from, for explanations.
  struct Routes {
    let name: String
    let address: SocketAddress
    let specs: [RouteMatchSpec]
    let hostnames: [String]
  }

  var routes: [Routes] {
    ports.map { Routes(name: $0.name, address: $0.address, specs: $0.specs, hostnames: $0.hostnames) }
  }

  /// Seconds since 1970 by a route's creation timestamp (RFC 3339), for precedence; without one, later than any.
  static func created(_ route: ResourceMetadata) -> Int64 {
    guard let text = route.creationTimestamp else { return Int64.max }
    let digits = text.utf8.prefix(19).filter { $0 &- 0x30 < 10 }
    // Digits in order (year to second) compare as the times do.
    return Int64(String(decoding: digits, as: UTF8.self)) ?? Int64.max
  }
}

extension RouteMatchSpec {
  /// A rule's match as the route table wants it.
  init(_ match: HTTPRouteMatch, hostnames: [String], order: RouteOrder, target: Int) {
    self.init(order: order, target: target)
    self.hostnames = hostnames.isEmpty ? ["*"] : hostnames
    path =
      switch match.path.type {
      case .exact: .exact(match.path.value)
      case .pathPrefix: .prefix(match.path.value)
      case .regularExpression: .regex(match.path.value)
      }
    method = match.method?.rawValue
    headers = match.headers.map { NamedMatch($0.name, RouteMatchSpec.value($0)) }
    query = match.queryParams.map { NamedMatch($0.name, RouteMatchSpec.value($0)) }
  }

  /// As above, for gRPC calls.
  init(_ match: GRPCRouteMatch, hostnames: [String], order: RouteOrder, target: Int) {
    self.init(order: order, target: target)
    self.hostnames = hostnames.isEmpty ? ["*"] : hostnames
    path = PathMatch(match.method)
    headers = match.headers.map { NamedMatch($0.name, RouteMatchSpec.value($0)) }
  }

  private static func value(_ field: HTTPRouteMatch.Field) -> ValueMatch {
    field.type == .exact ? .exact(field.value) : .regex(field.value)
  }
}
