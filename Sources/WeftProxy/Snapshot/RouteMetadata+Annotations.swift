import WeftConfig
import WeftFilter

extension RouteMetadata {
  private static let prefix = "metadata.weft.dev/"

  /// What a route's annotations say: each `metadata.weft.dev/NAME` holds an object, in YAML or JSON, for the filter of that
  /// name or type; all of them, as text, are under the name `annotations`. nil when there are none.
  /// - Throws: `Diagnostic` when an annotation of that prefix holds something else.
  convenience init?(_ metadata: ResourceMetadata, at origin: Origin) throws(Diagnostic) {
    if metadata.annotations.isEmpty { return nil }
    var values = ["annotations": metadata.annotations.mapValues { MetadataValue.string($0) }]
    for (name, text) in metadata.annotations where name.hasPrefix(Self.prefix) {
      let mistake = "metadata.annotations[\"\(name)\"]: expected an object in YAML or JSON"
      guard let node = try? ConfigNode(yaml: text), node.kind == .mapping else { throw origin.error(mistake) }
      guard let value = try? MetadataValue(node), case .object(let fields) = value else { throw origin.error(mistake) }
      values[String(name.dropFirst(Self.prefix.count))] = fields
    }
    self.init(values)
  }
}

extension MetadataValue {
  init(_ node: ConfigNode) throws(Diagnostic) {
    switch node.kind {
    case .null: self = .null
    case .bool: self = .bool(try node.bool())
    case .integer: self = .number(Double(try node.int()))
    case .float: self = .number(try node.double())
    case .string: self = .string(try node.string())
    case .sequence:
      var items: [MetadataValue] = []
      for item in node.items { items.append(try MetadataValue(item)) }
      self = .list(items)
    case .mapping:
      var fields: [String: MetadataValue] = [:]
      for entry in node.entries { fields[entry.key] = try MetadataValue(entry.value) }
      self = .object(fields)
    }
  }
}
