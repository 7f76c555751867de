/// Checks what resources say of each other. A reference for which the Gateway API defines a behaviour at run time is
/// reported as a warning that names the condition; one that would leave a filter out is an error.
struct ReferenceCheck {
  let resources: ResourceSet
  private(set) var diagnostics = DiagnosticList(limit: 10_000)

  init(_ resources: ResourceSet) {
    self.resources = resources
    for route in resources.httpRoutes.all { check(route) }
    for route in resources.grpcRoutes.all {
      check(route)
      checkProtocols(route)
    }
    for route in resources.tcpRoutes.all { check(route, route.rules) }
    for route in resources.tlsRoutes.all { check(route, route.rules) }
    for gateway in resources.gateways.all { check(gateway) }
    for policy in resources.backendTLSPolicies.all { check(policy, policy.targets) }
    for policy in resources.backendTrafficPolicies.all { check(policy, policy.targets) }
    for policy in resources.authorizationPolicies.all { check(policy) }
    for policy in resources.requestAuthentications.all { checkTargets(of: policy) }
    checkPorts()
  }

  private func exists(_ kind: ResourceKind, _ name: ResourceName) -> Bool {
    resources.invalid.contains(ResourceIdentifier(kind, name))
  }

  private mutating func warn(_ origin: Origin, _ condition: String, _ reason: ConditionReason, _ message: String) {
    diagnostics.append(origin.warning("\(message) (\(condition), reason \(reason.rawValue))"))
  }

  // MARK: Routes

  private mutating func check(_ route: some AttachableRoute, _ rules: [ConnectionRule]) {
    checkParents(route)
    for backend in rules.flatMap(\.backendRefs) {
      check(backend.reference, of: route, "its share of connections is refused")
    }
  }

  private mutating func checkParents<Route: AttachableRoute>(_ route: Route) {
    if route.parentRefs.isEmpty {
      let kind = Route.kind.kind
      diagnostics.append(route.origin.warning("\(kind) \(route.name) has no parentRefs, so it takes no requests"))
    }
    for rejection in resources.attachments(of: route).rejected
    where !exists(rejection.parent.kind, rejection.parent.name) {
      warn(
        rejection.parent.origin, "Accepted=False", rejection.reason, "the route is not attached: \(rejection.message)")
    }
  }

  private mutating func check<Route: RequestRoute>(_ route: Route) {
    checkParents(route)
    let isServed = resources.gateways.all.contains { $0.meshRole == .outbound }
    for attachment in isServed ? [] : resources.attachments(of: route).attached {
      guard case .service(let service, _) = attachment.target else { continue }
      diagnostics.append(
        route.origin.warning(
          "\(Route.kind.kind) \(route.name) is attached to \(service), whose traffic no listener takes here: a sidecar does, or a Gateway with the annotation weft.dev/mesh: outbound"
        ))
    }
    for unresolved in resources.unresolved(of: route) {
      let reference = unresolved.reference
      if exists(reference.kind, reference.name) { continue }
      warn(
        reference.origin, "ResolvedRefs=False", unresolved.reason, "\(unresolved.message); \(unresolved.consequence)")
    }
    for rule in route.rules {
      for filter in rule.filters { check(filter, of: route) }
      for backend in rule.backendRefs {
        checkEndpoints(backend.reference, of: route)
        for filter in backend.filters { check(filter, of: route) }
      }
    }
  }

  private mutating func check(_ filter: HTTPRouteFilter, of route: some RequestRoute) {
    if case .requestMirror(let mirror) = filter.action { checkEndpoints(mirror.backendRef, of: route) }
    guard case .extensionRef(let reference) = filter.action else { return }
    let name = ResourceName(namespace: route.metadata.namespace, name: reference.name)
    guard resources.filters[name] == nil, !exists(FilterResource.kind, name) else { return }
    diagnostics.append(reference.origin.error("no Filter named \"\(reference.name)\"\(advice(name))"))
  }

  /// What the author of a reference to an unknown Filter may have meant.
  private func advice(_ name: ResourceName) -> String {
    let siblings = resources.names(resources.filters.all, in: name.namespace)
    if let near = Suggestion.nearest(to: name.name, among: siblings) { return "; did you mean \"\(near)\"?" }
    if let other = resources.filters.all.first(where: { $0.metadata.name == name.name }) {
      return " in namespace \"\(name.namespace)\"; the one in \"\(other.metadata.namespace)\" cannot be used from here"
    }
    return name.namespace == "default" ? "" : " in namespace \"\(name.namespace)\""
  }

  private mutating func checkEndpoints<Route: RequestRoute>(_ reference: BackendReference, of route: Route) {
    let service: KubernetesService
    switch resources.resolve(reference, from: Route.kind, in: route.metadata.namespace) {
    case .service(let found, _): service = found
    case .weftService(let found):
      if found.endpoints.isEmpty, resources.workloads(of: found.name).isEmpty {
        diagnostics.append(
          reference.origin.warning(
            "Service \(found.name) has neither endpoints nor Workloads; requests for it are answered with 503"))
      }
      return
    case .unresolved: return
    }
    if service.type != .externalName, resources.endpointSlices(of: service.name).isEmpty,
      resources.workloads(of: service.name).isEmpty,
      !AddressSyntax.isIP(service.clusterIP ?? "")
    {
      diagnostics.append(
        reference.origin.warning(
          "Service \(service.name) has no EndpointSlice, Workload or clusterIP; requests for it are answered with 503"))
    }
  }

