import Crypto
import Foundation
import SwiftASN1
import X509

/// The private key of a workload: ECDSA on P-256. It is made where it is used, and never leaves that machine.
public struct WorkloadKey: Sendable {
  let key: P256.Signing.PrivateKey

  /// A new key.
  public init() { key = P256.Signing.PrivateKey() }

  /// Reads what `pem` wrote (PKCS#8), or SEC 1.
  public init(pem: String) throws(IdentityError) {
    do { key = try P256.Signing.PrivateKey(pemRepresentation: pem) } catch {
      throw IdentityError("this is no private key for P-256 in PEM: \(error)")
    }
  }

  /// PKCS#8 in PEM. A secret: files with it have mode 0600.
  public var pem: String { key.pemRepresentation }

  /// The public half, as certificates carry it.
  public var publicKey: Certificate.PublicKey { Certificate.PublicKey(key.publicKey) }

  /// A request (PKCS#10, DER) for a certificate with this key.
  /// - Parameter id: what the certificate shall say; the control plane compares it with what it knows of the caller.
  public func signingRequest(for id: SPIFFEID) throws(IdentityError) -> [UInt8] {
    do {
      let names = try Certificate.Extensions {
        SubjectAlternativeNames([.uniformResourceIdentifier(id.description)])
      }
      let request = try CertificateSigningRequest(
        version: .v1, subject: try DistinguishedName { OrganizationName("weft") },
        privateKey: Certificate.PrivateKey(key),
        attributes: CertificateSigningRequest.Attributes([.init(ExtensionRequest(extensions: names))]))
      var serializer = DER.Serializer()
      try serializer.serialize(request)
      return serializer.serializedBytes
    } catch { throw IdentityError("cannot make a signing request: \(error)") }
  }
}
