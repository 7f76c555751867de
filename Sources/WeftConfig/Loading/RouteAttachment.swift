/// A listener or service that a route is attached to.
public struct RouteAttachment: Sendable, Hashable {
  public enum Target: Sendable, Hashable {
    case listener(ListenerName)
    /// Mesh traffic for a service; every port when nil.
    case service(ResourceIdentifier, port: Int?)
  }

  public let target: Target
  /// The names for which the route answers there, wildcards included; empty: every name.
  public let hostnames: [String]
}

/// What identifies a listener.
public struct ListenerName: Sendable, Hashable, CustomStringConvertible {
  public let gateway: ResourceName
  public let listener: String

  public init(gateway: ResourceName, listener: String) {
    self.gateway = gateway
    self.listener = listener
  }

  public var description: String { "\(gateway)/\(listener)" }
}

/// A parent that does not take a route.
public struct RouteRejection: Sendable {
  public let parent: ParentReference
  public let reason: ConditionReason
  /// One clause.
  public let message: String
}

extension ResourceSet {
  /// Where `route` is attached, in the order of its parents and their listeners, and where not.
  public func attachments<Route: AttachableRoute>(of route: Route) -> (
    attached: [RouteAttachment], rejected: [RouteRejection]
  ) {
    var attached: [RouteAttachment] = []
    var rejected: [RouteRejection] = []
    for parent in route.parentRefs {
      switch attach(route, to: parent) {
      case .success(let more):
        var refusal: String?
        let identifier = ResourceIdentifier(Route.kind, route.name)
        let free = more.filter { attachment in
          let conflict = conflict(of: identifier, at: attachment.target)
          if let conflict { refusal = refusal ?? RouteConflicts.why(conflict, attachment.target) }
          return conflict == nil
        }
        if free.isEmpty, let refusal {
          rejected.append(RouteRejection(parent: parent, reason: .hostnameConflict, message: refusal))
        }
        attached += free.filter { !attached.contains($0) }
      case .failure(let refusal):
        rejected.append(RouteRejection(parent: parent, reason: refusal.reason, message: refusal.message))
      }
    }
    return (attached, rejected)
  }

  private struct Refusal: Error {
    let reason: ConditionReason
    let message: String
  }

  private func attach(_ route: some AttachableRoute, to parent: ParentReference) -> Result<[RouteAttachment], Refusal> {
    switch parent.kind {
    case Gateway.kind: return attachToGateway(route, parent)
    case KubernetesService.kind, WeftService.kind: return attachToService(route, parent)
    default:
      return .failure(Refusal(reason: .invalidKind, message: "a route cannot be attached to a \(parent.kind)"))
    }
  }

  private func attachToService(
    _ route: some AttachableRoute, _ parent: ParentReference
  ) -> Result<[RouteAttachment], Refusal> {
    let identifier = ResourceIdentifier(parent.kind, parent.name)
    let exists = parent.kind == WeftService.kind ? weftServices[parent.name] != nil : services[parent.name] != nil
    guard exists else {
      return .failure(Refusal(reason: .noMatchingParent, message: "no \(identifier)"))
    }
    return .success([RouteAttachment(target: .service(identifier, port: parent.port), hostnames: route.hostnames)])
  }

  private func attachToGateway(
    _ route: some AttachableRoute, _ parent: ParentReference
  ) -> Result<[RouteAttachment], Refusal> {
    guard let gateway = gateways[parent.name] else {
      let near = Suggestion.nearest(to: parent.name.name, among: names(gateways.all, in: parent.name.namespace))
      let advice = near.map { "; did you mean \"\($0)\"?" } ?? ""
      return .failure(
        Refusal(
          reason: .noMatchingParent,
          message: "no Gateway named \"\(parent.name.name)\" in namespace \"\(parent.name.namespace)\"\(advice)"))
    }
    let named = gateway.listeners.filter {
      (parent.sectionName == nil || $0.name == parent.sectionName) && (parent.port == nil || $0.port == parent.port)
    }
    guard !named.isEmpty else {
      let names = gateway.listeners.map { "\($0.name) (port \($0.port))" }.joined(separator: ", ")
      return .failure(
        Refusal(
          reason: .noMatchingParent,
          message: "Gateway \(gateway.name) has no such listener; it has \(names)"))
    }
    let allowing = named.filter { allows($0, of: gateway, route) }
    guard !allowing.isEmpty else {
      return .failure(
        Refusal(
          reason: .notAllowedByListeners,
          message:
            "no listener of Gateway \(gateway.name) takes a \(type(of: route).kind.kind) of namespace \"\(route.metadata.namespace)\""
        ))
    }
    let attached = allowing.compactMap { listener in
      Hostnames.intersection(listener: listener.hostname, route: route.hostnames).map { hostnames in
        RouteAttachment(
          target: .listener(ListenerName(gateway: gateway.name, listener: listener.name)), hostnames: hostnames)
      }
    }
    guard !attached.isEmpty else {
      let hostnames = allowing.compactMap(\.hostname).joined(separator: ", ")
      return .failure(
        Refusal(
          reason: .noMatchingListenerHostname,
          message: "none of the route's hostnames is among those of Gateway \(gateway.name): \(hostnames)"))
    }
    return .success(attached)
  }

  private func allows<Route: AttachableRoute>(_ listener: Listener, of gateway: Gateway, _ route: Route) -> Bool {
    guard listener.protocol.takes(Route.kind, mode: listener.tls?.mode) else { return false }
    let kinds = listener.allowedRoutes.kinds
    guard kinds.isEmpty || kinds.contains(Route.kind) else { return false }
    switch listener.allowedRoutes.namespaces {
    case .all: return true
    case .none: return false
    case .same: return route.metadata.namespace == gateway.metadata.namespace
    case .selected(let selector): return selector.selects(labels(ofNamespace: route.metadata.namespace))
    }
  }
}

extension Listener.TrafficProtocol {
  /// Whether routes of a kind may attach to listeners of this protocol.
  fileprivate func takes(_ kind: ResourceKind, mode: ListenerTLS.Mode?) -> Bool {
    switch self {
    case .http, .https: kind == HTTPRoute.kind || kind == GRPCRoute.kind
    case .tls: kind == TLSRoute.kind || kind == TCPRoute.kind && mode == .terminate
    case .tcp: kind == TCPRoute.kind
    case .udp: false
    }
  }
}
