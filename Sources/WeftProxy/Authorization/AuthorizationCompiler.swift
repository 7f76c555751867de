import WeftConfig
import WeftIO

/// Finds out which policies govern which listener and service, and compiles each combination once.
struct AuthorizationCompiler {
  private struct Combination: Hashable {
    let numbers: [Int]
    let authentications: [Int]
  }

  private let resources: ResourceSet
  /// Labels of the workload that the proxy belongs to; empty for one that is run from files.
  private let labels: [String: String]
  private let policies: [AuthorizationPolicy]
  private let authentications: [RequestAuthentication]
  private var compiled: [Combination: AuthorizationTable.Sets] = [:]
  private var governing: Set<Int> = []
  private(set) var diagnostics: [Diagnostic] = []

  init(_ resources: ResourceSet, labels: [String: String]) {
    self.resources = resources
    self.labels = labels
    // Policies of one action stand in the order of their names, so that it does not matter who read which first.
    policies = resources.authorizationPolicies.all.sorted { $0.name < $1.name }
    authentications = resources.requestAuthentications.all.sorted { $0.name < $1.name }
  }

  /// - Parameters:
  ///   - listeners: the Gateways of each listener of the snapshot, with their listeners' hostnames.
  ///   - services: the resource behind each service of the snapshot.
  /// - Returns: nil without any policy.
  mutating func compile(
    listeners: [[(hostname: String, gateway: ResourceName)]], services: [ResourceIdentifier]
  ) -> AuthorizationTable? {
    if policies.isEmpty && authentications.isEmpty { return nil }
    var madeListeners: [AuthorizationTable.Listener] = []
    for owners in listeners { madeListeners.append(listener(owners)) }
    var madeServices: [AuthorizationTable.Sets?] = []
    for service in services { madeServices.append(sets { $0.names(service) }) }
    warnAboutIdle()
    return AuthorizationTable(
      policies: policies.map {
        AuthorizationTable.Policy(name: OwnedBytes("\($0.name)"), action: $0.action, isDryRun: $0.isDryRun)
      }, listeners: madeListeners, services: madeServices)
  }

  private mutating func listener(_ owners: [(hostname: String, gateway: ResourceName)]) -> AuthorizationTable.Listener {
    if owners.contains(where: { resources.gateways[$0.gateway]?.meshRole == .outbound }) {
      return AuthorizationTable.Listener(entries: [], isOutbound: true)
    }
    var entries: [(hostname: HostPattern, sets: AuthorizationTable.Sets?)] = []
    for owner in owners {
      guard let pattern = HostPattern(owner.hostname), let gateway = resources.gateways[owner.gateway] else { continue }
      let scope = PolicyScope(
        namespace: gateway.metadata.namespace, labels: labels.merging(gateway.policyLabels) { own, _ in own },
        target: ResourceIdentifier(Gateway.kind, gateway.name))
      let services = servedServices(gateway)
      entries.append((pattern, sets { policy in policy.governs(scope) || services.contains { policy.names($0) } }))
    }
    entries.sort { $0.hostname.isMoreSpecific(than: $1.hostname) }
    // Listeners of one Gateway, or of several that are governed alike, need no look at the name.
    if let first = entries.first, entries.allSatisfy({ $0.sets?.requests === first.sets?.requests }) {
      entries = [first]
    }
    return AuthorizationTable.Listener(entries: entries)
  }

  /// The service whose requests an inbound listener of a sidecar takes: its policies hold there.
  private func servedServices(_ gateway: Gateway) -> [ResourceIdentifier] {
    guard let service = gateway.metadata.annotations["weft.dev/mesh-service"] else { return [] }
    let name = ResourceName(namespace: gateway.metadata.namespace, name: service)
    return [ResourceIdentifier(KubernetesService.kind, name), ResourceIdentifier(WeftService.kind, name)]
  }

  private mutating func sets(where governs: (any ScopedPolicy) -> Bool) -> AuthorizationTable.Sets? {
    let numbers = policies.indices.filter { governs(policies[$0]) }
    let verifying = authentications.indices.filter { governs(authentications[$0]) }
    if numbers.isEmpty && verifying.isEmpty { return nil }
    governing.formUnion(numbers)
    let key = Combination(numbers: numbers, authentications: verifying)
    if let known = compiled[key] { return known }
    let chosen = numbers.map { (number: $0, policy: policies[$0]) }
    do throws(Diagnostic) {
      let made = AuthorizationTable.Sets(
        requests: try AuthorizationSet(chosen, isForConnections: false),
        connections: try AuthorizationSet(chosen, isForConnections: true),
        tokens: verifying.isEmpty ? nil : try TokenRules(verifying.map { authentications[$0] }))
      compiled[key] = made
      return made
    } catch {
      diagnostics.append(error)
      return nil
    }
  }

  /// A policy that selects by labels and finds nobody protects nothing, which its author should know.
  private mutating func warnAboutIdle() {
    for (i, policy) in policies.enumerated() where !governing.contains(i) {
      guard let selector = policy.selector, !selector.isEmpty else { continue }
      let wanted = selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
      diagnostics.append(
        policy.origin.warning(
          "AuthorizationPolicy \(policy.name) governs nothing here: no Gateway of its namespace, and not this proxy's workload, has the labels \(wanted)"
        ))
    }
  }
}
