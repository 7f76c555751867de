import WeftConfig
import WeftIO

/// A service to which routes are attached rather than to a Gateway.
struct MeshSpec: Sendable, Hashable {
  let service: ResourceIdentifier
  /// nil: every port of the service that no other one is for.
  let port: Int?
}

/// Gathers the routes of each service and port, and gives them to the outbound listeners of the mesh: there a request's
/// host names the service.
struct MeshRoutes {
  private struct Attached {
    /// The route's namespace.
    let namespace: String
    let spec: RouteMatchSpec
  }

  private struct Frontend {
    let origin: Origin
    var routes: [Attached] = []
  }

  private var frontends: [MeshSpec: Frontend] = [:]
  private var order: [MeshSpec] = []

  /// What is attached, in the order in which it was added.
  var attached: [MeshSpec] { order }

  /// Adds one match of a rule whose route, of a namespace and defined at `origin`, is attached to `service`.
  mutating func add(
    _ spec: RouteMatchSpec, to service: ResourceIdentifier, port: Int?, from namespace: String, origin: Origin
  ) {
    let key = MeshSpec(service: service, port: port)
    if frontends[key] == nil { order.append(key) }
    frontends[key, default: Frontend(origin: origin)].routes.append(Attached(namespace: namespace, spec: spec))
  }

  /// Gives every service to every outbound listener.
  /// - Parameter backend: a rule that sends everything to one service and port, for services without routes.
  func give(
    to ports: inout ListenerPorts, _ resources: ResourceSet,
    backend: (_ service: ResourceIdentifier, _ port: KubernetesService.Port?) -> Int?
  ) {
    if ports.outbound.isEmpty { return }
    for service in resources.weftServices.all {
      let identifier = ResourceIdentifier(WeftService.kind, service.name)
      give(identifier, nil, MeshHost(service.name), to: &ports) { backend(identifier, nil) }
    }
    for service in resources.services.all {
      let identifier = ResourceIdentifier(KubernetesService.kind, service.name)
      let tcp = service.ports.filter(\.isTCP)
      let first = tcp.first { $0.port == 80 } ?? tcp.first
      for port in tcp {
        var host = MeshHost(service.name)
        host.addresses = service.clusterAddresses.compactMap { IPAddress($0).map(HostPattern.text) }
        if tcp.count > 1 { host.port = (port.port, isDefault: port.port == first?.port) }
        give(identifier, port.port, host, to: &ports) { backend(identifier, port) }
      }
    }
  }

  private func give(
    _ service: ResourceIdentifier, _ port: Int?, _ host: MeshHost, to ports: inout ListenerPorts,
    backend: () -> Int?
  ) {
    let routes =
      (port.flatMap { frontends[MeshSpec(service: service, port: $0)] }
      ?? frontends[MeshSpec(service: service, port: nil)])?.routes ?? []
    var direct: Int?
    for listener in ports.outbound {
      let namespace = listener.gateway.namespace
      // Routes of the client's own namespace go before those that the service's owner wrote (GEP-1426).
      let own = routes.filter { $0.namespace == namespace }
      let owners = routes.filter { $0.namespace == service.name.namespace }
      let chosen = own.isEmpty ? owners : own
      for route in chosen { ports.add(host.applied(to: route.spec, from: namespace), listener: listener) }
      if !chosen.isEmpty { continue }
      direct = direct ?? backend()
      guard let direct else { continue }
      let plain = RouteMatchSpec(
        order: RouteOrder(created: .max, name: service.name.description, rule: 0, match: 0), target: direct)
      ports.add(host.applied(to: plain, from: namespace), listener: listener)
    }
  }

  /// Compiles the tables where no listener will, so that mistakes are found.
  func check(_ ports: ListenerPorts) -> [Diagnostic] {
    if !ports.outbound.isEmpty { return [] }
    return order.compactMap { key in
      guard let frontend = frontends[key] else { return nil }
      do {
        _ = try RouteTable(frontend.routes.map(\.spec))
        return nil
      } catch {
        return frontend.origin.error("\(error)")
      }
    }
  }
}

/// The hosts by which requests name a service.
private struct MeshHost {
  let name: ResourceName
  /// Addresses that stand for the service, as a Host field has them.
  var addresses: [String] = []
  /// Of a service with several ports: which one, and whether a host without a port means it.
  var port: (number: Int, isDefault: Bool)?

  init(_ name: ResourceName) { self.name = name }

  func applied(to spec: RouteMatchSpec, from namespace: String) -> RouteMatchSpec {
    var spec = spec
    // The route's own hostnames have no meaning in the mesh (GEP-1426).
    spec.hostnames = MeshHosts.names(of: name, from: namespace) + addresses
    if let port {
      let suffix = port.isDefault ? "(:\(port.number))?" : ":\(port.number)"
      // An IPv6 address has colons, between brackets.
      spec.headers.append(.init("host", .regex("(\\[[^\\]]*\\]|[^:]*)\(suffix)")))
    }
    return spec
  }
}
