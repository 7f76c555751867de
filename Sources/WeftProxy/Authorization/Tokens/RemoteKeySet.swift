import WeftConfig

/// A key set that the rules of a configuration have fetched for them.
struct RemoteKeySet: Sendable {
  let location: KeySetLocation
  /// Milliseconds that a fetch may take: the least that a rule gives.
  var timeout: UInt64
  /// The rules.
  var origins: [Origin]

  /// Each address once, with all rules that name it.
  static func union(_ sets: [RemoteKeySet]) -> [RemoteKeySet] {
    var order: [String] = []
    var merged: [String: RemoteKeySet] = [:]
    for set in sets {
      let uri = set.location.uri
      guard var known = merged[uri] else {
        order.append(uri)
        merged[uri] = set
        continue
      }
      known.timeout = min(known.timeout, set.timeout)
      let places = Set(known.origins.map(\.location))
      known.origins += set.origins.filter { !places.contains($0.location) }
      merged[uri] = known
    }
    return order.compactMap { merged[$0] }
  }
}
