import Foundation
import Logging
import NIOCore
import NIOSSL
import Synchronization
import WeftIdentity

/// TLS of the control plane's own server: a certificate of the mesh's authority that is renewed while connections go on.
/// Client certificates are asked for and not required: a proxy that joins has none yet. Whether one is worth something
/// is decided at each call, against the roots of that moment (`PeerIdentity`); TLS sees that the client has its key.
final class ServerTLS: Sendable {
  private struct State {
    var context: NIOSSLContext
    /// Seconds since the Unix epoch.
    var renewal: Double
  }

  private let authority: Authority
  private let names: [String]
  private let addresses: [String]
  private let log: Logger
  private let state: Mutex<State>

  init(_ authority: Authority, names: [String], addresses: [String], log: Logger) async throws {
    self.authority = authority
    self.names = names
    self.addresses = addresses
    self.log = log
    state = Mutex(try await Self.make(authority, names, addresses))
  }

  private static func make(_ authority: Authority, _ names: [String], _ addresses: [String]) async throws -> State {
    let now = Date().timeIntervalSince1970
    let made = try await authority.serverCertificate(
      names: names, addresses: addresses, lifetime: authority.lifetime)
    let chain = try NIOSSLCertificate.fromPEMBytes(Array(made.chain.utf8))
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(made.key.utf8), format: .pem)))
    configuration.minimumTLSVersion = .tlsv12
    configuration.certificateVerification = .optionalVerification
    configuration.applicationProtocols = ["h2"]
    return State(
      context: try NIOSSLContext(configuration: configuration), renewal: now + (made.notAfter - now) * 2 / 3)
  }

  /// For a new connection.
  func handler() -> NIOSSLServerHandler {
    let context = state.withLock { $0.context }
    return NIOSSLServerHandler(
      context: context,
      customVerificationCallbackWithMetadata: { certificates, promise in
        guard !certificates.isEmpty, certificates.count <= 16 else { return promise.succeed(.failed) }
        // Passed on as they came; nothing trusts them before `PeerIdentity` has verified them. A certificate that comes
        // alone is found at the connection, which keeps it anyway.
        let chain = certificates.count > 1 ? ValidatedCertificateChain(certificates) : nil
        promise.succeed(.certificateVerified(VerificationMetadata(chain)))
      })
  }

  /// Renews the certificate at two thirds of its life, until cancelled.
  func run() async {
    while !Task.isCancelled {
      let wait = max(state.withLock { $0.renewal } - Date().timeIntervalSince1970, 0.5)
      // The clock may jump: look at least once a minute.
      do { try await Task.sleep(for: .seconds(min(wait, 60))) } catch { return }
      guard state.withLock({ $0.renewal }) <= Date().timeIntervalSince1970 else { continue }
      do {
        let new = try await Self.make(authority, names, addresses)
        state.withLock { $0 = new }
      } catch { log.error("the control plane's certificate cannot be renewed: \(error)") }
    }
  }
}
