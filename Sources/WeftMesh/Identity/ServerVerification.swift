import Crypto
import Foundation
import NIOCore
import NIOSSL
import SwiftASN1
import Synchronization
import X509

/// Whether the server at the other end is the control plane: its certificate comes from a root that we know, and names
/// it. A workload's certificate, from the same root, has no such name.
final class ServerVerification: Sendable {
  enum Trust: Sendable {
    /// SHA-256 of roots, in hexadecimal digits: what a join token brings. The server shows the root itself. A proxy that
    /// was in the mesh before knows roots, in PEM, from then.
    case digests(Set<String>, known: String?)
    /// PEM.
    case roots(String)
  }

  /// The DNS name in the control plane's certificate.
  static let serverName = "weft-control"

  let trust: Trust
  private let found = Mutex<String?>(nil)

  init(trust: Trust) { self.trust = trust }

  /// Why the last server was none that we know; the transport itself says only that it could not connect.
  var problem: String? { found.withLock { $0 } }

  /// For the TLS library, which has certificates of its own.
  func verify(_ shown: [NIOSSLCertificate], _ promise: EventLoopPromise<NIOSSLVerificationResultWithMetadata>) {
    let bytes = shown.compactMap { try? $0.toDERBytes() }
    promise.completeWithTask {
      let problem = await self.problem(of: bytes)
      self.found.withLock { $0 = problem }
      if problem != nil { return .failed }
      return .certificateVerified(VerificationMetadata(nil))
    }
  }

  func isControlPlane(_ shown: [[UInt8]]) async -> Bool { await problem(of: shown) == nil }

  /// nil: it is the control plane.
  private func problem(of shown: [[UInt8]]) async -> String? {
    let certificates = shown.prefix(8).compactMap { try? Certificate(derEncoded: $0) }
    guard certificates.count == min(shown.count, 8), let leaf = certificates.first else {
      return "the server has no certificate that can be read"
    }
    guard let names = try? leaf.extensions.subjectAlternativeNames, names.contains(.dnsName(Self.serverName)) else {
      return
        "the server is no control plane of Weft: its certificate does not name \(Self.serverName); name the address of discovery, which is port 15081 unless told otherwise"
    }
    let roots = roots(shown)
    if roots.isEmpty {
      return
        "the server's root is none that the join token names: the token is of another mesh, or the root was rotated after it was made; make a new one with \"weft token create --join\""
    }
    var verifier = Verifier(rootCertificates: CertificateStore(roots)) {
      RFC5280Policy()
    }
    let result = await verifier.validate(
      leaf: leaf, intermediates: CertificateStore(certificates.dropFirst()))
    if case .validCertificate = result { return nil }
    return
      "the server's certificate comes from no root that this proxy knows, or its time is not now: it is the control plane of another mesh, or the roots were rotated while the proxy was away; then it needs a new join token and an empty state folder"
  }

  private func roots(_ shown: [[UInt8]]) -> [Certificate] {
    switch trust {
    case .digests(let wanted, let known):
      shown.filter { bytes in
        wanted.contains(
          SHA256.hash(data: bytes).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0\(digits)" : digits
          }.joined())
      }.compactMap { try? Certificate(derEncoded: $0) } + (known.map(Self.certificates) ?? [])
    case .roots(let text): Self.certificates(text)
    }
  }

  private static func certificates(_ text: String) -> [Certificate] {
    ((try? PEMDocument.parseMultiple(pemString: text)) ?? []).compactMap { try? Certificate(pemDocument: $0) }
  }
}
