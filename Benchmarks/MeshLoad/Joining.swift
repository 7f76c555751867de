import Crypto
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import NIOPosix
import NIOSSL
import WeftIdentity
import WeftProtocol

typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

struct LoadError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// What a proxy has once it has joined.
struct LoadIdentity: Sendable {
  let key: WorkloadKey
  let chain: String
  let roots: String

  /// Mutual TLS, the server by the mesh's roots.
  var security: HTTP2ClientTransport.Posix.TransportSecurity {
    .mTLS(
      certificateChain: [.bytes(Array(chain.utf8), format: .pem)], privateKey: .bytes(Array(key.pem.utf8), format: .pem)
    ) { tls in
      tls.trustRoots = .certificates([.bytes(Array(roots.utf8), format: .pem)])
    }
  }
}

/// Gets real identities for all proxies of the load, over one connection.
struct Joining: Sendable {
  let port: Int
  let group: MultiThreadedEventLoopGroup

  /// - Parameter tokens: reusable join tokens by service.
  func identities(
    numbers: Range<Int>, tokens: [String: String], services: Int, atOnce: Int
  ) async throws -> [(Int, LoadIdentity)] {
    guard let some = tokens.values.first else { throw LoadError("there are no join tokens") }
    let roots = Set(try JoinToken(unverified: some).roots)
    let security = HTTP2ClientTransport.Posix.TransportSecurity.tls { tls in
      tls.serverCertificateVerification = .noHostnameVerification
      tls.customVerificationCallback = { certificates, promise in
        let digest = (try? certificates.last?.toDERBytes()).map { Self.digest($0) } ?? ""
        promise.succeed(roots.contains(digest) ? .certificateVerified(VerificationMetadata(nil)) : .failed)
      }
    }
    let transport = try HTTP2ClientTransport.Posix(
      target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: security, eventLoopGroup: group)
    return try await withGRPCClient(transport: transport) { client in
      try await withThrowingTaskGroup(of: (Int, LoadIdentity).self) { group in
        var made: [(Int, LoadIdentity)] = []
        for (index, number) in numbers.enumerated() {
          guard let token = tokens["svc-\(number % services)"] else {
            throw LoadError("there is no join token for svc-\(number % services)")
          }
          // Below the server's limit of calls on one connection.
          if index >= min(atOnce, 24), let one = try await group.next() { made.append(one) }
          group.addTask { (number, try await join(client, token)) }
        }
        for try await one in group { made.append(one) }
        return made
      }
    }
  }

  private static func digest(_ bytes: [UInt8]) -> String {
    SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private func join(_ client: Client, _ token: String) async throws -> LoadIdentity {
    let key = WorkloadKey()
    var request = Weft_Discovery_V1_SignRequest()
    request.csr = Data(try key.signingRequest(for: try JoinToken(unverified: token).workload))
    request.joinToken = token
    let answer = try await Weft_Discovery_V1_Identity.Client(wrapping: client).sign(request)
    return LoadIdentity(key: key, chain: answer.certificateChain, roots: answer.roots)
  }
}
