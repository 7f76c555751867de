/// `weft.dev/v1 FilterBundle`: which version of a bundle the proxies of a mesh run under a name. Filters of its namespace
/// name it; the control plane has the archive.
public struct FilterBundleResource: Resource {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "FilterBundle")
  public static let versions = ["v1"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// `sha256:HEX`, that of the archive.
  public let digest: String
  /// The move to another version, while it lasts.
  public let rollout: FilterBundleRollout?

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    digest = spec.string("digest", Self.isDigest)
    rollout = spec.optionalObject("rollout") { FilterBundleRollout($0) }
  }

  /// The digests of all versions that it names.
  public var digests: [String] { [digest] + (rollout.map { [$0.candidate] } ?? []) }

  static let isDigest = StringRule(
    "write sha256: and 64 lower-case hexadecimal digits, as weft bundle push prints them"
  ) { text in
    text.hasPrefix("sha256:") && text.utf8.count == 71
      && text.utf8.dropFirst(7).allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
