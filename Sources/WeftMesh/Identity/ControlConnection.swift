import GRPCCore
import GRPCNIOTransportHTTP2
import NIOPosix
import WeftConfig

/// Connections to the control plane: TLS with the server verified as `ServerVerification` says.
struct ControlConnection: Sendable {
  typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

  /// `HOST:PORT`.
  let address: String
  let group: MultiThreadedEventLoopGroup

  /// Bytes of a message: a delta with many resources.
  static let messageLimit = 64 << 20

  /// Runs `body` with a client, and ends the connection behind it.
  /// - Parameter identity: shown to the server; nil: none yet.
  func with<Value: Sendable>(
    _ trust: ServerVerification.Trust, identity: MeshIdentity?,
    _ body: @Sendable @escaping (Client) async throws -> Value
  ) async throws -> Value {
    let verification = ServerVerification(trust: trust)
    let security = HTTP2ClientTransport.Posix.TransportSecurity.tls { tls in
      tls.serverCertificateVerification = .noHostnameVerification
      tls.customVerificationCallback = { verification.verify($0, $1) }
      if let identity {
        tls.certificateChain = identity.chainSources
        tls.privateKey = .bytes(Array(identity.key.pem.utf8), format: .pem)
      }
    }
    var config = HTTP2ClientTransport.Posix.Config.defaults
    config.backoff = .init(initial: .milliseconds(200), max: .seconds(2), multiplier: 1.6, jitter: 0.2)
    config.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: false)
    config.http2.targetWindowSize = 1 << 20
    let transport = try HTTP2ClientTransport.Posix(
      target: try target(), transportSecurity: security, config: config, eventLoopGroup: group)
    do {
      return try await withGRPCClient(transport: transport) { client in try await body(client) }
    } catch {
      if let problem = verification.problem { throw MeshError(problem) }
      throw error
    }
  }

  private func target() throws(MeshError) -> any ResolvableTarget {
    switch ServiceEndpoint.Address(address) {
    case .ip(let ip, let port):
      return ip.contains(":") ? .ipv6(address: ip, port: port) : .ipv4(address: ip, port: port)
    case .name(let name, let port): return .dns(host: name, port: port)
    case .unix(let path): return .unixDomainSocket(path: path)
    case nil:
      throw MeshError("\"\(address)\" is no address of a control plane; write HOST:PORT, such as 127.0.0.1:15081")
    }
  }
}

extension MeshIdentity {
  /// The certificate and its intermediates, each on its own, as the transport wants them.
  var chainSources: [TLSConfig.CertificateSource] {
    var sources: [TLSConfig.CertificateSource] = []
    var block = ""
    for line in chain.split(separator: "\n") {
      block += line + "\n"
      if line.hasPrefix("-----END") {
        sources.append(.bytes(Array(block.utf8), format: .pem))
        block = ""
      }
    }
    return sources
  }
}
