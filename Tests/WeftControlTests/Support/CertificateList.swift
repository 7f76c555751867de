import WeftIdentity
import X509

/// Certificates of a PEM text.
enum CertificateList {
  static func read(_ pem: String) throws -> [Certificate] { try Certificate.all(inPEM: pem) }
}
