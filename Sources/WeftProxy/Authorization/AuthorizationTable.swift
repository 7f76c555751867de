import WeftConfig
import WeftIO

/// Every authorization of a snapshot: what governs each listener, and what governs each service.
final class AuthorizationTable: Sendable {
  struct Policy: Sendable {
    /// `namespace/name`.
    let name: OwnedBytes
    let action: AuthorizationPolicy.Action
    let isDryRun: Bool

    var title: String { "\(action.rawValue) \(name.bytes.string)\(isDryRun ? ", tried only" : "")" }
  }

  /// What governs a place's requests and its connections of TCP and TLS routes; nil: nobody.
  struct Sets: Sendable {
    let requests: AuthorizationSet
    let connections: AuthorizationSet
    /// What is asked of tokens before; nil: nothing.
    let tokens: TokenRules?
  }

  /// A listener's, which several Gateways may share.
  struct Listener: Sendable {
    /// By hostname, the most specific first. One entry: the same for every name.
    let entries: [(hostname: HostPattern, sets: Sets?)]
    /// Takes the requests of the workload beside the proxy, which nobody has to authorize here: the services that they
    /// go to see who sends them, and ask their policies.
    var isOutbound = false
  }

  let policies: [Policy]
  /// By the index of the snapshot's listener.
  let listeners: [Listener]
  /// By the index of the snapshot's service.
  let services: [Sets?]

  init(policies: [Policy], listeners: [Listener], services: [Sets?]) {
    self.policies = policies
    self.listeners = listeners
    self.services = services
  }

  /// What governs the requests at a listener for `host`, the value of a Host field, or the connections for that server
  /// name.
  func sets(listener: Int, host: Bytes) -> Sets? {
    guard listeners.indices.contains(listener) else { return nil }
    let entries = listeners[listener].entries
    if entries.count < 2 { return entries.first?.sets }
    let name = host.slice(0, RequestHost.nameLength(host)).array.map(asciiLower)
    return entries.first { $0.hostname.matches(name) }?.sets
  }

  /// Whether policies have nothing to say at a listener.
  func isExempt(listener: Int) -> Bool { listeners.indices.contains(listener) && listeners[listener].isOutbound }

  /// What has to be fetched for all rules about tokens, each address once.
  var remoteKeySets: [RemoteKeySet] {
    var seen: Set<UInt64> = []
    let sets = listeners.flatMap { $0.entries.map(\.sets) } + services
    return RemoteKeySet.union(
      sets.compactMap { $0?.tokens }.filter { seen.insert($0.number).inserted }.flatMap(\.remoteKeySets))
  }

  /// What governs the requests for a service.
  func sets(service: Int) -> Sets? { services.indices.contains(service) ? services[service] : nil }
}

extension AuthorizationTable {
  /// Says what each policy of `set` makes of a request, and what comes of it, in one line each.
  func explain(_ set: AuthorizationSet, _ input: inout AuthorizationInput) -> [String] {
    let decision = set.decide(&input)
    let who = decision.policy >= 0 ? " by \(policies[Int(decision.policy)].title)" : ""
    var lines = [
      decision.isAllowed
        ? "allowed\(who.isEmpty ? ": no policy denies it, and none of action ALLOW has to match" : who)"
        : "denied with 403\(who.isEmpty ? ": there are ALLOW policies, and none matches" : who)"
    ]
    for (policy, isMatch) in set.matches(&input) {
      lines.append("  \(policies[policy].title): \(isMatch ? "matches" : "does not match")")
    }
    return lines
  }
}
