import WeftConfig

typealias PeerMode = PeerAuthentication.Mode

extension PeerAuthentication.Mode {
  /// What PeerAuthentication resources say of the workload beside this proxy, at its app's port; mutual TLS where none
  /// says anything, for what is not asked for is not open.
  static func resolve(_ options: MeshOptions, _ resources: [HeldResource]) -> PeerMode {
    let documents = resources.filter { $0.type.hasSuffix("/PeerAuthentication") }.map(\.document)
    if documents.isEmpty { return .strict }
    let policies = ConfigLoader.load(documents: documents, sources: []).resources.peerAuthentications.all
    var labels = options.labels
    labels["app"] = labels["app"] ?? options.name
    let decision = PeerAuthenticationResolver(policies).decision(
      namespace: options.namespace, labels: labels, port: Int(options.workload?.app.port ?? 0))
    return decision.policy == nil ? .strict : decision.mode
  }
}
