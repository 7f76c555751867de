import WeftIdentity

/// What the store holds of the mesh's certificate authority: one value, changed by compare-and-swap, so that all replicas
/// act on the same. Private keys in it are sealed.
struct AuthorityRecord: Codable, Sendable, Hashable {
  static let key = "/control/authority/state"

  struct Root: Codable, Sendable, Hashable {
    /// SHA-256 of the root certificate.
    var id: String
    /// PEM: the certificate that signs, then its issuers with the root.
    var chain: String
    var sealedKey: String
    /// Seconds since the Unix epoch, as all times here.
    var trustedSince: Double
    /// From then on it signs; the latest root whose time has come does.
    var signsFrom: Double
    /// From then on it is not trusted any more; nil: as long as it is the latest.
    var trustedUntil: Double?
  }

  struct TokenKey: Codable, Sendable, Hashable {
    var id: String
    var sealedKey: String
    var created: Double
  }

  var trustDomain: String
  var roots: [Root]
  var tokenKeys: [TokenKey]

  /// The root that signs at `now`.
  func active(at now: Double) -> Root? {
    roots.filter { $0.signsFrom <= now }.max { $0.signsFrom < $1.signsFrom } ?? roots.first
  }

  /// The roots that are trusted at `now`, the one that signs first.
  func trusted(at now: Double) -> [Root] {
    let active = active(at: now)
    let others = roots.filter { $0.id != active?.id && ($0.trustedUntil.map { now < $0 } ?? true) }
    return (active.map { [$0] } ?? []) + others
  }

  /// Adds a root that is trusted at once and signs when every certificate that is valid now has been renewed, so that
  /// everybody has learnt of it; the old ones are trusted until everything that they signed has ended.
  /// - Parameter overlap: the longest life of a workload's certificate, in seconds.
  mutating func rotate(to root: Root, overlap: Double, now: Double) {
    var new = root
    new.trustedSince = now
    new.signsFrom = now + overlap
    for index in roots.indices where roots[index].trustedUntil == nil {
      // It signs until the new one does, and what it signs then lives for another overlap.
      roots[index].trustedUntil = now + 2 * overlap
    }
    roots.append(new)
    forget(at: now)
  }

  /// Drops roots that are not trusted any more.
  mutating func forget(at now: Double) {
    roots.removeAll { root in root.trustedUntil.map { $0 <= now } ?? false }
  }
}

/// A workload whose certificates and tokens are refused: those that were issued before `since`.
struct Revocation: Codable, Sendable, Hashable {
  static let prefix = "/control/authority/revoked/"

  /// Seconds since the Unix epoch.
  var since: Double
  var by: String
  var reason: String

  static func key(namespace: String, name: String) -> String { "\(prefix)\(namespace)/\(name)" }
}
