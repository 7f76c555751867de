import WeftConfig
import WeftIO

/// Turns the two kinds of Service into what workers balance over.
enum ServiceCompiler {
  static func name(_ service: WeftService) -> String { service.name.description }
  static func name(_ service: KubernetesService, _ port: KubernetesService.Port) -> String {
    "\(service.name):\(port.port)"
  }

  /// - Parameters:
  ///   - traffic: its settings, with those of a policy.
  ///   - carriesGRPC: a GRPCRoute names the service.
  ///   - previous: what was in force so far: what is known of its endpoints is carried over.
  ///   - resolve: the addresses of a name, as far as they are known.
  static func spec(
    _ service: WeftService, _ traffic: TrafficSettings, carriesGRPC: Bool = false, previous: ServiceSpec?,
    resolve: (String) -> [IPAddress]
  ) -> ServiceSpec {
    var addresses: [ServiceSpec.Address] = []
    for endpoint in service.endpoints {
      let weight = UInt32(clamping: endpoint.weight)
      switch endpoint.address {
      case .ip(let text, let port):
        guard let ip = IPAddress(text), let port = UInt16(exactly: port) else { continue }
        addresses.append(.init(address: SocketAddress(ip, port: port), weight: weight))
      case .name(let name, let port):
        guard let port = UInt16(exactly: port) else { continue }
        addresses += resolve(name).map { .init(address: SocketAddress($0, port: port), weight: weight) }
      case .unix(let path):
        guard let address = SocketAddress(unixPath: path) else { continue }
        addresses.append(.init(address: address, weight: weight))
      }
    }
    return spec(
      name(service), addresses, traffic, traffic.protocol ?? (carriesGRPC ? .http2 : .auto)
    ).watched(traffic, previous: previous)
  }

  private static func spec(
    _ name: String, _ addresses: [ServiceSpec.Address], _ traffic: TrafficSettings,
    _ version: TrafficSettings.ApplicationProtocol
  ) -> ServiceSpec {
    ServiceSpec(
      name: name, addresses: addresses, loadBalancing: LoadBalancing(traffic.loadBalancer),
      limits: ServiceSpec.Limits(traffic.connectionPool),
      timeouts: ServiceSpec.Timeouts(
        connect: traffic.timeouts.connect.timer, firstByte: traffic.timeouts.firstByte.timer,
        idle: traffic.timeouts.idle.timer, keepAlive: traffic.connectionPool.idleTimeout.timer),
      keepAlive: ServiceSpec.KeepAlive(
        idle: Int32(clamping: traffic.tcpKeepalive.time.nanoseconds / 1_000_000_000),
        interval: Int32(clamping: max(1, traffic.tcpKeepalive.interval.nanoseconds / 1_000_000_000)),
        probes: Int32(clamping: traffic.tcpKeepalive.probes)),
      isHTTP2: version == .http2, negotiates: version == .auto)
  }

  /// The ready endpoints of a core Service's port, from its EndpointSlices; of an ExternalName, from its name; without
  /// slices, the cluster's address.
  static func spec(
    _ service: KubernetesService, _ port: KubernetesService.Port, _ resources: ResourceSet, carriesGRPC: Bool = false,
    previous: ServiceSpec?,
    resolve: (String) -> [IPAddress]
  ) -> ServiceSpec {
    var addresses: [ServiceSpec.Address] = []
    let slices = resources.endpointSlices(of: service.name)
    if service.type == .externalName, let name = service.externalName {
      addresses = external(name, port, resolve)
    } else if slices.isEmpty {
      if let text = service.clusterIP, let ip = IPAddress(text), let number = UInt16(exactly: port.port) {
        addresses = [.init(address: SocketAddress(ip, port: number), weight: 1)]
      }
    } else {
      for slice in slices { addresses += endpoints(slice, port, resolve) }
    }
    var seen: Set<SocketAddress> = []
    let traffic = resources.traffic(TrafficSettings(), of: KubernetesService.kind, service.name, port: port.name)
    return spec(
      name(service, port), addresses.filter { seen.insert($0.address).inserted }, traffic,
      port.speaksHTTP2 || port.appProtocol == nil && carriesGRPC ? .http2 : port.isNegotiable ? .auto : .http1
    ).watched(traffic, previous: previous)
  }

  private static func external(
    _ name: String, _ port: KubernetesService.Port, _ resolve: (String) -> [IPAddress]
  ) -> [ServiceSpec.Address] {
    guard let number = UInt16(exactly: port.port) else { return [] }
    let ips = IPAddress(name).map { [$0] } ?? resolve(name)
    return ips.map { .init(address: SocketAddress($0, port: number), weight: 1) }
  }

  private static func endpoints(
    _ slice: EndpointSlice, _ port: KubernetesService.Port, _ resolve: (String) -> [IPAddress]
  ) -> [ServiceSpec.Address] {
    // A slice's port belongs to the Service's port of the same name; an unnamed one to the only port.
    guard let number = slice.ports.first(where: { $0.isTCP && $0.name == port.name })?.port,
      let target = UInt16(exactly: number)
    else { return [] }
    var addresses: [ServiceSpec.Address] = []
    for endpoint in slice.endpoints where endpoint.isReady && !endpoint.isTerminating {
      for text in endpoint.addresses {
        let ips = slice.addressType == .fqdn ? resolve(text) : IPAddress(text).map { [$0] } ?? []
        addresses += ips.map { .init(address: SocketAddress($0, port: target), weight: 1) }
      }
    }
    return addresses
  }
}

extension LoadBalancing {
  init(_ setting: TrafficSettings.LoadBalancer) {
    switch setting {
    case .roundRobin: self = .roundRobin
    case .leastRequest: self = .leastRequest
    case .random: self = .random
    }
  }
}

extension ServiceSpec.Limits {
  init(_ pool: TrafficSettings.ConnectionPool) {
    maxConnections = pool.maxConnections
    maxPendingRequests = pool.maxPendingRequests
    maxRequestsPerConnection = pool.maxRequestsPerConnection
    maxIdleConnections = pool.maxIdleConnections
    maxRequests = pool.maxRequests
    maxRetries = pool.maxRetries
  }
}
