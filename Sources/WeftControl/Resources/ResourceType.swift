import WeftConfig
import WeftStore

/// A kind as the API shows it.
public struct ResourceType: Sendable, Hashable {
  public let kind: ResourceKind
  /// Versions under which it is served; the first one is what is stored.
  public let versions: [String]
  public let isNamespaced: Bool
  /// Lower case, as paths name it: `httproutes`.
  public let plural: String
  /// Other names that a command line takes.
  public let shortNames: [String]
  /// Whether the API changes it; Workloads are written by the control plane itself.
  public let isWritable: Bool

  init(_ entry: KnownKinds.Entry) {
    kind = entry.kind
    versions = entry.versions
    isNamespaced = entry.isNamespaced
    plural = Self.plural(of: entry.kind.kind.lowercased())
    shortNames = Self.abbreviations[entry.kind.kind] ?? []
    isWritable = entry.kind.kind != "Workload"
  }

  /// Every kind, by group and name.
  public static let all: [ResourceType] = KnownKinds.all.map(ResourceType.init)

  private static let byKind = Dictionary(uniqueKeysWithValues: all.map { ($0.kind, $0) })

  public static func named(_ kind: ResourceKind) -> ResourceType? { byKind[kind] }

  /// The kind that a path of the API names.
  public static func at(group: String, version: String, plural: String) -> ResourceType? {
    all.first { $0.kind.group == group && $0.plural == plural && $0.versions.contains(version) }
  }

  /// The kinds that a word on a command line may mean: a kind, singular, plural or abbreviated, in any case, alone or
  /// with its group (`service.weft.dev`, `service.core`).
  public static func matching(_ word: String) -> [ResourceType] {
    let word = word.lowercased()
    return all.filter { type in
      let names = [type.kind.kind.lowercased(), type.plural] + type.shortNames
      let group = type.kind.group.isEmpty ? "core" : type.kind.group
      return names.contains { word == $0 || word == "\($0).\(group)" }
    }
  }

  public var apiVersion: String { apiVersion(versions[0]) }

  public func apiVersion(_ version: String) -> String { kind.group.isEmpty ? version : "\(kind.group)/\(version)" }

  /// As the discovery protocol names it: GROUP/VERSION/KIND, `v1/Service`.
  public var discoveryType: String { "\(apiVersion)/\(kind.kind)" }

  /// Where its resources lie in the API.
  /// - Parameter namespace: nil: those of all namespaces.
  public func path(namespace: String? = nil, name: String? = nil, version: String? = nil) -> String {
    let version = version ?? versions[0]
    var path = kind.group.isEmpty ? "/api/\(version)" : "/apis/\(kind.group)/\(version)"
    if isNamespaced, let namespace { path += "/namespaces/\(namespace)" }
    path += "/\(plural)"
    if let name { path += "/\(name)" }
    return path
  }

  func key(namespace: String, name: String) -> ResourceKey {
    ResourceKey(group: kind.group, kind: kind.kind, namespace: isNamespaced ? namespace : "", name: name)
  }

  private static func plural(of word: String) -> String {
    if word.hasSuffix("s") { return word + "es" }
    if word.hasSuffix("y"), !["a", "e", "i", "o", "u"].contains(where: { word.hasSuffix("\($0)y") }) {
      return word.dropLast() + "ies"
    }
    return word + "s"
  }

  private static let abbreviations: [String: [String]] = [
    "Gateway": ["gtw"], "GatewayClass": ["gc"], "ReferenceGrant": ["refgrant"], "BackendTLSPolicy": ["btlspolicy"],
    "Service": ["svc"], "ConfigMap": ["cm"], "Namespace": ["ns"], "AuthorizationPolicy": ["ap"],
    "PeerAuthentication": ["pa"], "RequestAuthentication": ["ra"], "FilterBundle": ["fb"],
  ]
}

extension ResourceKey {
  init(_ type: ResourceType, namespace: String, name: String) { self = type.key(namespace: namespace, name: name) }

  var resourceKind: ResourceKind { ResourceKind(group: group, kind: kind) }

  /// How messages name the source of a resource that lies in the store.
  var source: String { "control:\(self)" }
}
