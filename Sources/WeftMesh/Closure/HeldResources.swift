import WeftConfig

/// A resource as the control plane sent it.
struct HeldResource: Sendable {
  let type: String
  /// NAMESPACE/NAME, or NAME.
  let name: String
  let version: String
  let body: [UInt8]
  /// For looking up references.
  let content: JSONValue
  /// For the proxy, parsed once.
  let document: ConfigDocuments

  /// nil: the body is no JSON.
  init?(type: String, name: String, version: String, body: [UInt8]) {
    let document = ConfigDocuments(json: body, source: HeldResource.source(type, name))
    guard document.diagnostics.isEmpty, let root = document.roots.first else { return nil }
    self.type = type
    self.name = name
    self.version = version
    self.body = body
    content = JSONValue(root)
    self.document = document
  }

  var key: ResourceKey { ResourceKey(type: type, name: name) }
  var namespace: String { name.contains("/") ? String(name.prefix { $0 != "/" }) : "" }

  /// How diagnostics name it.
  static func source(_ type: String, _ name: String) -> String { "control:\(ResourceType.display(type)) \(name)" }
  var source: String { HeldResource.source(type, name) }
}

struct ResourceKey: Hashable, Sendable {
  let type: String
  let name: String
}

/// A subscription to resources of a type.
struct Interest: Hashable, Sendable {
  let type: String
  /// As the protocol writes it: a name, `@KIND/NAMESPACE/NAME`, or `@NAMESPACE`.
  let name: String
}

/// Everything that the proxy has been sent and still wants.
struct HeldResources: Sendable {
  private(set) var byType: [String: [String: HeldResource]] = [:]

  subscript(type: String, name: String) -> HeldResource? { byType[type]?[name] }

  func all(_ type: String) -> [HeldResource] {
    (byType[type] ?? [:]).values.sorted { $0.name < $1.name }
  }

  var all: [HeldResource] {
    byType.values.flatMap(\.values).sorted { ($0.type, $0.name) < ($1.type, $1.name) }
  }

  mutating func put(_ resource: HeldResource) { byType[resource.type, default: [:]][resource.name] = resource }

  mutating func remove(_ type: String, _ name: String) { byType[type]?[name] = nil }

  /// What the server need not send again: name to version.
  func versions(_ type: String) -> [String: String] { (byType[type] ?? [:]).mapValues(\.version) }

  /// Drops what no subscription is about any more.
  mutating func keep(_ interests: Set<Interest>) {
    let byType = Dictionary(grouping: interests, by: \.type)
    for (type, resources) in self.byType {
      let wanted = byType[type] ?? []
      let names = Set(wanted.map(\.name))
      let sets = names.filter { $0.hasPrefix("@") }
      self.byType[type] = resources.filter { name, resource in
        names.contains(name) || sets.contains { resource.isAbout($0) }
      }
    }
  }
}

extension HeldResource {
  /// Whether a subscription to a set, `@KIND/NAMESPACE/NAME` or `@NAMESPACE`, has the resource.
  func isAbout(_ subscription: String) -> Bool {
    let parts = subscription.dropFirst().split(separator: "/").map(String.init)
    if parts.count == 1 { return namespace == parts[0] }
    guard parts.count == 3 else { return false }
    let (kind, group): (String, String) =
      switch parts[0] {
      case "WeftService": ("Service", "weft.dev")
      case "Service": ("Service", "")
      default: (parts[0], "gateway.networking.k8s.io")
      }
    let (namespace, name) = (parts[1], parts[2])
    switch type {
    case ResourceType.workload:
      return self.namespace == namespace && content[path: "spec", "service"]?.string == name
    case ResourceType.endpointSlice:
      return self.namespace == namespace
        && content[path: "metadata", "labels", "kubernetes.io/service-name"]?.string == name
    case ResourceType.backendTLSPolicy, ResourceType.backendTrafficPolicy:
      return self.namespace == namespace
        && (content[path: "spec", "targetRefs"]?.array ?? []).contains {
          $0["kind"]?.string == kind && ($0["group"]?.string ?? "") == group && $0["name"]?.string == name
        }
    default:
      return (content[path: "spec", "parentRefs"]?.array ?? []).contains {
        ($0["kind"]?.string ?? "Gateway") == kind && ($0["group"]?.string ?? "gateway.networking.k8s.io") == group
          && ($0["namespace"]?.string ?? self.namespace) == namespace && $0["name"]?.string == name
      }
    }
  }
}
