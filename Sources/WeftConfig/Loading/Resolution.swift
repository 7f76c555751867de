/// Why a reference of a route does not hold: the reasons that the Gateway API names for its conditions.
public enum ConditionReason: String, Sendable, Hashable {
  // Of ResolvedRefs.
  case backendNotFound = "BackendNotFound"
  case refNotPermitted = "RefNotPermitted"
  case invalidKind = "InvalidKind"
  case unsupportedProtocol = "UnsupportedProtocol"
  case invalidCertificateRef = "InvalidCertificateRef"
  // Of Accepted.
  case noMatchingParent = "NoMatchingParent"
  case notAllowedByListeners = "NotAllowedByListeners"
  case noMatchingListenerHostname = "NoMatchingListenerHostname"
  /// Not of the specification, which asks for the condition and names no reason.
  case hostnameConflict = "HostnameConflict"
  case targetNotFound = "TargetNotFound"
  // Of Conflicted.
  case protocolConflict = "ProtocolConflict"
}

/// What a reference to a backend leads to.
public enum BackendResolution: Sendable {
  case service(KubernetesService, KubernetesService.Port)
  case weftService(WeftService)
  /// Requests for it are answered with 500. The text says why, as one clause.
  case unresolved(ConditionReason, String)
}

extension ResourceSet {
  /// What `reference` leads to when a resource `source` of `namespace` holds it.
  public func resolve(
    _ reference: BackendReference, from source: ResourceKind, in namespace: String
  ) -> BackendResolution {
    guard reference.kind == KubernetesService.kind || reference.kind == WeftService.kind else {
      return .unresolved(.invalidKind, "a \(reference.kind) is no backend; use a Service")
    }
    guard isPermitted(reference.kind, reference.name, from: source, in: namespace) else {
      return .unresolved(
        .refNotPermitted,
        "no ReferenceGrant in namespace \"\(reference.name.namespace)\" lets a \(source.kind) of \"\(namespace)\" refer to it"
      )
    }
    return reference.kind == WeftService.kind ? weftService(reference) : service(reference)
  }

  /// Whether a resource `source` of `namespace` may refer to `name`: within a namespace always, otherwise by a grant.
  public func isPermitted(
    _ kind: ResourceKind, _ name: ResourceName, from source: ResourceKind, in namespace: String
  ) -> Bool {
    name.namespace == namespace
      || referenceGrants.all.contains {
        $0.metadata.namespace == name.namespace && $0.permits(source, in: namespace, kind, named: name.name)
      }
  }

  private func weftService(_ reference: BackendReference) -> BackendResolution {
    if let service = weftServices[reference.name] { return .weftService(service) }
    let advice = Suggestion.nearest(
      to: reference.name.name, among: names(weftServices.all, in: reference.name.namespace))
    let hint =
      services[reference.name] != nil
      ? "; there is a core Service of that name: remove \"group: weft.dev\"" : didYouMean(advice)
    return .unresolved(.backendNotFound, "no \(place(reference, "weft.dev Service"))\(hint)")
  }

  private func service(_ reference: BackendReference) -> BackendResolution {
    guard let service = services[reference.name] else {
      let advice = Suggestion.nearest(to: reference.name.name, among: names(services.all, in: reference.name.namespace))
      let hint =
        weftServices[reference.name] != nil
        ? "; there is a weft.dev Service of that name: add \"group: weft.dev\"" : didYouMean(advice)
      return .unresolved(.backendNotFound, "no \(place(reference, "Service"))\(hint)")
    }
    guard let port = service.ports.first(where: { $0.port == reference.port && $0.isTCP }) else {
      if service.ports.contains(where: { $0.port == reference.port }) {
        return .unresolved(.unsupportedProtocol, "port \(reference.port ?? 0) of \(service.name) is not TCP")
      }
      let ports = service.ports.map { String($0.port) }.joined(separator: ", ")
      return .unresolved(
        .backendNotFound,
        "Service \(service.name) has no port \(reference.port ?? 0); it has \(ports.isEmpty ? "none" : ports)")
    }
    return .service(service, port)
  }

  private func place(_ reference: BackendReference, _ kind: String) -> String {
    "\(kind) named \"\(reference.name.name)\" in namespace \"\(reference.name.namespace)\""
  }

  private func didYouMean(_ name: String?) -> String { name.map { "; did you mean \"\($0)\"?" } ?? "" }

  func names<R: Resource>(_ resources: [R], in namespace: String) -> [String] {
    resources.lazy.filter { $0.metadata.namespace == namespace }.map(\.metadata.name)
  }
}
