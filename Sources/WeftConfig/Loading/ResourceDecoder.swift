/// Turns documents into resources.
struct ResourceDecoder {
  private(set) var resources = ResourceSet()
  private(set) var diagnostics = DiagnosticList(limit: 10_000)

  private typealias Decode = @Sendable (inout ResourceDecoder, ObjectReader) -> Void

  private struct Kind: Sendable {
    let versions: [String]
    let isNamespaced: Bool
    let decode: Decode

    init<R: Resource>(_ type: R.Type, _ table: @escaping @Sendable (inout ResourceSet, R) -> R?) {
      versions = R.versions
      isNamespaced = R.isNamespaced
      decode = { decoder, reader in decoder.decode(R.self, reader, table) }
    }
  }

  private static let kinds: [ResourceKind: Kind] = [
    Gateway.kind: Kind(Gateway.self) { $0.gateways.add($1) },
    GatewayClass.kind: Kind(GatewayClass.self) { $0.gatewayClasses.add($1) },
    HTTPRoute.kind: Kind(HTTPRoute.self) { $0.httpRoutes.add($1) },
    GRPCRoute.kind: Kind(GRPCRoute.self) { $0.grpcRoutes.add($1) },
    TCPRoute.kind: Kind(TCPRoute.self) { $0.tcpRoutes.add($1) },
    TLSRoute.kind: Kind(TLSRoute.self) { $0.tlsRoutes.add($1) },
    BackendTLSPolicy.kind: Kind(BackendTLSPolicy.self) { $0.backendTLSPolicies.add($1) },
    BackendTrafficPolicy.kind: Kind(BackendTrafficPolicy.self) { $0.backendTrafficPolicies.add($1) },
    ReferenceGrant.kind: Kind(ReferenceGrant.self) { $0.referenceGrants.add($1) },
    KubernetesService.kind: Kind(KubernetesService.self) { $0.services.add($1) },
    EndpointSlice.kind: Kind(EndpointSlice.self) { $0.endpointSlices.add($1) },
    Secret.kind: Kind(Secret.self) { $0.secrets.add($1) },
    ConfigMap.kind: Kind(ConfigMap.self) { $0.configMaps.add($1) },
    Namespace.kind: Kind(Namespace.self) { $0.namespaces.add($1) },
    WeftService.kind: Kind(WeftService.self) { $0.weftServices.add($1) },
    Workload.kind: Kind(Workload.self) { $0.workloads.add($1) },
    AuthorizationPolicy.kind: Kind(AuthorizationPolicy.self) { $0.authorizationPolicies.add($1) },
    AuthorizationPolicy.alias: Kind(AuthorizationPolicy.self) { $0.authorizationPolicies.add($1) },
    PeerAuthentication.kind: Kind(PeerAuthentication.self) { $0.peerAuthentications.add($1) },
    PeerAuthentication.alias: Kind(PeerAuthentication.self) { $0.peerAuthentications.add($1) },
    RequestAuthentication.kind: Kind(RequestAuthentication.self) { $0.requestAuthentications.add($1) },
    RequestAuthentication.alias: Kind(RequestAuthentication.self) { $0.requestAuthentications.add($1) },
    FilterResource.kind: Kind(FilterResource.self) { $0.filters.add($1) },
    FilterBundleResource.kind: Kind(FilterBundleResource.self) { $0.filterBundles.add($1) },
    ProxyResource.kind: Kind(ProxyResource.self) { set, proxy in
      set.proxies.all.first ?? set.proxies.add(proxy)
    },
  ]

  static var knownKinds: [KnownKinds.Entry] {
    kinds.map { KnownKinds.Entry(kind: $0.key, versions: $0.value.versions, isNamespaced: $0.value.isNamespaced) }
      .sorted { $0.kind < $1.kind }
  }

  /// Kinds of the groups above that exist and are not read.
  private static let skipped: Set<String> = [
    "UDPRoute", "ListenerSet", "Pod", "Endpoints", "Node",
    "Event", "Binding", "ServiceAccount", "PodTemplate", "LimitRange", "ResourceQuota", "ReplicationController",
  ]

  mutating func add(_ documents: ConfigDocuments) {
    diagnostics.append(contentsOf: documents.diagnostics)
    for root in documents.roots { add(root) }
  }

  mutating func finish() {
    resources.indexSlices()
    resources.indexWorkloads()
    resources.indexRouteConflicts()
  }

