import Foundation
import WeftConfig
import WeftStore

/// All resources of the store as subscriptions find them.
struct DiscoveryIndex {
  /// Resources of one kind.
  private struct Kind {
    var resources: [String: IndexedResource] = [:]
    /// Names by `@` subscription.
    var names: [String: Set<String>] = [:]
  }

  /// What changed: names by kind, each with the subscriptions that found it before or find it now.
  typealias Changes = [ResourceKind: [String: Set<String>]]

  /// Something that refers to a Secret.
  struct Referrer: Hashable {
    let kind: ResourceKind
    let name: String
  }

  private var kinds: [ResourceKind: Kind] = [:]
  private var referrers: [String: Set<Referrer>] = [:]
  /// The store's revision that it reflects.
  private(set) var revision: Revision = 0
  private(set) var count = 0

  static let secret = ResourceKind(group: "", kind: "Secret")
  static let referenceGrant = ResourceKind(group: "gateway.networking.k8s.io", kind: "ReferenceGrant")

  func resource(_ kind: ResourceKind, _ name: String) -> IndexedResource? { kinds[kind]?.resources[name] }

  /// Names of the resources that a subscription finds.
  func names(_ kind: ResourceKind, _ subscription: String) -> Set<String> {
    guard let all = kinds[kind] else { return [] }
    if subscription == "*" { return Set(all.resources.keys) }
    if subscription.utf8.first == UInt8(ascii: "@") { return all.names[subscription] ?? [] }
    return all.resources[subscription] == nil ? [] : [subscription]
  }

  /// Resources of a kind that an `@` subscription finds.
  func resources(_ kind: ResourceKind, _ subscription: String) -> [IndexedResource] {
    names(kind, subscription).compactMap { resource(kind, $0) }
  }

  /// What refers to a Secret.
  func referrers(of secret: String) -> Set<Referrer> { referrers[secret] ?? [] }

  /// Takes changes of the store, adding to `changes` what they mean.
  mutating func apply(_ entries: [Entry], revision: Revision, to changes: inout Changes) {
    for entry in entries {
      guard let key = ResourceKey(entry.key) else { continue }
      let kind = ResourceKind(group: key.group, kind: key.kind)
      let resource = entry.value.map { IndexedResource(key, body: $0) }
      let name = key.namespace.isEmpty ? key.name : "\(key.namespace)/\(key.name)"
      let old = set(kind, name, resource)
      if let old, let resource, old.version == resource.version { continue }
      changes[kind, default: [:]][name, default: []].formUnion((old?.keys ?? []) + (resource?.keys ?? []))
      // A reference that comes or goes opens or closes the Secret for those who may see it by that reference.
      for secret in Set((old?.secrets ?? []) + (resource?.secrets ?? [])) {
        changes[Self.secret, default: [:]][secret, default: []].formUnion([])
      }
      if kind == Self.referenceGrant {
        for secret in names(Self.secret, "@\(key.namespace)") {
          changes[Self.secret, default: [:]][secret, default: []].formUnion([])
        }
      }
    }
    self.revision = max(self.revision, revision)
  }

  /// Takes a whole listing: what is not in it is gone.
  mutating func replace(_ entries: [Entry], revision: Revision, to changes: inout Changes) {
    var gone: [Entry] = []
    let present = Set(entries.map(\.key))
    for (kind, all) in kinds {
      for resource in all.resources.values {
        let path = ResourceKey(
          group: kind.group, kind: kind.kind, namespace: resource.namespace,
          name: resource.namespace.isEmpty
            ? resource.name : String(resource.name.dropFirst(resource.namespace.utf8.count + 1))
        ).path
        if !present.contains(path) { gone.append(Entry(key: path, value: nil, created: 0, modified: revision)) }
      }
    }
    apply(gone + entries, revision: revision, to: &changes)
  }

  private mutating func set(_ kind: ResourceKind, _ name: String, _ resource: IndexedResource?) -> IndexedResource? {
    var all = kinds.removeValue(forKey: kind) ?? Kind()
    let old = all.resources[name]
    for key in old?.keys ?? [] {
      all.names[key]?.remove(name)
      if all.names[key]?.isEmpty == true { all.names[key] = nil }
    }
    for key in resource?.keys ?? [] { all.names[key, default: []].insert(resource?.name ?? name) }
    for secret in old?.secrets ?? [] {
      referrers[secret]?.remove(Referrer(kind: kind, name: name))
      if referrers[secret]?.isEmpty == true { referrers[secret] = nil }
    }
    for secret in resource?.secrets ?? [] { referrers[secret, default: []].insert(Referrer(kind: kind, name: name)) }
    all.resources[name] = resource
    if !all.resources.isEmpty { kinds[kind] = all }
    count += (resource == nil ? 0 : 1) - (old == nil ? 0 : 1)
    return old
  }
}
