/// Decides whether a workload's port takes mutual TLS, plain connections, or both. The narrowest policy that says
/// something holds: of the port, of the workload, of the namespace, of the mesh. Where nobody says anything, both.
public struct PeerAuthenticationResolver: Sendable {
  /// A mode with the policy that decided it.
  public struct Decision: Sendable, Hashable {
    /// Never `unset`.
    public let mode: PeerAuthentication.Mode
    /// nil: no policy says anything.
    public let policy: ResourceName?
  }

  private let policies: [PeerAuthentication]

  /// - Parameter policies: all that may concern the workloads asked about, in any order.
  public init(_ policies: [PeerAuthentication]) {
    // Of several policies for the same the oldest holds, then the first by name, wherever they were read.
    self.policies = policies.sorted { a, b in
      let (first, second) = (a.metadata.creationTimestamp ?? "~", b.metadata.creationTimestamp ?? "~")
      return first == second ? a.name < b.name : first < second
    }
  }

  /// - Parameters:
  ///   - namespace: the workload's.
  ///   - labels: the workload's.
  ///   - port: on which the workload takes the connection.
  public func decision(namespace: String, labels: [String: String], port: Int) -> Decision {
    let scope = PolicyScope(namespace: namespace, labels: labels)
    let root = PolicyScope.rootNamespace
    let selecting = policies.filter { policy in
      guard let selector = policy.selector, !selector.isEmpty else { return false }
      return scope.isSelected(by: selector)
    }
    // A policy with a selector in the root namespace selects in all; the workload's own namespace is nearer.
    let workload =
      selecting.first { $0.metadata.namespace == namespace } ?? selecting.first { $0.metadata.namespace == root }
    if let workload {
      if let mode = workload.portModes[port], mode != .unset { return Decision(mode: mode, policy: workload.name) }
      if workload.mode != .unset { return Decision(mode: workload.mode, policy: workload.name) }
    }
    for place in namespace == root ? [root] : [namespace, root] {
      let wide = policies.first { $0.metadata.namespace == place && ($0.selector?.isEmpty ?? true) }
      if let wide, wide.mode != .unset { return Decision(mode: wide.mode, policy: wide.name) }
    }
    return Decision(mode: .permissive, policy: nil)
  }
}
