import WeftIdentity

/// What the certificate authority trusts and refuses at a moment.
public struct AuthorityStatus: Sendable {
  public enum RootState: String, Sendable {
    /// Signs.
    case signing
    /// Is trusted, and signs once everybody knows it.
    case next
    /// Is trusted until what it signed has ended.
    case retiring
  }

  public struct Root: Sendable {
    /// SHA-256 of the certificate, in hexadecimal.
    public let fingerprint: String
    public let state: RootState
    /// Seconds since the Unix epoch, as all times here.
    public let signsFrom: Double
    public let trustedUntil: Double?
    /// Of the certificate that signs: the root's own, or an intermediate's.
    public let notAfter: Double
  }

  /// A workload to which nothing that was issued until `since` is of use.
  public struct Revoked: Sendable {
    public let namespace: String
    public let name: String
    public let since: Double
    public let by: String
    public let reason: String
  }

  public let trustDomain: String
  /// Seconds.
  public let certificateLifetime: Double
  public let roots: [Root]
  /// PEM of all roots.
  public let pem: String
  public let revoked: [Revoked]
}

extension Authority {
  public var status: AuthorityStatus {
    let now = clock()
    let active = record.active(at: now)?.id
    let roots = record.trusted(at: now).map { root in
      AuthorityStatus.Root(
        fingerprint: root.id,
        state: root.id == active ? .signing : root.signsFrom > now ? .next : .retiring, signsFrom: root.signsFrom,
        trustedUntil: root.trustedUntil,
        notAfter: authorities[root.id]?.certificate.notValidAfter.timeIntervalSince1970 ?? 0)
    }
    let revoked = revoked.sorted { $0.key < $1.key }.compactMap { workload, revocation -> AuthorityStatus.Revoked? in
      let names = workload.split(separator: "/").map(String.init)
      guard names.count == 2 else { return nil }
      return AuthorityStatus.Revoked(
        namespace: names[0], name: names[1], since: revocation.since, by: revocation.by, reason: revocation.reason)
    }
    return AuthorityStatus(
      trustDomain: trustDomain, certificateLifetime: lifetime, roots: roots, pem: trust.pem, revoked: revoked)
  }
}
