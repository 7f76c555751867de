import Crypto
import Foundation
import GRPCCore
import Logging
import WeftIdentity
import WeftProtocol
import WeftStore

/// Signs certificates for proxies: for a join token, or for the certificate that they have.
struct IdentityService: Weft_Discovery_V1_Identity.SimpleServiceProtocol {
  let authority: Authority
  let store: any Store
  let audit: IdentityAudit
  let log: Logger
  /// Reason, subject, message: for the events that people see.
  let report: @Sendable (MeshEvent.Severity, String, String, String) async -> Void

  func sign(request: Weft_Discovery_V1_SignRequest, context: ServerContext) async throws
    -> Weft_Discovery_V1_SignResponse
  {
    let id: SPIFFEID
    do {
      let csr = try SigningRequest(der: [UInt8](request.csr))
      let reason: String
      if request.joinToken.isEmpty {
        id = try await PeerIdentity.authenticate(context, authority).id
        reason = "renewed"
      } else {
        let token = try await authority.verify(token: request.joinToken)
        id = token.workload
        // What would be refused later must not use a token up.
        if let wanted = csr.id, wanted != id {
          throw IdentityError("the signing request asks for \(wanted), but the join token is for \(id)")
        }
        if token.use == .once { try await use(token, csr) }
        reason = "joined with token \(token.id)"
      }
      let issued = try await authority.issue(id, for: csr, seconds: request.ttlSeconds)
      try await audit.issued(issued, to: id, reason: reason, peer: context.remotePeer)
      await report(.normal, "CertificateIssued", "\(id.namespace)/\(id.name)", reason)
      var response = Weft_Discovery_V1_SignResponse()
      response.certificateChain = issued.chainPEM
      response.roots = await authority.trust.pem
      response.spiffeID = id.description
      response.notAfter = issued.notAfter
      return response
    } catch let error as IdentityError {
      log.notice("a certificate is refused", metadata: ["peer": "\(context.remotePeer)", "reason": "\(error)"])
      await audit.refused("certificate refuse", peer: context.remotePeer, reason: error.description)
      await report(.warning, "CertificateRefused", context.remotePeer, error.description)
      throw RPCError(code: .permissionDenied, message: error.description)
    } catch let error as StoreError {
      throw RPCError(code: .unavailable, message: "the store cannot be used: \(error)")
    }
  }

  /// Marks a token as used, by the key that it was used for: when the answer is lost on its way, the same proxy may ask
  /// again. The mark ends with the token.
  private func use(_ token: JoinToken, _ csr: SigningRequest) async throws {
    let key = "/control/tokens-used/\(token.id)"
    let mark = Array(csr.keyFingerprint.utf8)
    let left = Int(token.expires) - Int(Date().timeIntervalSince1970)
    let lease = try await store.grantLease(ttl: max(left + 60, 60))
    do {
      try await store.commit(Transaction(when: [.absent(key)], [.put(key, mark, lease: lease)]))
    } catch {
      guard case .conflict(let found) = error else { throw error }
      try? await store.revoke(lease)
      if found[key]??.value == mark { return }
      throw IdentityError("the join token was used already, and it is good for one proxy: have a new one made")
    }
  }
}
