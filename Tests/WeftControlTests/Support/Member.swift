import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import NIOSSL
import WeftIdentity
import WeftProtocol

/// What a proxy has once it has joined.
struct Member: Sendable {
  var id: SPIFFEID
  var key: WorkloadKey
  var chain: String
  var roots: String
  var notAfter: Int64

  /// Joins with a token, over TLS in which the server is known by nothing but the token's digests.
  static func join(_ port: Int, token: String, key: WorkloadKey = WorkloadKey(), id: SPIFFEID? = nil, ttl: UInt32 = 0)
    async throws -> Member
  {
    let known = try JoinToken(unverified: token)
    var request = Weft_Discovery_V1_SignRequest()
    request.csr = Data(try key.signingRequest(for: id ?? known.workload))
    request.joinToken = token
    request.ttlSeconds = ttl
    return try await sign(port, request, key: key, security: joining(known))
  }

  /// Renews with the certificate at hand, for a new key.
  func renew(_ port: Int, as id: SPIFFEID? = nil) async throws -> Member {
    let key = WorkloadKey()
    var request = Weft_Discovery_V1_SignRequest()
    request.csr = Data(try key.signingRequest(for: id ?? self.id))
    return try await Self.sign(port, request, key: key, security: security)
  }

  private static func sign(
    _ port: Int, _ request: Weft_Discovery_V1_SignRequest, key: WorkloadKey,
    security: HTTP2ClientTransport.Posix.TransportSecurity
  ) async throws -> Member {
    let answer = try await withConnection(port, security) { client in
      try await Weft_Discovery_V1_Identity.Client(wrapping: client).sign(request)
    }
    guard let id = SPIFFEID(answer.spiffeID) else { throw IdentityError("no SPIFFE ID in the answer") }
    return Member(
      id: id, key: key, chain: answer.certificateChain, roots: answer.roots, notAfter: answer.notAfter)
  }

  /// Trusts a server whose chain ends in a root of the token.
  private static func joining(_ token: JoinToken) -> HTTP2ClientTransport.Posix.TransportSecurity {
    .tls { tls in
      tls.serverCertificateVerification = .noHostnameVerification
      tls.customVerificationCallback = { certificates, promise in
        let pems = certificates.compactMap { try? $0.toDERBytes() }.map { der in
          "-----BEGIN CERTIFICATE-----\n\(Data(der).base64EncodedString(options: .lineLength64Characters))\n-----END CERTIFICATE-----\n"
        }
        let chain = (try? pems.flatMap { try CertificateList.read($0) }) ?? []
        let isKnown = chain.last.map { token.roots.contains($0.fingerprint) } ?? false
        promise.succeed(isKnown ? .certificateVerified(VerificationMetadata(nil)) : .failed)
      }
    }
  }

  /// Mutual TLS, the server by the mesh's roots.
  var security: HTTP2ClientTransport.Posix.TransportSecurity {
    .mTLS(
      certificateChain: [.bytes(Array(chain.utf8), format: .pem)], privateKey: .bytes(Array(key.pem.utf8), format: .pem)
    ) { tls in
      tls.trustRoots = .certificates([.bytes(Array(roots.utf8), format: .pem)])
    }
  }

  /// The same roots, no certificate.
  var withoutCertificate: HTTP2ClientTransport.Posix.TransportSecurity {
    .tls { $0.trustRoots = .certificates([.bytes(Array(roots.utf8), format: .pem)]) }
  }
}

/// Runs `body` with a connection.
func withConnection<Value: Sendable>(
  _ port: Int, _ security: HTTP2ClientTransport.Posix.TransportSecurity,
  _ body: @Sendable (GRPCClient<HTTP2ClientTransport.Posix>) async throws -> Value
) async throws -> Value {
  let client = GRPCClient(
    transport: try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: security))
  let task = Task { try await client.runConnections() }
  defer {
    client.beginGracefulShutdown()
    task.cancel()
  }
  return try await body(client)
}
