/// Core Kubernetes' `v1 Secret`.
public struct Secret: Resource {
  public static let kind = ResourceKind(group: "", kind: "Secret")
  public static let versions = ["v1"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// Such as `kubernetes.io/tls`.
  public let type: String
  /// Decoded; `stringData` wins over `data`.
  public let data: [String: [UInt8]]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    type = reader.string("type", default: "Opaque")
    let encoded = reader.map("data") { key, node in (key, try node.base64()) }
    let plain = reader.map("stringData") { key, node in (key, Array(try node.string().utf8)) }
    reader.ignore("immutable")
    data = Dictionary(encoded + plain) { $1 }
  }
}

/// Core Kubernetes' `v1 ConfigMap`.
public struct ConfigMap: Resource {
  public static let kind = ResourceKind(group: "", kind: "ConfigMap")
  public static let versions = ["v1"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let data: [String: String]
  public let binaryData: [String: [UInt8]]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    data = reader.stringMap("data")
    binaryData = Dictionary(reader.map("binaryData") { key, node in (key, try node.base64()) }) { $1 }
    reader.ignore("immutable")
  }
}

/// Core Kubernetes' `v1 Namespace`: the labels by which listeners select routes.
public struct Namespace: Resource {
  public static let kind = ResourceKind(group: "", kind: "Namespace")
  public static let versions = ["v1"]
  public static let isNamespaced = false

  public let metadata: ResourceMetadata
  public let origin: Origin

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    reader.ignore("spec")
  }
}

extension ConfigNode {
  /// The bytes of a base64 string (RFC 4648 section 4).
  func base64() throws(Diagnostic) -> [UInt8] {
    let text = try string()
    guard let bytes = Base64.decode(text) else {
      throw error("is no base64; encode the value, or put it under stringData as it is")
    }
    return bytes
  }
}
