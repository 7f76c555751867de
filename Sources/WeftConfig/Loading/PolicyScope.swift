/// What policies look at when they choose whom they govern: where a proxy, or a part of one, stands.
public struct PolicyScope: Sendable, Hashable {
  /// Policies of this namespace govern the mesh.
  public static let rootNamespace = "weft-system"

  public let namespace: String
  public let labels: [String: String]
  /// The Gateway, or the service, that `targetRefs` may name; nil: none.
  public let target: ResourceIdentifier?

  public init(namespace: String, labels: [String: String] = [:], target: ResourceIdentifier? = nil) {
    self.namespace = namespace
    self.labels = labels
    self.target = target
  }

  /// Whether every label of `selector` is among the labels.
  func isSelected(by selector: [String: String]) -> Bool {
    selector.allSatisfy { labels[$0.key] == $0.value }
  }
}

/// A policy that governs what its targets name, what its selector selects, or its namespace.
public protocol ScopedPolicy: Resource {
  var selector: [String: String]? { get }
  var targets: [PolicyTarget] { get }
}

extension ScopedPolicy {
  /// Whether the policy governs what stands there: by name, or by namespace and labels. A policy of the root namespace
  /// governs every namespace, unless it names its targets.
  public func governs(_ scope: PolicyScope) -> Bool {
    if !targets.isEmpty {
      guard let target = scope.target, target.name.namespace == metadata.namespace else { return false }
      return targets.contains { $0.kind == target.kind && $0.name == target.name.name }
    }
    let isInReach =
      metadata.namespace == scope.namespace || metadata.namespace == PolicyScope.rootNamespace
    return isInReach && scope.isSelected(by: selector ?? [:])
  }

  /// Whether the policy governs the one target, and not what is around it.
  public func names(_ target: ResourceIdentifier) -> Bool {
    metadata.namespace == target.name.namespace
      && targets.contains { $0.kind == target.kind && $0.name == target.name.name }
  }
}

extension Gateway {
  /// The labels by which a selector chooses the Gateway's proxies: its own, and the one that Istio gives them.
  public var policyLabels: [String: String] {
    metadata.labels.merging(["gateway.networking.k8s.io/gateway-name": metadata.name]) { own, _ in own }
  }
}
