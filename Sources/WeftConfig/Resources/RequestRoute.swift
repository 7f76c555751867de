/// A route for requests: HTTPRoute or GRPCRoute. The two differ in their matches; filters and backends are alike.
public protocol RequestRoute: AttachableRoute {
  associatedtype Rule: RequestRule
  var rules: [Rule] { get }
}

/// A rule of a route for requests: filters and backends that belong together.
public protocol RequestRule: Sendable, Hashable {
  var name: String? { get }
  var filters: [HTTPRouteFilter] { get }
  var backendRefs: [HTTPRoute.Backend] { get }
  var timeouts: HTTPRoute.Timeouts { get }
  var retry: HTTPRoute.Retry? { get }
  var sessionPersistence: HTTPRoute.SessionPersistence? { get }
  var origin: Origin { get }
}

extension HTTPRoute: RequestRoute {}
extension HTTPRoute.Rule: RequestRule {}

extension RequestRoute {
  /// Rules must have names of their own.
  static func checkNames(_ rules: [Rule], _ spec: ObjectReader) {
    var names: Set<String> = []
    for rule in rules {
      if let name = rule.name, !names.insert(name).inserted {
        spec.report(rule.origin.error("another rule of this route is named \"\(name)\" as well"))
      }
    }
  }
}

extension ParentReference {
  /// The `parentRefs` of a route for requests.
  static func list(_ spec: ObjectReader, namespace: String) -> [ParentReference] {
    let parents = spec.objects("parentRefs", count: Bounds.parents) { ParentReference($0, namespace: namespace) }
    checkDistinct(parents, spec)
    return parents
  }

  /// References to the same parent must each name a different section or port, and all in the same manner.
  private static func checkDistinct(_ parents: [ParentReference], _ spec: ObjectReader) {
    struct Target: Hashable {
      let kind: ResourceKind
      let name: ResourceName
    }
    struct Section: Hashable {
      let target: Target
      let name: String?
      let port: Int?
    }
    var first: [Target: ParentReference] = [:]
    var sections: Set<Section> = []
    for parent in parents {
      let target = Target(kind: parent.kind, name: parent.name)
      let section = Section(target: target, name: parent.sectionName, port: parent.port)
      if !sections.insert(section).inserted {
        spec.report(
          parent.origin.error("refers to the same parent as another entry; remove it, or name another sectionName"))
      } else if let other = first[target],
        (other.sectionName == nil) != (parent.sectionName == nil) || (other.port == nil) != (parent.port == nil)
      {
        spec.report(
          parent.origin.error(
            "refers to the same parent as another entry; give every one of them a sectionName or port"))
      }
      first[target] = first[target] ?? parent
    }
  }
}
