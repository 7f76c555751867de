import WeftConfig

/// What tells a client of Kubernetes' APIs which kinds there are.
enum ResourceDiscovery {
  static func answer(_ path: ResourcePath) -> JSONValue {
    switch path {
    case .groups:
      let groups = Set(ResourceType.all.map(\.kind.group)).filter { !$0.isEmpty }.sorted()
      return ["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.map(group))]
    case .versions(let name) where name.isEmpty:
      return ["kind": "APIVersions", "versions": .array(versions(of: name).map { .string($0) })]
    case .versions(let name): return group(name)
    case .kinds(let group, let version): return kinds(group, version)
    case .list, .item: return .null
    }
  }

  private static func versions(of group: String) -> [String] {
    var seen: Set<String> = []
    return ResourceType.all.filter { $0.kind.group == group }.flatMap(\.versions).filter { seen.insert($0).inserted }
  }

  private static func group(_ name: String) -> JSONValue {
    let versions = versions(of: name).map { version -> JSONValue in
      ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)]
    }
    return [
      "kind": "APIGroup", "apiVersion": "v1", "name": .string(name), "versions": .array(versions),
      "preferredVersion": versions.first ?? .null,
    ]
  }

  private static func kinds(_ group: String, _ version: String) -> JSONValue {
    let types = ResourceType.all.filter { $0.kind.group == group && $0.versions.contains(version) }
    let resources = types.map { type -> JSONValue in
      [
        "name": .string(type.plural), "singularName": .string(type.kind.kind.lowercased()),
        "namespaced": .bool(type.isNamespaced), "kind": .string(type.kind.kind),
        "verbs": .array(
          (type.isWritable
            ? ["create", "delete", "get", "list", "patch", "update", "watch"] : ["get", "list", "watch"])
            .map { .string($0) }), "shortNames": .array(type.shortNames.map { .string($0) }),
      ]
    }
    return [
      "kind": "APIResourceList", "apiVersion": "v1",
      "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"), "resources": .array(resources),
    ]
  }
}
