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
    parentRefs = ParentReference.list(spec, namespace: metadata.namespace)
    hostnames = spec.strings("hostnames", count: Bounds.hostnames, .wildcardHostname)
    if spec.has("rules") {
      rules = spec.objects("rules", count: Bounds.rules) { Rule($0, namespace: metadata.namespace) }
    } else {
      rules = [Rule(origin: Origin(spec.node))]
    }
    spec.ignore("useDefaultGateways")
    HTTPRoute.checkNames(rules, spec)
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
  /// - Parameter filterTypes: those that the kind of route has.
  init(
    _ reader: ObjectReader, namespace: String,
    filterTypes: [HTTPRouteFilter.ActionType] = HTTPRouteFilter.ActionType.allCases
  ) {
    reference = BackendReference(reader, namespace: namespace)
    weight = reader.int("weight", in: Bounds.weight, default: 1)
    filters = HTTPRouteFilter.list(reader, namespace: namespace, types: filterTypes)
  }
}
