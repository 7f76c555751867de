import Logging
import WeftBundle
import WeftConfig
import WeftFilter
import WeftIO
import WeftTLS
import WeftTelemetry

/// Turns resources into a `Snapshot`. Runs off the event loops; what cannot be compiled is reported with its place, and
/// then nothing of it is put into force.
struct ConfigurationCompiler {
  let resources: ResourceSet
  let registry: FilterRegistry
  let metrics: MetricsRegistry
  let logger: Logger
  let bundles: BundleCatalog
  /// Addresses of endpoints that are given by name, as far as they are known.
  let resolved: [String: [IPAddress]]
  /// The specifications in force: one that has not changed is used again, so that workers see at once that it has not.
  let previous: Snapshot?
  /// Keys of the process for session tickets; nil: of no use beyond this compilation.
  let tickets: TicketKeys?
  private var tls: TLSCompiler

  private(set) var diagnostics: [Diagnostic] = []
  private var services: [ServiceSpec] = []
  private let previousServices: [String: ServiceSpec]
  /// Names of all services, for filters to find theirs.
  private var serviceNames: Set<String> = []
  private var serviceIndex: [String: Int] = [:]
  /// The resource behind each of `services`.
  private var serviceOwners: [ResourceIdentifier] = []
  private var authorization: AuthorizationCompiler
  private var filters: [FilterSpec] = []
  private var filterIndex: [FilterKey: Int] = [:]
  private var rules: [RuleSpec] = []
  /// What the route tables are made from, for explanations.
  private(set) var routes: [ListenerPorts.Routes] = []
  /// Names that must be looked up.
  private(set) var names: [String: NameRefresh] = [:]
  /// Files and folders besides the configuration's own whose changes matter.
  var watchedPaths: Set<String> {
    namedPaths.union(bundles.paths).union(resources.proxy?.trustedKeys.compactMap(\.path) ?? [])
  }
  private var namedPaths: Set<String> = []

