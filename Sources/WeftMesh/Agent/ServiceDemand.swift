import WeftConfig

/// The services that requests have asked for, and by which hosts.
struct ServiceDemand {
  /// Services of one proxy; beyond them the oldest that do not exist are forgotten, then the oldest.
  static let limit = 1_000
  private static let hostLimit = 16

  private let namespace: String
  /// NAMESPACE/NAME, the oldest first.
  private(set) var names: [String] = []
  private var hosts: [String: Set<String>] = [:]

  init(namespace: String) { self.namespace = namespace }

  /// - Returns: whether there is a new service among them.
  mutating func add(_ wanted: Set<String>, holding held: HeldResources) -> Bool {
    var isNew = false
    for host in wanted {
      guard let name = MeshHosts.service(host, from: namespace)?.description else { continue }
      if hosts[name] == nil {
        if names.count >= Self.limit { forgetOne(held) }
        names.append(name)
        isNew = true
      }
      if hosts[name, default: []].count < Self.hostLimit { hosts[name, default: []].insert(host) }
    }
    // A host that was not heard before, of a service that does not exist, is answered by another set too.
    return isNew || !wanted.isEmpty
  }

  mutating func restore(_ names: [String]) {
    for name in names.prefix(Self.limit) where hosts[name] == nil {
      self.names.append(name)
      hosts[name] = []
    }
  }

  /// Hosts of services of which the control plane has said that there are none.
  func absent(_ held: HeldResources, answered: Set<Interest>) -> Set<String> {
    var absent: Set<String> = []
    for name in names where !exists(name, held) {
      let isAnswered = [ResourceType.service, ResourceType.weftService].allSatisfy {
        answered.contains(Interest(type: $0, name: name))
      }
      if isAnswered { absent.formUnion(hosts[name] ?? []) }
    }
    return absent
  }

  private func exists(_ name: String, _ held: HeldResources) -> Bool {
    held[ResourceType.service, name] != nil || held[ResourceType.weftService, name] != nil
  }

  private mutating func forgetOne(_ held: HeldResources) {
    let index = names.firstIndex { !exists($0, held) } ?? 0
    hosts[names.remove(at: index)] = nil
  }
}
