import Foundation
import SwiftASN1
import WeftIdentity
import X509

/// A proxy's key with the certificate that the mesh has given it. The key is made here and never leaves the state folder.
struct MeshIdentity: Sendable {
  let key: WorkloadKey
  /// PEM: the certificate and the intermediates.
  let chain: String
  /// PEM: every root that is trusted at present.
  let roots: String
  let certificate: Certificate
  let id: SPIFFEID

  init(key: WorkloadKey, chain: String, roots: String) throws(MeshError) {
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
    guard key.publicKey == certificate.publicKey else {
      throw MeshError("the certificate is for another key")
    }
    guard let id = certificate.spiffeID else { throw MeshError("the certificate has no SPIFFE ID") }
    self.id = id
  }

  var notAfter: Date { certificate.notValidAfter }
  /// At two thirds of its life.
  var renewal: Date {
    let life = certificate.notValidAfter.timeIntervalSince(certificate.notValidBefore)
    return certificate.notValidBefore.addingTimeInterval(life * 2 / 3)
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
      let parsed = try? WorkloadKey(pem: String(decoding: key, as: UTF8.self))
    else { return nil }
    // A crash between the files' renames leaves a key without its certificate: then a new one is asked for.
    return try? MeshIdentity(
      key: parsed, chain: String(decoding: chain, as: UTF8.self), roots: String(decoding: roots, as: UTF8.self))
  }

  func save(_ folder: StateFolder) throws(MeshError) {
    try folder.write(Self.rootsFile, Array(roots.utf8))
    try folder.write(Self.keyFile, Array(key.pem.utf8))
    try folder.write(Self.chainFile, Array(chain.utf8))
    folder.remove(Self.nextKeyFile)
  }
}
