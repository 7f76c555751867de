/// `gateway.networking.k8s.io/v1 BackendTLSPolicy`: connections to a service are encrypted, and its certificate is
/// verified.
public struct BackendTLSPolicy: Resource {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "BackendTLSPolicy")
  public static let versions = ["v1", "v1alpha3"]

  /// A service of the policy's namespace, or one of its ports.
  public struct Target: Sendable, Hashable {
    public let kind: ResourceKind
    public let name: String
    /// A port's name; nil: every port.
    public let sectionName: String?
    public let origin: Origin
  }

  /// A name that the server's certificate must have.
  public enum SubjectName: Sendable, Hashable {
    case hostname(String)
    case uri(String)
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let targets: [Target]
  /// ConfigMaps or Secrets with `ca.crt`.
  public let caCertificateRefs: [LocalReference]
  /// The authorities that the operating system trusts.
  public let usesSystemAuthorities: Bool
  /// Sent as server name; without `subjectNames` also expected in the certificate.
  public let hostname: String
  public let subjectNames: [SubjectName]
  public let options: TLSOptions

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    targets = BackendTLSPolicy.targets(spec)
    let validation = spec.object("validation")
    caCertificateRefs = validation.objects("caCertificateRefs", count: 0...8, LocalReference.init)
    let wellKnown = validation.optionalString("wellKnownCACertificates")
    usesSystemAuthorities = wellKnown == "System"
    hostname = validation.string("hostname", .hostname)
    subjectNames = validation.objects("subjectAltNames", count: 0...5, BackendTLSPolicy.subject).compactMap { $0 }
    options = TLSOptions(spec, .backend)
    if let wellKnown, wellKnown != "System" {
      validation.error("wellKnownCACertificates", "is \"System\", not \"\(wellKnown)\"")
    }
    let sources = (caCertificateRefs.isEmpty ? 0 : 1) + (wellKnown == nil ? 0 : 1) + (options.caFile == nil ? 0 : 1)
    if sources != 1 {
      validation.error(
        nil, "needs one of caCertificateRefs, wellKnownCACertificates and the option weft.dev/ca-file")
    }
  }

  /// The `targetRefs` of a policy for services.
  static func targets(_ spec: ObjectReader) -> [Target] {
    spec.objects("targetRefs", count: 1...16) { reader in
      Target(
        kind: ResourceKind(group: reader.string("group", .group), kind: reader.string("kind", .kind)),
        name: reader.string("name", .length(1...253)), sectionName: reader.optionalString("sectionName", .dnsSubdomain),
        origin: Origin(reader.node))
    }
  }

  private static func subject(_ reader: ObjectReader) -> SubjectName? {
    switch reader.string("type") {
    case "Hostname": return .hostname(reader.string("hostname", .hostname))
    case "URI": return .uri(reader.string("uri", .length(1...253)))
    case let type:
      reader.error("type", "is Hostname or URI, not \"\(type)\"")
      return nil
    }
  }
}

extension ResourceSet {
  /// The policy for a service's port.
  public func backendTLSPolicy(of kind: ResourceKind, _ name: ResourceName, port: String?) -> BackendTLSPolicy? {
    policy(backendTLSPolicies.all, \.targets, of: kind, name, port: port)
  }
}
