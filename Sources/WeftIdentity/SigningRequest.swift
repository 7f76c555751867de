import Crypto
import SwiftASN1
import X509

/// A request for a certificate (PKCS#10), checked: whoever made it holds the private key of the public key in it.
public struct SigningRequest: Sendable {
  /// Bytes that are read.
  public static let maxLength = 16_384

  public let publicKey: Certificate.PublicKey
  /// The identity that it asks for; nil when it leaves that open.
  public let id: SPIFFEID?

  /// - Throws: `IdentityError` when it is malformed, its signature is wrong, its key is not one that the mesh uses, or it
  ///   asks for a name that no workload has.
  public init(der: [UInt8]) throws(IdentityError) {
    guard der.count <= Self.maxLength else {
      throw IdentityError("a signing request of \(der.count) bytes; at most \(Self.maxLength) are read")
    }
    let request: CertificateSigningRequest
    do { request = try CertificateSigningRequest(derEncoded: der) } catch {
      throw IdentityError("this is no signing request (PKCS#10, DER): \(error)")
    }
    guard request.publicKey.isValidSignature(request.signature, for: request) else {
      throw IdentityError("the signature of the signing request is wrong: it was not made with the key that it names")
    }
    guard Self.isAccepted(request.publicKey) else {
      throw IdentityError("the key of the signing request is not ECDSA on P-256, which the mesh uses")
    }
    publicKey = request.publicKey
    id = try Self.requestedIdentity(request)
  }

  /// SHA-256 of the public key, in hexadecimal.
  public var keyFingerprint: String {
    var serializer = DER.Serializer()
    do { try serializer.serialize(publicKey) } catch { return "" }
    return SHA256.hash(data: serializer.serializedBytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The OIDs of ECDSA public keys and P-256, as they stand in a SubjectPublicKeyInfo (RFC 5480).
  private static func isAccepted(_ key: Certificate.PublicKey) -> Bool {
    // The only accessible form of the algorithm is the encoded key: 91 bytes with a fixed head for P-256.
    let head: [UInt8] = [
      0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
      0x3d, 0x03, 0x01, 0x07,
    ]
    var serializer = DER.Serializer()
    do { try serializer.serialize(key) } catch { return false }
    return serializer.serializedBytes.starts(with: head)
  }

  private static func requestedIdentity(_ request: CertificateSigningRequest) throws(IdentityError) -> SPIFFEID? {
    let names: SubjectAlternativeNames?
    do {
      guard let attribute = request.attributes[oid: .CSRAttributes.extensionRequest] else { return nil }
      names = try ExtensionRequest(attribute).extensions.subjectAlternativeNames
    } catch { throw IdentityError("the names in the signing request cannot be read: \(error)") }
    guard let names, !names.isEmpty else { return nil }
    guard names.count == 1, case .uniformResourceIdentifier(let text)? = names.first, let id = SPIFFEID(text) else {
      throw IdentityError(
        "the signing request asks for other names than one spiffe://DOMAIN/ns/NAMESPACE/sa/NAME; leave them out")
    }
    return id
  }
}
