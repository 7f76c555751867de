import Foundation
import GRPCCore
import Logging
import WeftIdentity
import WeftProtocol

/// Gets certificates: the first one for a join token, the others for the one before.
struct IdentityClient: Sendable {
  let options: MeshOptions
  let folder: StateFolder
  let log: Logger

  /// A certificate for a new key, kept in the state folder.
  /// - Parameters:
  ///   - present: proves who we are; nil, or over: the join token does.
  ///   - joins: the join token proves it anyway, for the present certificate is refused.
  func renew(
    _ present: MeshIdentity?, at connection: ControlConnection, joins: Bool = false
  ) async throws -> MeshIdentity {
    let key = try nextKey()
    var request = Weft_Discovery_V1_SignRequest()
    request.ttlSeconds = options.certificateLife
    let trust: ServerVerification.Trust
    var shown: MeshIdentity?
    if let present, present.notAfter > Date(), !joins {
      shown = present
      trust = .roots(present.roots)
      request.csr = Data(try key.signingRequest(for: present.id))
    } else {
      guard let token = options.joinToken else {
        throw MeshError(
          present == nil
            ? "the proxy has no identity yet and needs a join token (--token, --token-file or WEFT_JOIN_TOKEN); make one with \"weft token create --join\""
            : "the proxy's certificate has expired: it needs a new join token (--token, --token-file or WEFT_JOIN_TOKEN)"
        )
      }
      let given = try JoinToken(token, for: options)
      trust = .digests(Set(given.roots), known: present?.roots)
      request.joinToken = token
      request.csr = Data(try key.signingRequest(for: given.workload))
    }
    let message = request
    let response = try await connection.with(trust, identity: shown) { client in
      var call = CallOptions.defaults
      call.timeout = .seconds(10)
      // So that the reason why there is no connection is known; whoever calls tries again.
      call.waitForReady = false
      return try await Weft_Discovery_V1_Identity.Client(wrapping: client).sign(message, options: call)
    }
    let made = try MeshIdentity(key: key, chain: response.certificateChain, roots: response.roots)
    guard made.id.namespace == options.namespace, made.id.name == options.name else {
      throw MeshError("the control plane gave a certificate for \(made.id), not for this proxy")
    }
    try made.save(folder)
    return made
  }

  /// A key for the next certificate. Kept until there is one: when an answer is lost, the request is repeated with the
  /// same key, for a token that is good for one key would be used up otherwise.
  private func nextKey() throws -> WorkloadKey {
    if let known = try folder.read(MeshIdentity.nextKeyFile),
      let key = try? WorkloadKey(pem: String(decoding: known, as: UTF8.self))
    {
      return key
    }
    let key = WorkloadKey()
    try folder.write(MeshIdentity.nextKeyFile, Array(key.pem.utf8))
    return key
  }
}
