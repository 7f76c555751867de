import Foundation
import WeftConfig

/// Which Secrets a proxy may read: those to which something refers that is its own. Everything else is readable by every
/// workload of the mesh, since any of them may call any service.
struct SecretAccess {
  let index: DiscoveryIndex

  /// Kinds whose references count for every proxy of their namespace.
  private static let shared: Set<ResourceKind> = [
    ResourceKind(group: "gateway.networking.k8s.io", kind: "BackendTLSPolicy"),
    ResourceKind(group: "weft.dev", kind: "Filter"), ResourceKind(group: "weft.dev", kind: "Proxy"),
  ]
  private static let gateway = ResourceKind(group: "gateway.networking.k8s.io", kind: "Gateway")

  /// - Parameters:
  ///   - secret: NAMESPACE/NAME.
  ///   - namespace: the proxy's, by its certificate, as its name is.
  func mayRead(_ secret: String, kind: ProxyStatus.Kind, namespace: String, name: String) -> Bool {
    guard let end = secret.firstIndex(of: "/") else { return false }
    let owner = String(secret[..<end])
    let own = "\(namespace)/\(name)"
    return index.referrers(of: secret).contains { referrer in
      let place = referrer.name.split(separator: "/").first.map(String.init)
      guard place == namespace else { return false }
      let isOwn: Bool
      switch kind {
      case .gateway:
        isOwn =
          referrer.kind == Self.gateway && referrer.name == own || isAbout(referrer, "@Gateway/\(own)")
      case .sidecar:
        isOwn =
          referrer.kind.kind == "Service" && referrer.name == own || isAbout(referrer, "@Service/\(own)")
          || isAbout(referrer, "@WeftService/\(own)")
      }
      guard isOwn || Self.shared.contains(referrer.kind) else { return false }
      return owner == namespace || isGranted(referrer, secret, owner)
    }
  }

  private func isAbout(_ referrer: DiscoveryIndex.Referrer, _ key: String) -> Bool {
    index.resource(referrer.kind, referrer.name)?.keys.contains(key) ?? false
  }

  /// Whether the Secret's namespace lets it be referred to from there (Gateway API, ReferenceGrant).
  private func isGranted(_ referrer: DiscoveryIndex.Referrer, _ secret: String, _ owner: String) -> Bool {
    let from = String(referrer.name.split(separator: "/").first ?? "")
    let name = String(secret.dropFirst(owner.utf8.count + 1))
    return index.resources(DiscoveryIndex.referenceGrant, "@\(owner)").contains { grant in
      guard let spec = ConfigDocuments(parsing: [UInt8](grant.body), file: "grant.json").roots.first?["spec"] else {
        return false
      }
      let isFrom = (spec["from"]?.items ?? []).contains { item in
        item["group"]?.stringValue == referrer.kind.group && item["kind"]?.stringValue == referrer.kind.kind
          && item["namespace"]?.stringValue == from
      }
      let isTo = (spec["to"]?.items ?? []).contains { item in
        (item["group"]?.stringValue ?? "").isEmpty && item["kind"]?.stringValue == "Secret"
          && (item["name"]?.stringValue.map { $0 == name } ?? true)
      }
      return isFrom && isTo
    }
  }
}
