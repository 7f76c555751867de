/// `weft.dev/v1 Workload`: a running instance of a service, as the sidecar beside it reports it. An endpoint of the
/// Service of that name in its namespace, if that one has no endpoints of its own.
public struct Workload: Resource {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "Workload")
  public static let versions = ["v1"]

  public enum Health: String, Sendable, Hashable, CaseIterable {
    case healthy = "Healthy"
    /// Gets no requests.
    case unhealthy = "Unhealthy"
  }

  /// What the app behind the sidecar speaks.
  public enum ApplicationProtocol: String, Sendable, Hashable, CaseIterable { case http, http2, tcp }

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// The Service's name, in the workload's namespace.
  public let service: String
  /// An IP address, without brackets.
  public let address: String
  public let port: Int
  /// The port of a core Service that it serves; nil: every one.
  public let servicePort: Int?
  public let labels: [String: String]
  public let zone: String?
  /// In proportion to the sum over the service; 0 takes no requests.
  public let weight: Int
  public let health: Health
  /// Why it is unhealthy.
  public let healthDetail: String
  /// Connections to it are mutual TLS, and its certificate has `identity`.
  public let isMutualTLS: Bool
  /// A SPIFFE ID.
  public let identity: String?
  public let `protocol`: ApplicationProtocol

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    service = spec.string("service", .dnsSubdomain)
    (address, port) = spec.required("address", placeholder: ("", 0), Workload.address)
    servicePort = spec.optionalInt("port", in: Bounds.port)
    labels = spec.stringMap("labels")
    zone = spec.optionalString("zone", .length(0...63))
    weight = spec.int("weight", in: Bounds.weight, default: 1)
    health = spec.enumeration("health", default: .healthy)
    healthDetail = spec.string("healthDetail", .length(0...1024), default: "")
    isMutualTLS = spec.bool("mutualTLS", default: false)
    identity = spec.optionalString("identity", .spiffeID)
    self.protocol = spec.enumeration("protocol", default: .http)
    if isMutualTLS, !spec.has("identity") {
      spec.error(
        "identity", "is missing; with \"mutualTLS: true\" it is what the workload's certificate is checked for")
    }
  }

  /// Gets requests.
  public var isServing: Bool { health == .healthy && weight > 0 }

  private static func address(_ node: ConfigNode) throws -> (String, Int) {
    let text = try node.string(.length(1...64))
    guard case .ip(let address, let port) = ServiceEndpoint.Address(text) else {
      throw node.error("\"\(text)\" is no address of a workload; write IP:PORT, such as 10.0.0.5:15006")
    }
    return (address, port)
  }
}

extension StringRule {
  /// SPIFFE-ID 2: a trust domain and a path.
  static let spiffeID = StringRule(
    "a SPIFFE ID is such as spiffe://cluster.local/ns/default/sa/reviews",
    { text in
      guard text.utf8.count <= 2048, text.hasPrefix("spiffe://") else { return false }
      let parts = text.dropFirst("spiffe://".count).split(separator: "/", omittingEmptySubsequences: false)
      return parts.count > 1
        && parts.allSatisfy { part in
          !part.isEmpty
            && part.utf8.allSatisfy { byte in
              byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte == 0x2d || byte == 0x2e || byte == 0x5f
            }
        }
    })
}
