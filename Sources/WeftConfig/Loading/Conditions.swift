/// A condition of the Gateway API, as its controller would write it into a resource's status.
public struct ResourceCondition: Sendable, Hashable {
  public enum ConditionType: String, Sendable {
    case accepted = "Accepted"
    case resolvedRefs = "ResolvedRefs"
    case conflicted = "Conflicted"
  }

  /// Whose condition it is.
  public let resource: ResourceIdentifier
  /// A route's parent, or a Gateway's listener.
  public let about: String
  public let type: ConditionType
  public let status: Bool
  /// One of the specification's reasons.
  public let reason: String
  /// Empty when there is nothing to explain.
  public let message: String
}

/// A reference of a route's that leads nowhere, or nowhere permitted.
struct UnresolvedReference {
  let reference: BackendReference
  let reason: ConditionReason
  /// One clause: why.
  let message: String
  /// One clause: what happens to requests.
  let consequence: String
}

extension ResourceSet {
  /// The conditions of all routes, for each of their parents, and of all Gateways, for each of their listeners.
  public var conditions: [ResourceCondition] {
    httpRoutes.all.flatMap { conditions(of: $0) } + grpcRoutes.all.flatMap { conditions(of: $0) }
      + gateways.all.flatMap(conditions(of:))
  }

  /// The backends of `route`, mirrors among them, that do not resolve.
  func unresolved<Route: RequestRoute>(of route: Route) -> [UnresolvedReference] {
    var found: [UnresolvedReference] = []
    func add(_ reference: BackendReference, _ consequence: String) {
      guard
        case .unresolved(let reason, let message) = resolve(
          reference, from: Route.kind, in: route.metadata.namespace)
      else { return }
      found.append(
        UnresolvedReference(reference: reference, reason: reason, message: message, consequence: consequence))
    }
    func add(_ filters: [HTTPRouteFilter]) {
      for filter in filters {
        if case .requestMirror(let mirror) = filter.action { add(mirror.backendRef, "nothing is mirrored") }
      }
    }
    let answer = Route.kind == GRPCRoute.kind ? "gRPC status UNAVAILABLE" : "500"
    for rule in route.rules {
      add(rule.filters)
      for backend in rule.backendRefs {
        add(backend.reference, "requests for it are answered with \(answer)")
        add(backend.filters)
      }
    }
    return found
  }

  private func conditions<Route: RequestRoute>(of route: Route) -> [ResourceCondition] {
    let resource = ResourceIdentifier(Route.kind, route.name)
    let rejected = attachments(of: route).rejected
    let unresolved = unresolved(of: route)
    let first = unresolved.first
    return route.parentRefs.flatMap { parent in
      let about = ResourceSet.text(parent)
      let refusal = rejected.first { $0.parent == parent }
      return [
        ResourceCondition(
          resource: resource, about: about, type: .accepted, status: refusal == nil,
          reason: refusal?.reason.rawValue ?? "Accepted", message: refusal?.message ?? ""),
        ResourceCondition(
          resource: resource, about: about, type: .resolvedRefs, status: first == nil,
          reason: first?.reason.rawValue ?? "ResolvedRefs",
          message: unresolved.map(\.message).joined(separator: "; ")),
      ]
    }
  }

  private func conditions(of gateway: Gateway) -> [ResourceCondition] {
    let resource = ResourceIdentifier(Gateway.kind, gateway.name)
    let conflicted = conflictedListeners
    return gateway.listeners.flatMap { listener in
      let other = conflicted[ListenerName(gateway: gateway.name, listener: listener.name)]
      let conflict = other.map { "\($0) has the same port and another protocol" } ?? ""
      return [
        ResourceCondition(
          resource: resource, about: "listener \(listener.name)", type: .accepted, status: other == nil,
          reason: other == nil ? "Accepted" : ConditionReason.protocolConflict.rawValue, message: conflict),
        ResourceCondition(
          resource: resource, about: "listener \(listener.name)", type: .conflicted, status: other != nil,
          reason: other == nil ? "NoConflicts" : ConditionReason.protocolConflict.rawValue, message: conflict),
      ]
    }
  }

  private static func text(_ parent: ParentReference) -> String {
    "\(ResourceIdentifier(parent.kind, parent.name))" + (parent.sectionName.map { ", section \($0)" } ?? "")
      + (parent.port.map { ", port \($0)" } ?? "")
  }
}
