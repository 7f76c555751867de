/// `discovery.k8s.io/v1 EndpointSlice`: part of the endpoints of a core Service.
public struct EndpointSlice: Resource {
  public static let kind = ResourceKind(group: "discovery.k8s.io", kind: "EndpointSlice")
  public static let versions = ["v1"]
  /// The label that names the service.
  public static let serviceLabel = "kubernetes.io/service-name"

  public enum AddressType: String, Sendable, Hashable, CaseIterable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"
    /// A DNS name.
    case fqdn = "FQDN"
  }

  public struct Endpoint: Sendable, Hashable {
    /// All of them lead to the same endpoint; the first one is used.
    public let addresses: [String]
    /// Takes new requests.
    public let isReady: Bool
    /// Answers requests, terminating or not.
    public let isServing: Bool
    public let isTerminating: Bool
    public let hostname: String?
    public let zone: String?
  }

  public struct Port: Sendable, Hashable {
    /// Empty for an unnamed one.
    public let name: String
    /// Nil: every port.
    public let port: Int?
    public let appProtocol: String?
    public let isTCP: Bool
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let addressType: AddressType
  public let endpoints: [Endpoint]
  public let ports: [Port]

  /// The Service of the same namespace to which the slice belongs.
  public var serviceName: String? { metadata.labels[EndpointSlice.serviceLabel] }

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let addressType: AddressType = reader.enumeration("addressType")
    self.addressType = addressType
    endpoints = reader.objects("endpoints", count: Bounds.endpoints) { EndpointSlice.endpoint($0, addressType) }
    ports = reader.objects("ports", count: Bounds.conditions) { reader in
      Port(
        name: reader.string("name", default: ""), port: reader.optionalInt("port", in: Bounds.port),
        appProtocol: reader.optionalString("appProtocol"),
        isTCP: reader.string("protocol", .transport, default: "TCP") == "TCP")
    }
    if serviceName == nil {
      reader.warn(nil, "belongs to no Service: it has no label \"\(EndpointSlice.serviceLabel)\"")
    }
  }

  private static func endpoint(_ reader: ObjectReader, _ type: AddressType) -> Endpoint {
    let rule: StringRule =
      switch type {
      case .ipv4: StringRule("use an IPv4 address", AddressSyntax.isIPv4)
      case .ipv6: StringRule("use an IPv6 address", AddressSyntax.isIPv6)
      case .fqdn: .hostname
      }
    let conditions = reader.optionalObject("conditions")
    let isReady = conditions?.optionalBool("ready") ?? true
    reader.ignore("targetRef", "nodeName", "hints", "deprecatedTopology")
    return Endpoint(
      addresses: reader.strings("addresses", count: 1...100, rule), isReady: isReady,
      isServing: conditions?.optionalBool("serving") ?? isReady,
      isTerminating: conditions?.optionalBool("terminating") ?? false,
      hostname: reader.optionalString("hostname", .dnsLabel), zone: reader.optionalString("zone"))
  }
}
