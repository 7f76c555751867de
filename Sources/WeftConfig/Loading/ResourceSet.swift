/// Every resource of a configuration, valid each for itself. What they say of each other is asked with
/// `resolve(_:from:in:)` and `attachments(of:)`.
public struct ResourceSet: Sendable, Equatable {
  public internal(set) var gateways = ResourceTable<Gateway>()
  public internal(set) var gatewayClasses = ResourceTable<GatewayClass>()
  public internal(set) var httpRoutes = ResourceTable<HTTPRoute>()
  public internal(set) var grpcRoutes = ResourceTable<GRPCRoute>()
  public internal(set) var tcpRoutes = ResourceTable<TCPRoute>()
  public internal(set) var tlsRoutes = ResourceTable<TLSRoute>()
  public internal(set) var backendTLSPolicies = ResourceTable<BackendTLSPolicy>()
  public internal(set) var backendTrafficPolicies = ResourceTable<BackendTrafficPolicy>()
  public internal(set) var referenceGrants = ResourceTable<ReferenceGrant>()
  public internal(set) var services = ResourceTable<KubernetesService>()
  public internal(set) var endpointSlices = ResourceTable<EndpointSlice>()
  public internal(set) var secrets = ResourceTable<Secret>()
  public internal(set) var configMaps = ResourceTable<ConfigMap>()
  public internal(set) var namespaces = ResourceTable<Namespace>()
  public internal(set) var weftServices = ResourceTable<WeftService>()
  public internal(set) var workloads = ResourceTable<Workload>()
  public internal(set) var filters = ResourceTable<FilterResource>()
  public internal(set) var filterBundles = ResourceTable<FilterBundleResource>()
  public internal(set) var authorizationPolicies = ResourceTable<AuthorizationPolicy>()
  public internal(set) var peerAuthentications = ResourceTable<PeerAuthentication>()
  public internal(set) var requestAuthentications = ResourceTable<RequestAuthentication>()
  public internal(set) var proxies = ResourceTable<ProxyResource>()

  /// Resources that exist and could not be decoded: a reference to one is not reported a second time.
  var invalid: Set<ResourceIdentifier> = []
  private var slicesByService: [ResourceName: [Int]] = [:]
  private var workloadsByService: [ResourceName: [Int]] = [:]
  /// Where routes must not be attached, because one of the other kind is; see `RouteConflicts`.
  private var routeConflicts = RouteConflicts()

  public init() {}

  /// The settings of the process, if the configuration gives any.
  public var proxy: ProxyResource? { proxies.all.first }

  /// The EndpointSlices of a core Service.
  public func endpointSlices(of service: ResourceName) -> [EndpointSlice] {
    (slicesByService[service] ?? []).map { endpointSlices.all[$0] }
  }

  /// The workloads of a service, of either kind.
  public func workloads(of service: ResourceName) -> [Workload] {
    (workloadsByService[service] ?? []).map { workloads.all[$0] }
  }

  /// The labels of a namespace, with the one that Kubernetes gives each.
  public func labels(ofNamespace namespace: String) -> [String: String] {
    var labels = namespaces[ResourceName(namespace: "", name: namespace)]?.metadata.labels ?? [:]
    labels["kubernetes.io/metadata.name"] = namespace
    return labels
  }

  mutating func indexSlices() {
    slicesByService = [:]
    for (position, slice) in endpointSlices.all.enumerated() {
      guard let service = slice.serviceName else { continue }
      let name = ResourceName(namespace: slice.metadata.namespace, name: service)
      slicesByService[name, default: []].append(position)
    }
  }

  mutating func indexWorkloads() {
    workloadsByService = [:]
    for (position, workload) in workloads.all.enumerated() {
      let name = ResourceName(namespace: workload.metadata.namespace, name: workload.service)
      workloadsByService[name, default: []].append(position)
    }
  }

  /// The route of the other kind that keeps `route` away from `target`.
  func conflict(of route: ResourceIdentifier, at target: RouteAttachment.Target) -> ResourceIdentifier? {
    routeConflicts[route, target]
  }

  mutating func indexRouteConflicts() {
    routeConflicts = RouteConflicts()
    routeConflicts = RouteConflicts(self)
  }

  public static func == (left: ResourceSet, right: ResourceSet) -> Bool {
    left.gateways == right.gateways && left.httpRoutes == right.httpRoutes
      && left.grpcRoutes == right.grpcRoutes
      && left.tcpRoutes == right.tcpRoutes && left.tlsRoutes == right.tlsRoutes
      && left.backendTLSPolicies == right.backendTLSPolicies
      && left.backendTrafficPolicies == right.backendTrafficPolicies && left.referenceGrants == right.referenceGrants
      && left.services == right.services
      && left.endpointSlices == right.endpointSlices && left.secrets == right.secrets
      && left.configMaps == right.configMaps && left.namespaces == right.namespaces
      && left.authorizationPolicies == right.authorizationPolicies
      && left.peerAuthentications == right.peerAuthentications
      && left.requestAuthentications == right.requestAuthentications
      && left.weftServices == right.weftServices && left.workloads == right.workloads && left.filters == right.filters
      && left.filterBundles == right.filterBundles && left.proxies == right.proxies
  }
}

/// What identifies a resource among all.
public struct ResourceIdentifier: Sendable, Hashable, CustomStringConvertible {
  public let kind: ResourceKind
  public let name: ResourceName

  public init(_ kind: ResourceKind, _ name: ResourceName) {
    self.kind = kind
    self.name = name
  }

  public var description: String { "\(kind) \(name)" }
}
