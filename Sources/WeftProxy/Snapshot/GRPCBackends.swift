import WeftConfig

/// The services that GRPCRoutes, those that are attached somewhere, send calls to. Where nothing else is said, they are spoken to with HTTP/2: there is no
/// gRPC without it.
struct GRPCBackends {
  private var names: Set<String> = []

  init(_ resources: ResourceSet) {
    for route in resources.grpcRoutes.all where !resources.attachments(of: route).attached.isEmpty {
      for rule in route.rules {
        for backend in rule.backendRefs { add(backend.reference, of: route, resources) }
        for filter in rule.filters + rule.backendRefs.flatMap(\.filters) {
          if case .requestMirror(let mirror) = filter.action { add(mirror.backendRef, of: route, resources) }
        }
      }
    }
  }

  func contains(_ service: String) -> Bool { names.contains(service) }

  private mutating func add(_ reference: BackendReference, of route: GRPCRoute, _ resources: ResourceSet) {
    switch resources.resolve(reference, from: GRPCRoute.kind, in: route.metadata.namespace) {
    case .service(let service, let port): names.insert(ServiceCompiler.name(service, port))
    case .weftService(let service): names.insert(ServiceCompiler.name(service))
    case .unresolved: break
    }
  }
}
