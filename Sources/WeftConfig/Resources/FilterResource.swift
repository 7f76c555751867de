/// `weft.dev/v1 Filter`: a registered filter type with its configuration, under a name that routes refer to.
public struct FilterResource: Resource {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "Filter")
  public static let versions = ["v1"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// The name under which the type is registered.
  public let type: String
  public let typeOrigin: Origin
  /// As written; the type itself decodes it. Empty when not given.
  public let config: ConfigNode

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    type = spec.string("type", .length(1...253))
    typeOrigin = Origin(spec.location(of: "type"), spec.node.path.appending("type"))
    config =
      spec.optional("config") { node in
        guard node.kind == .mapping else { throw node.error("expected an object with fields, not \(node.shown)") }
        return node
      } ?? .empty(at: spec.node.location, path: spec.node.path.appending("config"))
  }
}