  mutating func add(_ node: ConfigNode) {
    guard !diagnostics.isFull else {
      diagnostics.append(node.error("is not checked"))
      return
    }
    guard node.kind == .mapping else {
      diagnostics.append(node.error("expected a resource with apiVersion, kind and metadata, not \(node.shown)"))
      return
    }
    guard let kind = nameOfType(node, "kind", example: "HTTPRoute"),
      let apiVersion = nameOfType(node, "apiVersion", example: "gateway.networking.k8s.io/v1")
    else { return }
    if kind.hasSuffix("List"), let items = node["items"], items.kind == .sequence {
      for item in items.items { add(item) }
      return
    }
    let parts = apiVersion.split(separator: "/", maxSplits: 1).map(String.init)
    let (group, version) = parts.count == 2 ? (parts[0], parts[1]) : ("", apiVersion)
    let resourceKind = ResourceKind(group: group, kind: kind)
    guard let entry = ResourceDecoder.kinds[resourceKind] else {
      diagnostics.append(ResourceDecoder.unknown(resourceKind, apiVersion, node))
      return
    }
    guard entry.versions.contains(version) else {
      let known = group.isEmpty ? entry.versions[0] : "\(group)/\(entry.versions[0])"
      let origin = node["apiVersion"] ?? node
      diagnostics.append(origin.error("version \"\(version)\" of \(kind) is not known; use \(known)"))
      return
    }
    entry.decode(&self, ObjectReader(node, findings: ObjectReader.Findings(), isMuted: false))
  }

  /// The text of `apiVersion` or `kind`, or nil after reporting that it is missing.
  private mutating func nameOfType(_ node: ConfigNode, _ field: String, example: String) -> String? {
    guard let value = node[field], value.kind != .null else {
      let path = node.path.appending(field)
      diagnostics.append(
        Diagnostic(at: node.location, path: path, "is missing; a resource begins with one such as \"\(example)\""))
      return nil
    }
    do {
      return try value.string(.length(1...317))
    } catch {
      diagnostics.append(error)
      return nil
    }
  }

  private mutating func decode<R: Resource>(
    _ type: R.Type, _ reader: ObjectReader, _ add: (inout ResourceSet, R) -> R?
  ) {
    reader.ignore("apiVersion", "kind", "status")
    let metadata = ResourceMetadata(reader.object("metadata"), isNamespaced: R.isNamespaced)
    let resource = R(reader, metadata: metadata)
    do {
      diagnostics.append(contentsOf: try reader.finish())
    } catch {
      diagnostics.append(contentsOf: error.diagnostics)
      resources.invalid.insert(ResourceIdentifier(R.kind, resource.name))
      return
    }
    guard let first = add(&resources, resource) else { return }
    let place = SourceLocationText.text(first.origin.location, from: resource.origin.location)
    let message =
      first.name == resource.name
      ? "\(R.kind) \(resource.name) is defined twice, first at \(place); rename or remove one"
      : "only one \(R.kind) may exist, and \(first.name) is defined at \(place); merge the two"
    diagnostics.append(
      Diagnostic(
        at: reader.node["metadata"]?.location ?? reader.node.location, path: FieldPath.root.appending("metadata"),
        message))
  }

  private static func unknown(_ kind: ResourceKind, _ apiVersion: String, _ node: ConfigNode) -> Diagnostic {
    let value = node["kind"] ?? node
    let shown = "kind \"\(kind.kind.prefix(80))\" of \(apiVersion.prefix(80))"
    let siblings = kinds.keys.filter { $0.group == kind.group }.map(\.kind).sorted()
    if kind.group == ResourceKind.weft {
      if let other = kinds.first(where: { $0.key.kind == kind.kind }) {
        return value.error(
          "\(shown) is not known; \(kind.kind) is of apiVersion \(other.key.group)/\(other.value.versions[0])")
      }
      let advice = Suggestion.advice(for: kind.kind, among: siblings, listing: "known are")
      return value.error("\(shown) is not known\(advice)")
    }
    if !skipped.contains(kind.kind), let near = Suggestion.nearest(to: kind.kind, among: siblings) {
      return value.error("\(shown) is not known; did you mean \"\(near)\"?")
    }
    return Diagnostic(.warning, at: value.location, path: value.path, "\(shown) is not one that Weft reads; skipped")
  }
}

/// How a message names another place.
enum SourceLocationText {
  static func text(_ location: SourceLocation, from here: SourceLocation) -> String {
    location.file == here.file && location.line > 0 ? "line \(location.line)" : "\(location)"
  }
}
