/// `weft.dev/v1 BackendTrafficPolicy`: how requests reach the endpoints of services, core ones above all, which cannot say
/// so themselves. What it gives takes the place of what the service says.
public struct BackendTrafficPolicy: Resource {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "BackendTrafficPolicy")
  public static let versions = ["v1"]

  public let metadata: ResourceMetadata
  public let origin: Origin
  public let targets: [BackendTLSPolicy.Target]
  private let settings: TrafficSettings
  /// Sections that the policy gives.
  private let given: Set<String>

  private static let sections = [
    "loadBalancer", "connectionPool", "timeouts", "tcpKeepalive", "healthCheck", "outlierDetection", "panicThreshold",
  ]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    targets = BackendTLSPolicy.targets(spec)
    settings = TrafficSettings(policy: spec)
    given = Set(BackendTrafficPolicy.sections.filter(spec.has))
    if given.isEmpty { spec.warn(nil, "gives no settings, so the policy changes nothing") }
  }

  /// `base` with the policy's sections in the place of its own.
  func applied(to base: TrafficSettings) -> TrafficSettings {
    var result = base
    if given.contains("loadBalancer") { result.loadBalancer = settings.loadBalancer }
    if given.contains("connectionPool") { result.connectionPool = settings.connectionPool }
    if given.contains("timeouts") { result.timeouts = settings.timeouts }
    if given.contains("tcpKeepalive") { result.tcpKeepalive = settings.tcpKeepalive }
    if given.contains("healthCheck") { result.healthCheck = settings.healthCheck }
    if given.contains("outlierDetection") { result.outlierDetection = settings.outlierDetection }
    if given.contains("panicThreshold") { result.panicThreshold = settings.panicThreshold }
    return result
  }
}

extension ResourceSet {
  /// The settings of a service's port: its own, with those of the policy for it.
  public func traffic(
    _ own: TrafficSettings, of kind: ResourceKind, _ name: ResourceName, port: String?
  ) -> TrafficSettings {
    policy(backendTrafficPolicies.all, \.targets, of: kind, name, port: port)?.applied(to: own) ?? own
  }

  /// The policy for a service's port: one for the port wins over one for the service, then the older, then the one
  /// first by name.
  func policy<Policy: Resource>(
    _ policies: [Policy], _ targets: (Policy) -> [BackendTLSPolicy.Target], of kind: ResourceKind, _ name: ResourceName,
    port: String?
  ) -> Policy? {
    var best: (policy: Policy, isForPort: Bool)?
    for policy in policies where policy.metadata.namespace == name.namespace {
      for target in targets(policy) where target.kind == kind && target.name == name.name {
        if let section = target.sectionName, section != port { continue }
        let candidate = (policy: policy, isForPort: target.sectionName != nil)
        guard let known = best else {
          best = candidate
          continue
        }
        if candidate.isForPort != known.isForPort
          ? candidate.isForPort : ResourceSet.precedes(policy.metadata, known.policy.metadata)
        {
          best = candidate
        }
      }
    }
    return best?.policy
  }

  private static func precedes(_ a: ResourceMetadata, _ b: ResourceMetadata) -> Bool {
    let (first, second) = (a.creationTimestamp ?? "~", b.creationTimestamp ?? "~")
    return first == second ? a.name < b.name : first < second
  }
}