  /// gRPC needs HTTP/2; a service that says nothing of its protocol is taken to speak it.
  private mutating func checkProtocols(_ route: GRPCRoute) {
    for backend in route.rules.flatMap(\.backendRefs) {
      let message: String
      switch resources.resolve(backend.reference, from: GRPCRoute.kind, in: route.metadata.namespace) {
      case .service(let service, let port) where port.appProtocol != nil && !port.speaksHTTP2:
        message = "port \(port.port) of Service \(service.name) has appProtocol \(port.appProtocol ?? "")"
      case .weftService(let service) where service.traffic.protocol == .http1:
        message = "Service \(service.name) has protocol http1"
      case .service, .weftService, .unresolved: continue
      }
      diagnostics.append(backend.reference.origin.warning("\(message), and gRPC needs HTTP/2: calls will fail"))
    }
  }

  private mutating func check<Route: AttachableRoute>(
    _ reference: BackendReference, of route: Route, _ consequence: String
  ) {
    if case .unresolved(let reason, let message) = resources.resolve(
      reference, from: Route.kind, in: route.metadata.namespace), !exists(reference.kind, reference.name)
    {
      warn(reference.origin, "ResolvedRefs=False", reason, "\(message); \(consequence)")
    }
  }

  // MARK: Policies

  private mutating func check(_ policy: some Resource, _ targets: [BackendTLSPolicy.Target]) {
    for target in targets {
      let name = ResourceName(namespace: policy.metadata.namespace, name: target.name)
      let isFound =
        target.kind == KubernetesService.kind
        ? resources.services[name] != nil : target.kind == WeftService.kind && resources.weftServices[name] != nil
      if isFound || exists(target.kind, name) { continue }
      warn(target.origin, "Accepted=False", .targetNotFound, "no \(target.kind) \(name) for the policy to govern")
    }
  }

  private mutating func checkTargets(of policy: some ScopedPolicy) {
    for target in policy.targets {
      let name = ResourceName(namespace: policy.metadata.namespace, name: target.name)
      let isFound =
        switch target.kind {
        case Gateway.kind: resources.gateways[name] != nil
        case KubernetesService.kind: resources.services[name] != nil
        default: resources.weftServices[name] != nil
        }
      if isFound || exists(target.kind, name) { continue }
      warn(target.origin, "Accepted=False", .targetNotFound, "no \(target.kind) \(name) for the policy to govern")
    }
  }

  private mutating func check(_ policy: AuthorizationPolicy) {
    checkTargets(of: policy)
    if !resources.requestAuthentications.all.isEmpty { return }
    for rule in policy.rules {
      for clause in (rule.sources + rule.operations).joined() + rule.conditions where clause.attribute.isOfToken {
        diagnostics.append(
          clause.origin.warning(
            "no RequestAuthentication verifies tokens here, so a request has no such value: what needs one never holds, and what excludes one always does"
          ))
      }
    }
  }

  // MARK: Gateways

  private mutating func check(_ gateway: Gateway) {
    for listener in gateway.listeners {
      for reference in listener.tls?.certificateRefs ?? [] { check(reference, of: gateway) }
    }
  }

  private mutating func check(_ reference: ObjectReference, of gateway: Gateway) {
    guard reference.kind == Secret.kind else {
      warn(
        reference.origin, "ResolvedRefs=False", .invalidCertificateRef,
        "a \(reference.kind) holds no certificate; use a Secret")
      return
    }
    guard
      resources.isPermitted(reference.kind, reference.name, from: Gateway.kind, in: gateway.metadata.namespace)
    else {
      warn(
        reference.origin, "ResolvedRefs=False", .refNotPermitted,
        "no ReferenceGrant in namespace \"\(reference.name.namespace)\" lets this Gateway refer to it")
      return
    }
    guard !exists(reference.kind, reference.name) else { return }
    guard let secret = resources.secrets[reference.name] else {
      warn(
        reference.origin, "ResolvedRefs=False", .invalidCertificateRef,
        "no Secret named \"\(reference.name.name)\" in namespace \"\(reference.name.namespace)\"")
      return
    }
    for key in ["tls.crt", "tls.key"] where secret.data[key] == nil {
      warn(
        reference.origin, "ResolvedRefs=False", .invalidCertificateRef, "Secret \(secret.name) has no key \"\(key)\"")
    }
  }

  /// Listeners on one port must speak alike.
  private mutating func checkPorts() {
    for (name, other) in resources.conflictedListeners.sorted(by: { $0.key.description < $1.key.description }) {
      guard let listener = resources.listener(name) else { continue }
      warn(
        listener.origin, "Conflicted=True", .protocolConflict,
        "the listener is not accepted: \(other) has the same port and another protocol")
    }
  }
}
