import WeftConfig
import WeftIO

/// Gathers the Gateway listeners that share an address, and the routes of all of them, into one route table each.
struct ListenerPorts {
  private struct Port {
    let address: SocketAddress
    let name: String
    /// Hostnames of its listeners, `*` for one without.
    var hostnames: [String] = []
    var specs: [RouteMatchSpec] = []
    let origin: Origin
  }

  private var ports: [Port] = []
  private var index: [SocketAddress: Int] = [:]
  private var listeners: [ListenerName: [(port: Int, hostname: String)]] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  init(_ resources: ResourceSet, _ previous: [ListenerSpec]) {
    // Reported when the configuration was loaded.
    let conflicted = resources.conflictedListeners
    for gateway in resources.gateways.all {
      let ips = gateway.addresses.compactMap { IPAddress($0.value) }
      for listener in gateway.listeners {
        if conflicted[ListenerName(gateway: gateway.name, listener: listener.name)] != nil { continue }
        guard listener.protocol == .http else {
          diagnostics.append(
            listener.origin.warning(
              "protocol \(listener.protocol.rawValue) is not served yet: the listener stays closed"))
          continue
        }
        guard let number = UInt16(exactly: listener.port) else { continue }
        for ip in ips.isEmpty ? [.any] : ips { add(SocketAddress(ip, port: number), gateway, listener) }
      }
    }
  }

  private mutating func add(_ address: SocketAddress, _ gateway: Gateway, _ listener: Listener) {
    let name = ListenerName(gateway: gateway.name, listener: listener.name)
    let port = index[address] ?? ports.count
    if port == ports.count {
      index[address] = port
      ports.append(Port(address: address, name: "\(gateway.name)/\(listener.name)", origin: listener.origin))
    }
    ports[port].hostnames.append(listener.hostname ?? "*")
    listeners[name, default: []].append((port, listener.hostname ?? "*"))
  }

  /// Adds one match of a rule that is attached to `listener`.
  mutating func add(
    _ match: HTTPRouteMatch, hostnames: [String], listener: ListenerName, order: RouteOrder, target: Int
  ) {
    for (port, hostname) in listeners[listener] ?? [] {
      var spec = RouteMatchSpec(order: order, target: target)
      spec.listenerHostname = hostname
      spec.hostnames = hostnames.isEmpty ? ["*"] : hostnames
      spec.path =
        switch match.path.type {
        case .exact: .exact(match.path.value)
        case .pathPrefix: .prefix(match.path.value)
        case .regularExpression: .regex(match.path.value)
        }
      spec.method = match.method?.rawValue
      spec.headers = match.headers.map { ListenerPorts.named($0) }
      spec.query = match.queryParams.map { ListenerPorts.named($0) }
      ports[port].specs.append(spec)
    }
  }

  private static func named(_ field: HTTPRouteMatch.Field) -> RouteMatchSpec.NamedMatch {
    .init(field.name, field.type == .exact ? .exact(field.value) : .regex(field.value))
  }

  /// Compiles the tables.
  func finish() -> ([ListenerSpec], [Diagnostic]) {
    var specs: [ListenerSpec] = []
    var problems: [Diagnostic] = []
    for port in ports {
      do {
        let table = try RouteTable(port.specs, listenerHostnames: port.hostnames)
        specs.append(ListenerSpec(name: port.name, address: port.address, routes: table, origin: port.origin))
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
  static func created(_ route: HTTPRoute) -> Int64 {
    guard let text = route.metadata.creationTimestamp else { return Int64.max }
    let digits = text.utf8.prefix(19).filter { $0 &- 0x30 < 10 }
    // Digits in order (year to second) compare as the times do.
    return Int64(String(decoding: digits, as: UTF8.self)) ?? Int64.max
  }
}
