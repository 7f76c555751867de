import Foundation
import WeftConfig
import WeftStore

/// A resource as streams send it. One object for all of them.
final class IndexedResource: Sendable {
  /// NAMESPACE/NAME, or NAME.
  let name: String
  let namespace: String
  let version: ResourceVersion
  /// The JSON. Shared with every message that carries it.
  let body: Data
  /// Subscriptions that find it, besides its name and `*`: `@KIND/NAMESPACE/NAME` of what it is about, `@NAMESPACE`.
  let keys: [String]
  /// Secrets that it refers to, NAMESPACE/NAME.
  let secrets: [String]

  init(_ key: ResourceKey, body bytes: [UInt8]) {
    namespace = key.namespace
    name = key.namespace.isEmpty ? key.name : "\(key.namespace)/\(key.name)"
    version = ResourceVersion(body: bytes)
    body = Data(bytes)
    var references = ResourceReferences(key)
    if let root = ConfigDocuments(parsing: bytes, file: "resource.json").roots.first { references.read(root) }
    keys = references.keys.sorted()
    secrets = references.secrets.sorted()
  }
}

/// What a resource is about, read from its JSON.
private struct ResourceReferences {
  private let key: ResourceKey
  private(set) var keys: Set<String> = []
  private(set) var secrets: Set<String> = []

  init(_ key: ResourceKey) {
    self.key = key
    if !key.namespace.isEmpty { keys.insert("@\(key.namespace)") }
  }

  mutating func read(_ root: ConfigNode) {
    guard let spec = root["spec"] else {
      readServiceLabel(root)
      return
    }
    for parent in spec["parentRefs"]?.items ?? [] {
      add(parent, group: "gateway.networking.k8s.io", kind: "Gateway")
    }
    for target in spec["targetRefs"]?.items ?? [] { add(target, group: "", kind: "") }
    if let target = spec["targetRef"] { add(target, group: "", kind: "") }
    if key.kind == "Workload", let service = spec["service"]?.stringValue {
      // A workload serves the service of its name, of whichever of the two kinds it is.
      keys.insert("@Service/\(key.namespace)/\(service)")
      keys.insert("@WeftService/\(key.namespace)/\(service)")
    }
    readServiceLabel(root)
    if key.kind != "Secret" { readSecrets(spec, depth: 0) }
  }

  private mutating func readServiceLabel(_ root: ConfigNode) {
    guard key.kind == "EndpointSlice",
      let service = root["metadata"]?["labels"]?["kubernetes.io/service-name"]?.stringValue
    else { return }
    keys.insert("@Service/\(key.namespace)/\(service)")
  }

  private mutating func add(_ reference: ConfigNode, group: String, kind: String) {
    guard let name = reference["name"]?.stringValue else { return }
    let group = reference["group"]?.stringValue ?? group
    var kind = reference["kind"]?.stringValue ?? kind
    if kind.isEmpty { return }
    if group == "weft.dev" && kind == "Service" { kind = "WeftService" }
    keys.insert("@\(kind)/\(reference["namespace"]?.stringValue ?? key.namespace)/\(name)")
  }

  /// References to Secrets, wherever they stand: `certificateRefs` and the like name one unless they say another kind,
  /// everything else says `kind: Secret`.
  private mutating func readSecrets(_ node: ConfigNode, depth: Int, isSecret: Bool = false) {
    guard depth < 32 else { return }
    switch node.kind {
    case .sequence: for item in node.items { readSecrets(item, depth: depth + 1, isSecret: isSecret) }
    case .mapping:
      let kind = node["kind"]?.stringValue ?? (isSecret ? "Secret" : "")
      if kind == "Secret", (node["group"]?.stringValue ?? "").isEmpty, let name = node["name"]?.stringValue {
        secrets.insert("\(node["namespace"]?.stringValue ?? key.namespace)/\(name)")
      }
      for entry in node.entries {
        let names = entry.key == "certificateRefs" || entry.key == "clientCertificateRef"
        readSecrets(entry.value, depth: depth + 1, isSecret: names)
      }
    default: break
    }
  }
}
