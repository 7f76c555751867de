import WeftConfig
import WeftHTTP
import WeftIO

/// Turns the two kinds of Service into what workers balance over.
enum ServiceCompiler {
  static func name(_ service: WeftService) -> String { service.name.description }
  static func name(_ service: KubernetesService, _ port: KubernetesService.Port) -> String {
    "\(service.name):\(port.port)"
  }

  /// - Parameters:
  ///   - traffic: its settings, with those of a policy.
  ///   - workloads: its endpoints, where it has none of its own.
  ///   - carriesGRPC: a GRPCRoute names the service.
  ///   - previous: what was in force so far: what is known of its endpoints is carried over.
  ///   - resolve: the addresses of a name, as far as they are known.
  static func spec(
    _ service: WeftService, _ traffic: TrafficSettings, workloads: [Workload], carriesGRPC: Bool = false,
    previous: ServiceSpec?,
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
    var isMesh = false
    if service.endpoints.isEmpty { (addresses, isMesh) = mesh(workloads) }
    return spec(
      name(service), addresses, traffic, traffic.protocol ?? (carriesGRPC ? .http2 : .auto), isMesh: isMesh
    ).watched(traffic, previous: previous)
  }

  private static func spec(
    _ name: String, _ addresses: [ServiceSpec.Address], _ traffic: TrafficSettings,
    _ version: TrafficSettings.ApplicationProtocol, isMesh: Bool
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
      isHTTP2: version == .http2, negotiates: version == .auto,
      proxyProtocol: traffic.proxyProtocol.flatMap { ProxyProtocolHeader.Version(rawValue: $0.rawValue) },
      isMesh: isMesh)
  }

  /// The workloads that take requests. Where one takes mutual TLS, the others' connections stay plain.
  private static func mesh(_ workloads: [Workload]) -> ([ServiceSpec.Address], isMesh: Bool) {
    let serving = workloads.filter(\.isServing)
    let isMesh = serving.contains(where: \.isMutualTLS)
    var seen: Set<SocketAddress> = []
    let addresses: [ServiceSpec.Address] = serving.compactMap { workload in
      guard let ip = IPAddress(workload.address), let port = UInt16(exactly: workload.port) else { return nil }
      let address = SocketAddress(ip, port: port)
      guard seen.insert(address).inserted else { return nil }
      return .init(
        address: address, weight: UInt32(clamping: workload.weight), isPlain: isMesh && !workload.isMutualTLS)
    }
    return (addresses, isMesh)
  }

  /// The ready endpoints of a core Service's port, from its EndpointSlices; of an ExternalName, from its name; without
  /// slices, its workloads; without these, the cluster's address.
  static func spec(
    _ service: KubernetesService, _ port: KubernetesService.Port, _ resources: ResourceSet, carriesGRPC: Bool = false,
    previous: ServiceSpec?,
    resolve: (String) -> [IPAddress]
  ) -> ServiceSpec {
    var addresses: [ServiceSpec.Address] = []
    let slices = resources.endpointSlices(of: service.name)
    let workloads = resources.workloads(of: service.name).filter { $0.servicePort ?? port.port == port.port }
    var isMesh = false
    if service.type == .externalName, let name = service.externalName {
      addresses = external(name, port, resolve)
    } else if slices.isEmpty, !workloads.isEmpty {
      (addresses, isMesh) = mesh(workloads)
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
      port.speaksHTTP2 || port.appProtocol == nil && carriesGRPC ? .http2 : port.isNegotiable ? .auto : .http1,
      isMesh: isMesh
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
