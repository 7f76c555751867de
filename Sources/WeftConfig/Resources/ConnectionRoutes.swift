/// A route that attaches to listeners: what attachment asks of it.
public protocol AttachableRoute: Resource {
  var parentRefs: [ParentReference] { get }
  /// Lower-case DNS names, perhaps with a wildcard; none: every host that the listener takes.
  var hostnames: [String] { get }
}

/// A rule that sends whole connections on.
public struct ConnectionRule: Sendable, Hashable {
  /// A backend with its share of the connections.
  public struct Backend: Sendable, Hashable {
    public let reference: BackendReference
    /// In proportion to the sum over the rule; 0 takes none.
    public let weight: Int
  }

  public let name: String?
  public let backendRefs: [Backend]
  public let origin: Origin

  init(_ reader: ObjectReader, namespace: String) {
    name = reader.optionalString("name", .dnsSubdomain)
    backendRefs = reader.objects("backendRefs", count: 1...Bounds.backends.upperBound) { reader in
      Backend(
        reference: BackendReference(reader, namespace: namespace),
        weight: reader.int("weight", in: Bounds.weight, default: 1))
    }
    origin = Origin(reader.node)
  }
}

/// `gateway.networking.k8s.io/v1alpha2 TCPRoute`: where the connections of a TCP listener go.
public struct TCPRoute: AttachableRoute {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "TCPRoute")
  public static let versions = ["v1alpha2"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let parentRefs: [ParentReference]
  public var hostnames: [String] { [] }
  public let rules: [ConnectionRule]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    parentRefs = spec.objects("parentRefs", count: Bounds.parents) {
      ParentReference($0, namespace: metadata.namespace)
    }
    rules = spec.objects("rules", count: 1...1) { ConnectionRule($0, namespace: metadata.namespace) }
    spec.ignore("useDefaultGateways")
  }
}

/// `gateway.networking.k8s.io/v1 TLSRoute`: where the connections of a TLS listener go, by server name.
public struct TLSRoute: AttachableRoute {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "TLSRoute")
  public static let versions = ["v1", "v1alpha3", "v1alpha2"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let parentRefs: [ParentReference]
  public let hostnames: [String]
  public let rules: [ConnectionRule]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    parentRefs = spec.objects("parentRefs", count: Bounds.parents) {
      ParentReference($0, namespace: metadata.namespace)
    }
    hostnames = spec.strings("hostnames", count: Bounds.hostnames, .wildcardHostname)
    rules = spec.objects("rules", count: 1...1) { ConnectionRule($0, namespace: metadata.namespace) }
    spec.ignore("useDefaultGateways")
  }
}
