import Foundation
import X509

/// The roots that a mesh trusts, and what they vouch for.
public struct TrustBundle: Sendable {
  public let trustDomain: String
  public let roots: [Certificate]

  public init(trustDomain: String, roots: [Certificate]) {
    self.trustDomain = trustDomain
    self.roots = roots
  }

  /// PEM of all roots.
  public var pem: String { roots.pem }

  /// SHA-256 of each root, in hexadecimal.
  public var fingerprints: [String] { roots.map(\.fingerprint) }

  /// Whether a workload of the mesh holds `chain`, and which.
  /// - Parameter chain: as the peer presented it, its own certificate first.
  /// - Throws: `IdentityError` with the reason.
  public func workload(_ chain: [Certificate], now: Date = Date()) async throws -> SPIFFEID {
    guard let leaf = chain.first else { throw IdentityError("no certificate was presented") }
    guard let id = leaf.spiffeID else {
      throw IdentityError("the certificate of \(leaf.subject) names no workload (spiffe://DOMAIN/ns/NAMESPACE/sa/NAME)")
    }
    guard id.trustDomain == trustDomain else {
      throw IdentityError("\(id) is of another trust domain; this mesh is \(trustDomain)")
    }
    guard now < leaf.notValidAfter else {
      throw IdentityError("the certificate of \(id) ended at \(leaf.notValidAfter); join again with a token")
    }
    guard now >= leaf.notValidBefore else {
      throw IdentityError("the certificate of \(id) is valid only from \(leaf.notValidBefore) on; check the clocks")
    }
    if let usage = try? leaf.extensions.extendedKeyUsage, !usage.contains(.clientAuth), !usage.contains(.any) {
      throw IdentityError("the certificate of \(id) is not for clients (extendedKeyUsage)")
    }
    guard await isTrusted(leaf, Array(chain.dropFirst())) else {
      throw IdentityError(
        "the certificate of \(id) was not signed by a root that this mesh trusts; join again with a token")
    }
    return id
  }

  private func isTrusted(_ leaf: Certificate, _ intermediates: [Certificate]) async -> Bool {
    // A chain longer than this is none of ours, and building paths takes time.
    guard intermediates.count <= 8 else { return false }
    var verifier = Verifier(rootCertificates: CertificateStore(roots)) { RFC5280Policy() }
    switch await verifier.validate(leaf: leaf, intermediates: CertificateStore(intermediates)) {
    case .validCertificate: return true
    case .couldNotValidate: return false
    }
  }
}