  init(
    resources: ResourceSet, registry: FilterRegistry, metrics: MetricsRegistry, logger: Logger,
    bundleFolders: [String] = [], bundles named: [ResourceName: String]? = nil,
    rollouts: [ResourceName: BundleRollout] = [:], resolved: [String: [IPAddress]] = [:],
    previous: Snapshot? = nil,
    renewed: [String: ServiceSpec] = [:], tickets: TicketKeys? = nil, labels: [String: String] = [:]
  ) {
    authorization = AuthorizationCompiler(resources, labels: labels)
    self.tickets = tickets
    tls = TLSCompiler(resources)
    self.resources = resources
    self.registry = registry
    self.metrics = metrics
    self.logger = logger
    do {
      bundles = BundleCatalog(
        folders: bundleFolders, named: named, rollouts: rollouts, trust: try BundleTrust(resources.proxy))
    } catch {
      // Nothing is put into force; what else is wrong is still found.
      bundles = BundleCatalog(folders: bundleFolders, named: named, rollouts: rollouts)
      diagnostics = error.diagnostics
    }
    self.resolved = resolved
    self.previous = previous
    previousServices = Dictionary(
      (previous?.services ?? []).map { ($0.name, renewed[$0.name] ?? $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// - Returns: nil when there was an error; `diagnostics` says which.
  mutating func compile(version: UInt64, onDemand: MeshOnDemand? = nil) -> Snapshot? {
    compileServices()
    serviceNames = Set(serviceIndex.keys)
    for filter in resources.filters.all { _ = named(filter) }  // also those that no route uses are checked
    let (listeners, mesh) = compileRoutes()
    diagnostics += tls.diagnostics
    let authorizations = authorization.compile(listeners: listeners.map(\.owners), services: serviceOwners)
    diagnostics += authorization.diagnostics
    namedPaths.formUnion(tls.watchedPaths)
    if diagnostics.contains(where: { $0.severity == .error }) { return nil }
    return Snapshot(
      version: version, listeners: listeners, mesh: mesh, rules: rules, services: services, filters: filters,
      settings: ProxySettings(resources.proxy), authorization: authorizations, onDemand: onDemand)
  }

  mutating func report(_ error: any Error, at origin: Origin) {
    switch error {
    case let error as ConfigError: diagnostics += error.diagnostics
    case let error as Diagnostic: diagnostics.append(error)
    default: diagnostics.append(origin.error("\(error)"))
    }
  }

  // MARK: Services

  private mutating func compileServices() {
    let grpc = GRPCBackends(resources)
    for service in resources.weftServices.all {
      let traffic = resources.traffic(service.traffic, of: WeftService.kind, service.name, port: nil)
      let name = ServiceCompiler.name(service)
      let spec = ServiceCompiler.spec(
        service, traffic, workloads: resources.workloads(of: service.name), carriesGRPC: grpc.contains(name),
        previous: previousServices[name],
        resolve: { addresses(of: $0, NameRefresh(traffic.dns)) })
      add(
        secured(spec, WeftService.kind, service.name, port: nil), of: ResourceIdentifier(WeftService.kind, service.name)
      )
    }
    for service in resources.services.all {
      for port in service.ports where port.isTCP {
        let spec = ServiceCompiler.spec(
          service, port, resources, carriesGRPC: grpc.contains(ServiceCompiler.name(service, port)),
          previous: previousServices[ServiceCompiler.name(service, port)],
          resolve: { addresses(of: $0, NameRefresh()) })
        add(
          secured(spec, KubernetesService.kind, service.name, port: port.name),
          of: ResourceIdentifier(KubernetesService.kind, service.name))
      }
    }
  }

  /// The specification with the TLS that a policy demands; one that cannot be met leaves the service without endpoints.
  private mutating func secured(
    _ spec: ServiceSpec, _ kind: ResourceKind, _ name: ResourceName, port: String?
  ) -> ServiceSpec {
    // The mesh encrypts by itself: a policy is about what lies behind the sidecar.
    if let secured = meshSecured(spec, name) { return secured }
    let previous = previousServices[spec.name]?.tls
    switch tls.client(
      kind, name, port: port, protocols: spec.protocols, previous: previous)
    {
    case .plain: return spec
    case .encrypted(let context): return spec.with(context)
    case .unusable: return spec.withoutEndpoints()
    }
  }

  /// The specification of a service some of whose workloads take mutual TLS; nil: none does.
  private mutating func meshSecured(_ spec: ServiceSpec, _ name: ResourceName) -> ServiceSpec? {
    let workloads = resources.workloads(of: name).filter { $0.isServing && $0.isMutualTLS }
    guard spec.isMesh, let first = workloads.first else { return nil }
    let identities = Set(workloads.compactMap(\.identity)).sorted()
    switch tls.mesh(
      name, identities: identities, protocols: spec.protocols,
      previous: previousServices[spec.name]?.tls, first.origin)
    {
    case .plain: return spec
    case .encrypted(let context): return spec.with(context)
    case .unusable: return spec.withoutEndpoints()
    }
  }

  private mutating func addresses(of name: String, _ refresh: NameRefresh) -> [IPAddress] {
    names[name] = names[name].map { $0.merged(with: refresh) } ?? refresh
    return resolved[name] ?? []
  }

  private mutating func add(_ spec: ServiceSpec, of owner: ResourceIdentifier) {
    serviceOwners.append(owner)
    serviceIndex[spec.name] = services.count
    let known = previousServices[spec.name]
    services.append(known.flatMap { $0.hasSameContent(as: spec) ? $0 : nil } ?? spec)
  }

  /// Index of the service that a reference leads to; -1 when it does not resolve.
  private func service<Route: AttachableRoute>(_ reference: BackendReference, of route: Route) -> Int {
    switch resources.resolve(reference, from: Route.kind, in: route.metadata.namespace) {
    case .service(let service, let port): serviceIndex[ServiceCompiler.name(service, port)] ?? -1
    case .weftService(let service): serviceIndex[ServiceCompiler.name(service)] ?? -1
    case .unresolved: -1
    }
  }

  /// The services that have an endpoint given by name, with what is known of its addresses now.
  /// - Parameter previous: the services in force.
  static func namedServices(
    _ resources: ResourceSet, resolved: [String: [IPAddress]], previous: [String: ServiceSpec]
  ) -> [ServiceSpec] {
    var specs: [ServiceSpec] = []
    let grpc = GRPCBackends(resources)
    for service in resources.weftServices.all {
      var isNamed = false
      let traffic = resources.traffic(service.traffic, of: WeftService.kind, service.name, port: nil)
      let key = ServiceCompiler.name(service)
      let spec = ServiceCompiler.spec(
        service, traffic, workloads: resources.workloads(of: service.name), carriesGRPC: grpc.contains(key),
        previous: previous[key]
      ) { name in
        isNamed = true
        return resolved[name] ?? []
      }
      if isNamed { specs.append(spec) }
    }
    for service in resources.services.all {
      for port in service.ports where port.isTCP {
        var isNamed = false
        let key = ServiceCompiler.name(service, port)
        let spec = ServiceCompiler.spec(
          service, port, resources, carriesGRPC: grpc.contains(key), previous: previous[key]
        ) { name in
          isNamed = true
          return resolved[name] ?? []
        }
        if isNamed { specs.append(spec) }
      }
    }
    return specs
  }

  // MARK: Filters

  private func context(_ name: String, _ namespace: String) -> FilterTypeContext {
    let known = serviceNames
    return FilterTypeContext(
      name: name, namespace: namespace, metrics: metrics, logger: logger, bundles: bundles,
      findService: { namespace, name, port in
        let base = "\(namespace)/\(name)"
        if let port, known.contains("\(base):\(port)") { return ServiceReference("\(base):\(port)") }
        return known.contains(base) ? ServiceReference(base) : nil
      })
  }

  private mutating func add(_ type: any FilterType, name: String, content: String) -> Int {
    namedPaths.formUnion(type.watchedPaths)
    let key = FilterKey(name: name, type: Swift.type(of: type).name, fingerprint: content + "#" + type.fingerprint)
    if let known = filterIndex[key] { return known }
    filterIndex[key] = filters.count
    filters.append(FilterSpec(key: key, type: type))
    return filters.count - 1
  }

  private var namedFilters: [ResourceName: Int] = [:]

  /// Index of a Filter resource's filter; nil when it cannot be decoded.
  private mutating func named(_ filter: FilterResource) -> Int? {
    if let known = namedFilters[filter.name] { return known < 0 ? nil : known }
    namedFilters[filter.name] = -1
    guard let type = registry.type(named: filter.type) else {
      diagnostics.append(
        filter.typeOrigin.error(
          "no filter type is called \"\(filter.type)\"; there are \(registry.names.joined(separator: ", "))"))
      return nil
    }
    do {
      let made = try registry.decode(
        type: type, config: filter.config, context: context(filter.name.description, filter.metadata.namespace))
      let index = add(made, name: filter.name.description, content: "\(filter.config.json)")
      namedFilters[filter.name] = index
      return index
    } catch {
      report(error, at: filter.origin)
      return nil
    }
  }

  private mutating func compile(_ list: [HTTPRouteFilter], of route: some RequestRoute, place: String) -> [Int] {
    var indices: [Int] = []
    for (i, filter) in list.enumerated() {
      if case .extensionRef(let reference) = filter.action {
        let name = ResourceName(namespace: route.metadata.namespace, name: reference.name)
        // A dangling reference has been reported when the configuration was loaded.
        if let resource = resources.filters[name], let index = named(resource) { indices.append(index) }
        continue
      }
      let name = "\(place).filters[\(i)]"
      do {
        let type = try registry.routeFilter(
          filter, context(name, route.metadata.namespace))
        indices.append(add(type, name: name, content: "\(filter.action)"))
      } catch {
        report(error, at: filter.origin)
      }
    }
    return indices
  }

  // MARK: Routes

  private mutating func compileRoutes() -> ([ListenerSpec], [MeshSpec]) {
    var mesh = MeshRoutes()
    var ports = ListenerPorts(resources) { gateway, listener in
      // What a TLS listener carries is not known, and so is no protocol for it.
      tls.server(gateway, listener, protocols: listener.protocol == .https ? ["h2", "http/1.1"] : [])
    }
    diagnostics += ports.diagnostics
    for route in resources.httpRoutes.all {
      compile(route, &ports, &mesh) { rule, hostnames, order, target in
        rule.matches.map { RouteMatchSpec($0, hostnames: hostnames, order: order, target: target) }
      }
    }
    for route in resources.grpcRoutes.all {
      compile(route, &ports, &mesh) { rule, hostnames, order, target in
        rule.matches.map { RouteMatchSpec($0, hostnames: hostnames, order: order, target: target) }
      }
    }
    for route in resources.tcpRoutes.all.sorted(by: Self.precedes) { compile(route, route.rules, &ports) }
    for route in resources.tlsRoutes.all.sorted(by: Self.precedes) { compile(route, route.rules, &ports) }
    mesh.give(to: &ports, resources) { directRule($0, $1) }
    routes = ports.routes
    diagnostics += mesh.check(ports)
    do {
      let (listeners, problems) = ports.finish(tickets: try tickets ?? TicketKeys())
      diagnostics += problems
      return (listeners, mesh.attached)
    } catch {
      diagnostics.append(Origin(SourceLocation(file: "")).error("\(error)"))
      return ([], mesh.attached)
    }
  }

  /// - Parameter matches: those of a rule, for hostnames, in order.
  private mutating func compile<Route: RequestRoute>(
    _ route: Route, _ ports: inout ListenerPorts, _ mesh: inout MeshRoutes,
    matches: (Route.Rule, [String], RouteOrder, Int) -> [RouteMatchSpec]
  ) {
    let attached = resources.attachments(of: route).attached
    if attached.isEmpty { return }
    for (r, rule) in route.rules.enumerated() {
      let target = rules.count
      rules.append(compile(rule, r, of: route))
      let order = RouteOrder(
        created: ListenerPorts.created(route.metadata), name: route.name.description, rule: r, match: 0)
      for attachment in attached {
        for (m, match) in matches(rule, attachment.hostnames, order, target).enumerated() {
          var spec = match
          spec.order.match = m
          switch attachment.target {
          case .listener(let name): ports.add(spec, listener: name)
          case .service(let service, let port):
            mesh.add(spec, to: service, port: port, from: route.metadata.namespace, origin: route.origin)
          }
        }
      }
    }
  }

  /// A rule that sends everything to a service of the mesh; nil when it is not compiled.
  private mutating func directRule(_ service: ResourceIdentifier, _ port: KubernetesService.Port?) -> Int? {
    let name = port.map { "\(service.name):\($0.port)" } ?? service.name.description
    guard let index = serviceIndex[name] else { return nil }
    rules.append(
      RuleSpec(
        name: name, backends: [RuleSpec.Backend(weight: 1, service: index, filters: [])], requestTimeout: 0,
        backendTimeout: 0))
    return rules.count - 1
  }

  /// The older route first, then the first by name.
  private static func precedes<Route: AttachableRoute>(_ a: Route, _ b: Route) -> Bool {
    let (first, second) = (a.metadata.creationTimestamp ?? "~", b.metadata.creationTimestamp ?? "~")
    return first == second ? a.name < b.name : first < second
  }

  private mutating func compile<Route: AttachableRoute>(
    _ route: Route, _ connectionRules: [ConnectionRule], _ ports: inout ListenerPorts
  ) {
    let attached = resources.attachments(of: route).attached
    for rule in connectionRules where !attached.isEmpty {
      let target = rules.count
      let backends = rule.backendRefs.map { backend in
        RuleSpec.Backend(
          weight: UInt32(clamping: backend.weight), service: service(backend.reference, of: route), filters: [])
      }
      rules.append(
        RuleSpec(
          name: "\(route.name)/\(rule.name ?? "0")", backends: backends, requestTimeout: 0, backendTimeout: 0,
          metadata: nil))
      for attachment in attached {
        if case .listener(let name) = attachment.target {
          ports.add(connections: target, hostnames: attachment.hostnames, listener: name)
        }
      }
    }
  }

  private mutating func compile<Route: RequestRoute>(_ rule: Route.Rule, _ index: Int, of route: Route) -> RuleSpec {
    let name = "\(route.name)/\(rule.name ?? String(index))"
    var own = compile(rule.filters, of: route, place: name)
    if let retry = rule.retry, let make = registry.routeRetry {
      do {
        own.insert(
          add(
            try make(retry, context("\(name).retry", route.metadata.namespace)), name: "\(name).retry",
            content: "\(retry)"),
          at: 0)
      } catch {
        report(error, at: retry.origin)
      }
    }
    var backends: [RuleSpec.Backend] = []
    for (b, backend) in rule.backendRefs.enumerated() {
      let filters = own + compile(backend.filters, of: route, place: "\(name).backendRefs[\(b)]")
      if filters.count > FilterChain.limit {
        diagnostics.append(
          rule.origin.error("a chain may have at most \(FilterChain.limit) filters, not \(filters.count)"))
      }
      backends.append(
        RuleSpec.Backend(
          weight: UInt32(clamping: backend.weight), service: service(backend.reference, of: route), filters: filters))
    }
    if rule.backendRefs.isEmpty { backends.append(RuleSpec.Backend(weight: 1, service: -1, filters: own)) }
    var metadata: RouteMetadata?
    do {
      metadata = try RouteMetadata(route.metadata, at: route.origin)
    } catch {
      // Once, and not for each rule.
      if index == 0 { diagnostics.append(error) }
    }
    return RuleSpec(
      name: name, backends: backends, requestTimeout: rule.timeouts.request?.timer ?? 0,
      backendTimeout: rule.timeouts.backendRequest?.timer ?? 0,
      session: rule.sessionPersistence.map { SessionSpec($0, rule: name) }, metadata: metadata)
  }
}

extension ConfigDuration {
  /// Milliseconds for a timer: 0 stays 0, which means no limit; anything else is at least 1.
  var timer: UInt32 { nanoseconds <= 0 ? 0 : UInt32(clamping: Swift.max(1, milliseconds)) }
}
