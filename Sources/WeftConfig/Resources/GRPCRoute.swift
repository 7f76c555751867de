/// `gateway.networking.k8s.io/v1 GRPCRoute`: which gRPC calls go where, and through which filters.
public struct GRPCRoute: RequestRoute {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "GRPCRoute")
  public static let versions = ["v1", "v1alpha2"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let parentRefs: [ParentReference]
  /// Lower-case DNS names; the first label may be `*`. None: every host that the listener takes.
  public let hostnames: [String]
  /// Without any, the route takes no calls.
  public let rules: [Rule]

  /// Matches, filters and backends that belong together.
  public struct Rule: RequestRule {
    public let name: String?
    /// A call needs to satisfy one of them. Never empty: a rule without matches takes every call.
    public let matches: [GRPCRouteMatch]
    public let filters: [HTTPRouteFilter]
    public let backendRefs: [HTTPRoute.Backend]
    public let sessionPersistence: HTTPRoute.SessionPersistence?
    public let origin: Origin

    public var timeouts: HTTPRoute.Timeouts { HTTPRoute.Timeouts() }
    public var retry: HTTPRoute.Retry? { nil }
  }

  /// The filters that a rule or backend may have.
  static let filterTypes: [HTTPRouteFilter.ActionType] = [
    .requestHeaderModifier, .responseHeaderModifier, .requestMirror, .extensionRef,
  ]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    parentRefs = ParentReference.list(spec, namespace: metadata.namespace)
    hostnames = spec.strings("hostnames", count: Bounds.hostnames, .wildcardHostname)
    rules = spec.objects("rules", count: 0...Bounds.rules.upperBound) { Rule($0, namespace: metadata.namespace) }
    spec.ignore("useDefaultGateways")
    GRPCRoute.checkNames(rules, spec)
    if rules.isEmpty { spec.warn(nil, "has no rules, so the route takes no calls") }
  }
}

extension GRPCRoute.Rule {
  init(_ reader: ObjectReader, namespace: String) {
    name = reader.optionalString("name", .dnsSubdomain)
    let matches = reader.objects("matches", count: Bounds.matches, GRPCRouteMatch.init)
    self.matches = matches.isEmpty ? [.everything] : matches
    filters = HTTPRouteFilter.list(reader, namespace: namespace, types: GRPCRoute.filterTypes)
    backendRefs = reader.objects("backendRefs", count: Bounds.backends) {
      HTTPRoute.Backend($0, namespace: namespace, filterTypes: GRPCRoute.filterTypes)
    }
    sessionPersistence = reader.optionalObject("sessionPersistence", HTTPRoute.SessionPersistence.init)
    origin = Origin(reader.node)
  }
}

/// What a gRPC call must be like: every given condition holds.
public struct GRPCRouteMatch: Sendable, Hashable {
  public struct Method: Sendable, Hashable {
    public enum MatchType: String, Sendable, Hashable, CaseIterable {
      case exact = "Exact"
      case regularExpression = "RegularExpression"
    }

    public let type: MatchType
    /// With its package, such as `helloworld.Greeter`; nil: any. One of service and method is given.
    public let service: String?
    /// nil: any.
    public let method: String?
  }

  /// nil: any.
  public let method: Method?
  /// Each with a name of its own, whatever the case of its letters.
  public let headers: [HTTPRouteMatch.Field]
  public let origin: Origin

  /// The match of a rule that gives none.
  static let everything = GRPCRouteMatch(method: nil, headers: [], origin: Origin(SourceLocation(file: "")))
}

extension GRPCRouteMatch {
  init(_ reader: ObjectReader) {
    method = reader.optionalObject("method", Method.init)
    let headers = reader.objects("headers", count: Bounds.conditions) { HTTPRouteMatch.Field($0, valueLength: 4096) }
    self.headers = DistinctNames.keepFirst(headers, by: \.name, in: "headers", reader, ignoringCase: true)
    origin = Origin(reader.node)
  }
}

extension GRPCRouteMatch.Method {
  init(_ reader: ObjectReader) {
    type = reader.enumeration("type", default: .exact)
    let service: String?
    let method: String?
    switch type {
    case .exact:
      service = reader.optionalString("service", .length(0...1024), .grpcService)
      method = reader.optionalString("method", .length(0...1024), .grpcMethod)
    case .regularExpression:
      service = reader.optionalString("service", .length(0...1024), .regularExpression)
      method = reader.optionalString("method", .length(0...1024), .regularExpression)
    }
    // An empty one is as good as none.
    let hasNoService = service?.isEmpty ?? !reader.has("service")
    let hasNoMethod = method?.isEmpty ?? !reader.has("method")
    if hasNoService && hasNoMethod {
      reader.error(nil, "names neither a service nor a method; give one, or remove \"method\" to match every call")
    }
    self.service = hasNoService ? nil : service
    self.method = hasNoMethod ? nil : method
  }
}

extension StringRule {
  /// A service's name in the Protocol Buffers language, its package before it.
  static let grpcService = StringRule(
    "a gRPC service is named like helloworld.Greeter: letters, digits and \"_\" between dots",
    { text in
      let name = text.hasPrefix(".") ? text.dropFirst() : text[...]
      return text.isEmpty
        || name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(StringRule.isProtobufIdentifier)
    })

  /// A method's name in the Protocol Buffers language.
  static let grpcMethod = StringRule(
    "a gRPC method is named like SayHello: letters, digits and \"_\"",
    { $0.isEmpty || StringRule.isProtobufIdentifier($0[...]) })

  private static func isProtobufIdentifier(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return text.utf8.allSatisfy { byte in
      (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "_")
    }
  }
}
