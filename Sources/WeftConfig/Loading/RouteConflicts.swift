/// Where HTTPRoutes and GRPCRoutes get in each other's way. The Gateway API lets routes of one kind share a hostname, not
/// those of both: on a listener, the older route keeps the names that they have in common (then the first by
/// `namespace/name`), and the other one is not attached. For a Service's mesh traffic, GRPCRoutes come before HTTPRoutes.
struct RouteConflicts: Sendable {
  private struct Place: Hashable {
    let route: ResourceIdentifier
    let target: RouteAttachment.Target
  }

  private var winners: [Place: ResourceIdentifier] = [:]

  init() {}

  init(_ resources: ResourceSet) {
    if resources.httpRoutes.isEmpty || resources.grpcRoutes.isEmpty { return }
    var routes: [any AttachableRoute] = resources.httpRoutes.all
    routes += resources.grpcRoutes.all as [any AttachableRoute]
    routes.sort(by: RouteConflicts.precedes)
    var taken: [RouteAttachment.Target: [ResourceKind: TakenNames]] = [:]
    for route in routes {
      let identifier = RouteConflicts.identifier(route)
      for attachment in resources.attachments(of: route).attached {
        guard case .listener = attachment.target else { continue }
        let others = taken[attachment.target, default: [:]].filter { $0.key != identifier.kind }
        if let other = others.values.lazy.compactMap({ $0.owner(of: attachment.hostnames) }).first {
          winners[Place(route: identifier, target: attachment.target)] = other
        } else {
          taken[attachment.target, default: [:]][identifier.kind, default: TakenNames()]
            .add(attachment.hostnames, identifier)
        }
      }
    }
    rankMesh(routes, resources)
  }

  subscript(route: ResourceIdentifier, target: RouteAttachment.Target) -> ResourceIdentifier? {
    winners.isEmpty ? nil : winners[Place(route: route, target: target)]
  }

  /// One clause.
  static func why(_ winner: ResourceIdentifier, _ target: RouteAttachment.Target) -> String {
    switch target {
    case .listener(let name):
      "on listener \(name), \(winner) has a hostname that it wants too; an HTTPRoute and a GRPCRoute cannot share one"
    case .service: "\(winner) is attached to the same Service, and goes before HTTPRoutes"
    }
  }

  /// A GRPCRoute stands before HTTPRoutes of the same Service and port, whichever is older.
  private mutating func rankMesh(_ routes: [any AttachableRoute], _ resources: ResourceSet) {
    var grpc: [RouteAttachment.Target: ResourceIdentifier] = [:]
    for route in routes where type(of: route).kind == GRPCRoute.kind {
      for attachment in resources.attachments(of: route).attached {
        if case .service = attachment.target, grpc[attachment.target] == nil {
          grpc[attachment.target] = RouteConflicts.identifier(route)
        }
      }
    }
    if grpc.isEmpty { return }
    for route in routes where type(of: route).kind == HTTPRoute.kind {
      for attachment in resources.attachments(of: route).attached {
        guard case .service = attachment.target, let winner = grpc[attachment.target] else { continue }
        winners[Place(route: RouteConflicts.identifier(route), target: attachment.target)] = winner
      }
    }
  }

  private static func identifier(_ route: any AttachableRoute) -> ResourceIdentifier {
    ResourceIdentifier(type(of: route).kind, route.name)
  }

  /// The older first, then by name, then by kind. One without a time is younger than all that have one.
  private static func precedes(_ a: any AttachableRoute, _ b: any AttachableRoute) -> Bool {
    let (first, second) = (a.metadata.creationTimestamp ?? "~", b.metadata.creationTimestamp ?? "~")
    if first != second { return first < second }
    return a.name == b.name ? type(of: a).kind < type(of: b).kind : a.name < b.name
  }
}

/// Hostnames of a listener that routes of one kind have, each with the route that had it first.
private struct TakenNames {
  private var any: ResourceIdentifier?
  private var first: ResourceIdentifier?
  private var names: [String: ResourceIdentifier] = [:]
  /// Wildcards that cover one of the names.
  private var covering: [String: ResourceIdentifier] = [:]

  /// - Parameter hostnames: none: every name.
  mutating func add(_ hostnames: [String], _ route: ResourceIdentifier) {
    first = first ?? route
    if hostnames.isEmpty { any = any ?? route }
    for name in hostnames {
      names[name] = names[name] ?? route
      for wider in TakenNames.wildcards(above: name) { covering[wider] = covering[wider] ?? route }
    }
  }

  /// The route that has one of the names, or one that lies within a wildcard among them, or around a name.
  func owner(of hostnames: [String]) -> ResourceIdentifier? {
    if hostnames.isEmpty { return first }
    if let any { return any }
    for name in hostnames {
      if let owner = names[name] ?? covering[name] { return owner }
      for wider in TakenNames.wildcards(above: name) {
        if let owner = names[wider] { return owner }
      }
    }
    return nil
  }

  /// `*.b.c` and `*.c` of `a.b.c`; `*.c` of `*.b.c`.
  private static func wildcards(above name: String) -> [String] {
    var rest = name.hasPrefix("*.") ? name.dropFirst(2) : name[...]
    var found: [String] = []
    while let dot = rest.firstIndex(of: ".") {
      rest = rest[rest.index(after: dot)...]
      found.append("*.\(rest)")
    }
    return found
  }
}
