/// `gateway.networking.k8s.io/v1 HTTPRoute`: which requests go where, and through which filters.
public struct HTTPRoute: Resource {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "HTTPRoute")
  public static let versions = ["v1", "v1beta1"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let parentRefs: [ParentReference]
  /// Lower-case DNS names; the first label may be `*`. None: every host that the listener takes.
  public let hostnames: [String]
  /// Never empty: a route without rules has one that matches everything and has no backend.
  public let rules: [Rule]

  /// Matches, filters and backends that belong together.
  public struct Rule: Sendable, Hashable {
    public let name: String?
    /// A request needs to satisfy one of them. Never empty: a rule without matches takes every request.
    public let matches: [HTTPRouteMatch]
    public let filters: [HTTPRouteFilter]
    public let backendRefs: [Backend]
    public let timeouts: Timeouts
    public let retry: Retry?
    public let sessionPersistence: SessionPersistence?
    public let origin: Origin
  }

  /// A backend with its share of the rule's requests.
  public struct Backend: Sendable, Hashable {
    public let reference: BackendReference
    /// In proportion to the sum over the rule; 0 takes no requests.
    public let weight: Int
    /// Run after the rule's own, for requests to this backend only.
    public let filters: [HTTPRouteFilter]
  }

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    parentRefs = spec.objects("parentRefs", count: Bounds.parents) {
      ParentReference($0, namespace: metadata.namespace)
    }
    hostnames = spec.strings("hostnames", count: Bounds.hostnames, .wildcardHostname)
    if spec.has("rules") {
      rules = spec.objects("rules", count: Bounds.rules) { Rule($0, namespace: metadata.namespace) }
    } else {
      rules = [Rule(origin: Origin(spec.node))]
    }
    spec.ignore("useDefaultGateways")
    HTTPRoute.checkDistinct(parentRefs, spec)
    HTTPRoute.checkNames(rules, spec)
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

  private static func checkNames(_ rules: [Rule], _ spec: ObjectReader) {
    var names: Set<String> = []
    for rule in rules {
      if let name = rule.name, !names.insert(name).inserted {
        spec.report(rule.origin.error("another rule of this route is named \"\(name)\" as well"))
      }
    }
  }
}

extension HTTPRoute.Rule {
  /// The rule that a route without rules has.
  init(origin: Origin) {
    self.init(
      name: nil, matches: [.everything], filters: [], backendRefs: [], timeouts: HTTPRoute.Timeouts(), retry: nil,
      sessionPersistence: nil, origin: origin)
  }

  init(_ reader: ObjectReader, namespace: String) {
    name = reader.optionalString("name", .dnsSubdomain)
    let matches = reader.objects("matches", count: Bounds.matches, HTTPRouteMatch.init)
    self.matches = matches.isEmpty ? [.everything] : matches
    filters = HTTPRouteFilter.list(reader, namespace: namespace)
    backendRefs = reader.objects("backendRefs", count: Bounds.backends) {
      HTTPRoute.Backend($0, namespace: namespace)
    }
    timeouts = reader.optionalObject("timeouts", HTTPRoute.Timeouts.init) ?? HTTPRoute.Timeouts()
    retry = reader.optionalObject("retry", HTTPRoute.Retry.init)
    sessionPersistence = reader.optionalObject("sessionPersistence", HTTPRoute.SessionPersistence.init)
    origin = Origin(reader.node)
    checkPrefixReplacement(reader)
    if !backendRefs.isEmpty, let redirect = filters.first(where: \.action.isRedirect) {
      reader.report(redirect.origin.error("a rule with a RequestRedirect must have no backendRefs; remove either"))
    }
  }

  /// What a prefix is replaced in must be one known prefix.
  private func checkPrefixReplacement(_ reader: ObjectReader) {
    if matches.count == 1, matches[0].path.type == .pathPrefix { return }
    for filter in filters + backendRefs.flatMap(\.filters) where filter.action.replacesPrefix {
      reader.report(
        filter.origin.error("ReplacePrefixMatch needs a rule with exactly one match, whose path is a PathPrefix"))
    }
  }
}

extension HTTPRoute.Backend {
  init(_ reader: ObjectReader, namespace: String) {
    reference = BackendReference(reader, namespace: namespace)
    weight = reader.int("weight", in: Bounds.weight, default: 1)
    filters = HTTPRouteFilter.list(reader, namespace: namespace)
  }
}
