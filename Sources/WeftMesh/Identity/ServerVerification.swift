import Crypto
import Foundation
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Whether the server at the other end is the control plane: its certificate comes from a root that we know, and names
/// it. A workload's certificate, from the same root, has no such name.
struct ServerVerification: Sendable {
  enum Trust: Sendable {
    /// SHA-256 of roots, in hexadecimal digits: what a join token brings. The server shows the root itself.
    case digests(Set<String>)
    /// PEM.
    case roots(String)
  }

  /// The DNS name in the control plane's certificate.
  static let serverName = "weft-control"

  let trust: Trust

  /// For the TLS library, which has certificates of its own.
  func verify(_ shown: [NIOSSLCertificate], _ promise: EventLoopPromise<NIOSSLVerificationResultWithMetadata>) {
    let bytes = shown.compactMap { try? $0.toDERBytes() }
    promise.completeWithTask {
      guard await isControlPlane(bytes) else { return .failed }
      return .certificateVerified(VerificationMetadata(nil))
    }
  }

  func isControlPlane(_ shown: [[UInt8]]) async -> Bool {
    let certificates = shown.prefix(8).compactMap { try? Certificate(derEncoded: $0) }
    guard certificates.count == min(shown.count, 8), let leaf = certificates.first else { return false }
    guard let names = try? leaf.extensions.subjectAlternativeNames, names.contains(.dnsName(Self.serverName)) else {
      return false
    }
    var verifier = Verifier(rootCertificates: CertificateStore(roots(shown))) {
      RFC5280Policy()
    }
    let result = await verifier.validate(
      leaf: leaf, intermediates: CertificateStore(certificates.dropFirst()))
    if case .validCertificate = result { return true }
    return false
  }

  private func roots(_ shown: [[UInt8]]) -> [Certificate] {
    switch trust {
    case .digests(let wanted):
      shown.filter { bytes in
        wanted.contains(
          SHA256.hash(data: bytes).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0\(digits)" : digits
          }.joined())
      }.compactMap { try? Certificate(derEncoded: $0) }
    case .roots(let text):
      ((try? PEMDocument.parseMultiple(pemString: text)) ?? []).compactMap { try? Certificate(pemDocument: $0) }
    }
  }
}
