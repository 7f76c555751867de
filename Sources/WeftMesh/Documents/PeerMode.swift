typealias PeerMode = SidecarDocuments.PeerMode

extension SidecarDocuments.PeerMode {
  /// What PeerAuthentication resources say of a workload: the most specific that says anything, of the mesh, of the
  /// namespace, of the workload (Istio's order); strict without any, for what is not asked for is not open.
  static func resolve(_ options: MeshOptions, _ resources: [HeldResource]) -> PeerMode {
    let policies = resources.filter { $0.type.hasSuffix("/PeerAuthentication") }
      .sorted { $0.name < $1.name }
    var labels = options.labels
    labels["app"] = labels["app"] ?? options.name
    func mode(_ isMeant: (HeldResource, [String: JSONValue]?) -> Bool) -> PeerMode? {
      for policy in policies {
        let selector = policy.content[path: "spec", "selector", "matchLabels"]?.fields
        guard isMeant(policy, selector), let text = policy.content[path: "spec", "mtls", "mode"]?.string else {
          continue
        }
        if let mode = PeerMode(rawValue: text.lowercased()) { return mode }
      }
      return nil
    }
    return mode { policy, selector in
      guard policy.namespace == options.namespace, let selector else { return false }
      return !selector.isEmpty && selector.allSatisfy { labels[$0.key] == $0.value.string }
    } ?? mode { policy, selector in policy.namespace == options.namespace && selector == nil }
      ?? mode { policy, selector in policy.namespace == Closure.rootNamespace && selector == nil } ?? .strict
  }
}
