import Crypto
import Foundation
import SwiftASN1
import X509

extension Certificate {
  /// Certificates that one text holds at most.
  static let mostInPEM = 64

  /// All certificates of a PEM text, in order.
  /// - Throws: `IdentityError` when one of them cannot be read.
  public static func all(inPEM text: String) throws(IdentityError) -> [Certificate] {
    do {
      let documents = try PEMDocument.parseMultiple(pemString: text).filter { $0.discriminator == "CERTIFICATE" }
      guard documents.count <= mostInPEM else {
        throw IdentityError("\(documents.count) certificates; at most \(mostInPEM) are read")
      }
      return try documents.map { try Certificate(derEncoded: $0.derBytes) }
    } catch let error as IdentityError { throw error } catch {
      throw IdentityError("the certificates (PEM) cannot be read: \(error)")
    }
  }

  /// DER.
  var der: [UInt8] {
    var serializer = DER.Serializer()
    // Fails for no certificate that was read or made: each holds its own bytes.
    do { try serializer.serialize(self) } catch { return [] }
    return serializer.serializedBytes
  }

  /// SHA-256 of the DER, in 64 lower-case hexadecimal digits: how join tokens name roots.
  public var fingerprint: String { SHA256.hash(data: der).map { Self.hex($0) }.joined() }

  private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

  var basicConstraints: BasicConstraints? { try? extensions.basicConstraints }

  /// The workload that it is for; nil when its names are not exactly one SPIFFE ID of the form that meshes use.
  public var spiffeID: SPIFFEID? {
    guard let names = try? extensions.subjectAlternativeNames else { return nil }
    let identifiers = names.compactMap { name in
      if case .uniformResourceIdentifier(let text) = name { text } else { nil }
    }
    // SPIFFE's X.509-SVID 2: exactly one URI.
    guard identifiers.count == 1 else { return nil }
    return SPIFFEID(identifiers[0])
  }

  /// Seconds since the Unix epoch at which it was issued.
  public var issuedAt: Double { CertificateSerial.issued(self) }
}

extension Sequence<Certificate> {
  /// PEM, one after the other, each ending in a newline.
  public var pem: String {
    map { PEMDocument(type: "CERTIFICATE", derBytes: $0.der).pemString + "\n" }.joined()
  }
}
