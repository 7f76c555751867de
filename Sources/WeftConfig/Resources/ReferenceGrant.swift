/// `gateway.networking.k8s.io/v1 ReferenceGrant`: lets other namespaces refer to resources of its own.
public struct ReferenceGrant: Resource {
  public static let kind = ResourceKind(group: ResourceKind.gatewayAPI, kind: "ReferenceGrant")
  public static let versions = ["v1", "v1beta1", "v1alpha2"]

  /// Who may refer.
  public struct From: Sendable, Hashable {
    public let kind: ResourceKind
    public let namespace: String
  }

  /// What may be referred to; every resource of the kind when `name` is nil.
  public struct To: Sendable, Hashable {
    public let kind: ResourceKind
    public let name: String?
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let from: [From]
  public let to: [To]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    from = spec.objects("from", count: Bounds.grants) { reader in
      From(kind: ReferenceGrant.kind(reader), namespace: reader.string("namespace", .dnsLabel))
    }
    to = spec.objects("to", count: Bounds.grants) { reader in
      To(kind: ReferenceGrant.kind(reader), name: reader.optionalString("name", .length(1...253)))
    }
  }

  private static func kind(_ reader: ObjectReader) -> ResourceKind {
    ResourceKind(group: reader.string("group", .group), kind: reader.string("kind", .kind))
  }

  /// Whether it lets a `source` of `namespace` refer to resource `target` of its own namespace.
  public func permits(_ source: ResourceKind, in namespace: String, _ target: ResourceKind, named name: String) -> Bool
  {
    from.contains { $0.kind == source && $0.namespace == namespace }
      && to.contains { $0.kind == target && ($0.name == nil || $0.name == name) }
  }
}
