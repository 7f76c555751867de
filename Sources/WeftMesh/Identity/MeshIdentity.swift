import Crypto
import Foundation
import SwiftASN1
import WeftIdentity
import X509

/// A proxy's key with the certificate that the mesh has given it. The key is made here and never leaves the state folder.
struct MeshIdentity: Sendable {
  let key: P256.Signing.PrivateKey
  /// PEM: the certificate and the intermediates.
  let chain: String
  /// PEM: every root that is trusted at present.
  let roots: String
  let certificate: Certificate
  let id: SPIFFEID

  init(key: P256.Signing.PrivateKey, chain: String, roots: String) throws(MeshError) {
    self.key = key
    self.chain = chain
    self.roots = roots
    do {
      guard let first = try PEMDocument.parseMultiple(pemString: chain).first else {
        throw MeshError("the control plane gave no certificate")
      }
      certificate = try Certificate(pemDocument: first)
    } catch let error as MeshError {
      throw error
    } catch {
      throw MeshError("the certificate is none: \(error)")
    }
    guard Certificate.PublicKey(key.publicKey) == certificate.publicKey else {
      throw MeshError("the certificate is for another key")
    }
    guard let id = MeshIdentity.spiffeID(certificate) else { throw MeshError("the certificate has no SPIFFE ID") }
    self.id = id
  }

  private static func spiffeID(_ certificate: Certificate) -> SPIFFEID? {
    guard let names = try? certificate.extensions.subjectAlternativeNames else { return nil }
    for case .uniformResourceIdentifier(let uri) in names { return SPIFFEID(uri) }
    return nil
  }

  var notAfter: Date { certificate.notValidAfter }
  /// At two thirds of its life.
  var renewal: Date {
    let life = certificate.notValidAfter.timeIntervalSince(certificate.notValidBefore)
    return certificate.notValidBefore.addingTimeInterval(life * 2 / 3)
  }

  /// A PKCS#10 request for a key, DER.
  static func request(_ key: P256.Signing.PrivateKey, _ id: SPIFFEID) throws(MeshError) -> [UInt8] {
    do {
      let extensions = try Certificate.Extensions {
        SubjectAlternativeNames([.uniformResourceIdentifier(id.description)])
      }
      let request = try CertificateSigningRequest(
        version: .v1, subject: DistinguishedName(), privateKey: Certificate.PrivateKey(key),
        attributes: CertificateSigningRequest.Attributes([.init(ExtensionRequest(extensions: extensions))]))
      var serializer = DER.Serializer()
      try serializer.serialize(request)
      return serializer.serializedBytes
    } catch {
      throw MeshError("a signing request cannot be made: \(error)")
    }
  }

  // MARK: Files

  static let nextKeyFile = "next.key"
  private static let keyFile = "identity.key"
  private static let chainFile = "identity.crt"
  private static let rootsFile = "roots.crt"

  /// The identity of the last run; nil when there is none that is whole.
  static func load(_ folder: StateFolder) throws(MeshError) -> MeshIdentity? {
    guard let key = try folder.read(keyFile), let chain = try folder.read(chainFile),
      let roots = try folder.read(rootsFile),
      let parsed = try? P256.Signing.PrivateKey(pemRepresentation: String(decoding: key, as: UTF8.self))
    else { return nil }
    // A crash between the files' renames leaves a key without its certificate: then a new one is asked for.
    return try? MeshIdentity(
      key: parsed, chain: String(decoding: chain, as: UTF8.self), roots: String(decoding: roots, as: UTF8.self))
  }

  func save(_ folder: StateFolder) throws(MeshError) {
    try folder.write(Self.rootsFile, Array(roots.utf8))
    try folder.write(Self.keyFile, Array(key.pemRepresentation.utf8))
    try folder.write(Self.chainFile, Array(chain.utf8))
    folder.remove(Self.nextKeyFile)
  }
}
