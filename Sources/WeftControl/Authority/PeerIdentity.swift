import GRPCCore
import GRPCNIOTransportHTTP2
import WeftIdentity
import X509

/// Who is at the other end of a call.
struct PeerIdentity: Sendable {
  let id: SPIFFEID
  /// Seconds since the Unix epoch, both.
  let issued: Double
  let notAfter: Double

  /// The workload that the caller's certificate proves. TLS has shown that the caller holds its key; whether the
  /// certificate is worth something is seen here, against the roots of this moment.
  /// - Throws: `IdentityError` when there is none, it is not good, or it was revoked.
  static func authenticate(_ context: ServerContext, _ authority: Authority) async throws -> PeerIdentity {
    guard let transport = context.transportSpecific as? HTTP2ServerTransport.Posix.Context,
      let leaf = transport.peerCertificate
    else {
      throw IdentityError("this call needs the client certificate of a workload: join with a token first")
    }
    let id = try await authority.trust.workload(transport.peerCertificateChain.map(Array.init) ?? [leaf])
    if await authority.isRevoked(id, issued: leaf.issuedAt) {
      throw IdentityError("\(id) was revoked: a new join token lets it in again")
    }
    return PeerIdentity(id: id, issued: leaf.issuedAt, notAfter: leaf.notValidAfter.timeIntervalSince1970)
  }
}
