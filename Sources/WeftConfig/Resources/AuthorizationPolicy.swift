/// `AuthorizationPolicy`, of `weft.dev/v1` or Istio's `security.istio.io`: who may do what. Fields and evaluation are
/// Istio's: of the policies that govern a request, DENY comes first, then ALLOW; AUDIT only says what it saw.
public struct AuthorizationPolicy: Resource, ScopedPolicy {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "AuthorizationPolicy")
  /// The same kind under the group that existing manifests have.
  public static let alias = ResourceKind(group: ResourceKind.istioSecurity, kind: "AuthorizationPolicy")
  public static let versions = ["v1", "v1beta1"]

  public enum Action: String, Sendable, Hashable, CaseIterable {
    case allow = "ALLOW"
    case deny = "DENY"
    case audit = "AUDIT"
    /// Known so that the error can say what to use instead; no policy has it.
    case custom = "CUSTOM"
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// Labels that a governed workload has; nil: whatever `targets` say.
  public let selector: [String: String]?
  /// None: the namespace, or what `selector` selects in it.
  public let targets: [PolicyTarget]
  public let action: Action
  /// None: the policy matches nothing. An ALLOW policy without rules so denies everything.
  public let rules: [AuthorizationRule]
  /// Counted and logged, and never enforced.
  public let isDryRun: Bool

  private static let dryRunAnnotations = ["weft.dev/dry-run", "istio.io/dry-run"]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    selector = spec.optionalObject("selector") { $0.stringMap("matchLabels") }
    targets = PolicyTarget.list(spec)
    action = spec.enumeration("action", default: .allow)
    rules = spec.objects("rules", count: Bounds.authorizationRules) {
      AuthorizationRule($0, namespace: metadata.namespace)
    }
    isDryRun = AuthorizationPolicy.dryRunAnnotations.contains { metadata.annotations[$0] == "true" }
    spec.atMostOne(of: "selector", "targetRefs", "targetRef")
    if action == .custom {
      spec.error(
        "action",
        "CUSTOM needs an authorizer outside the proxy, which is not supported; use ALLOW or DENY with conditions, or a Lua filter that asks the authorizer with httpCall"
      )
    }
    spec.ignore("provider")
    checkAnnotations(reader)
    checkRules(spec)
  }

  /// A value other than true or false would leave a policy in force that is meant to be tried, or the reverse.
  private func checkAnnotations(_ reader: ObjectReader) {
    for name in AuthorizationPolicy.dryRunAnnotations {
      guard let value = metadata.annotations[name], value != "true", value != "false" else { continue }
      reader.error("metadata", "annotation \(name) is \"true\" or \"false\", not \"\(value.prefix(40))\"")
    }
  }

  private func checkRules(_ spec: ObjectReader) {
    guard rules.isEmpty, !spec.hasErrors else { return }
    switch action {
    case .allow:
      if spec.has("rules") {
        spec.warn(
          "rules", "is empty, so nothing matches and an ALLOW policy denies everything; \"rules: [{}]\" allows all")
      }
    case .deny:
      spec.warn("rules", "none: nothing matches, so the policy denies nothing; \"rules: [{}]\" denies everything")
    case .audit:
      spec.warn("rules", "none: nothing matches, so the policy has no effect; \"rules: [{}]\" audits everything")
    case .custom: break
    }
  }
}

extension ResourceKind {
  static let istioSecurity = "security.istio.io"
}
