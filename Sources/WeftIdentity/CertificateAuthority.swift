import Crypto
import Foundation
import SwiftASN1
import X509

/// Signs certificates for a mesh, with a root of its own or with an intermediate that its operator brought.
public struct CertificateAuthority: Sendable {
  /// The certificate that it signs with.
  public let certificate: Certificate
  /// What is sent behind a certificate that it signed: its own, and those above it but for the root. Empty for a root.
  public let intermediates: [Certificate]
  /// What others must trust.
  public let root: Certificate
  let key: Certificate.PrivateKey

  /// Seconds by which a certificate is valid before it was made, for clocks that differ: at most a fifth of its life.
  static let backdating: Double = 300

  // MARK: Making and reading

  /// A new self-signed root.
  /// - Parameter lifetime: in seconds.
  public static func makeRoot(
    trustDomain: String, lifetime: Double = 10 * 365 * 86_400, now: Date = Date()
  ) throws(IdentityError) -> CertificateAuthority {
    guard SPIFFEID.isTrustDomain(trustDomain) else {
      throw IdentityError(
        "\"\(trustDomain.prefix(80))\" is no trust domain: it takes lower-case letters, digits, \".\", \"-\" and \"_\"")
    }
    let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    do {
      let serial = Certificate.SerialNumber()
      let name = try DistinguishedName {
        OrganizationName("weft")
        // Tells roots of one mesh apart, for verifiers that look issuers up by name.
        CommonName("mesh root \(serial.bytes.prefix(4).map { String($0, radix: 16) }.joined())")
      }
      let certificate = try Certificate(
        version: .v3, serialNumber: serial, publicKey: key.publicKey,
        notValidBefore: now.addingTimeInterval(-backdating), notValidAfter: now.addingTimeInterval(lifetime),
        issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
          Critical(KeyUsage(keyCertSign: true, cRLSign: true))
          SubjectKeyIdentifier(hash: key.publicKey)
          SubjectAlternativeNames([.uniformResourceIdentifier("spiffe://\(trustDomain)")])
        }, issuerPrivateKey: key)
      return CertificateAuthority(certificate: certificate, intermediates: [], root: certificate, key: key)
    } catch let error as IdentityError { throw error } catch {
      throw IdentityError("cannot make a root certificate: \(error)")
    }
  }

  /// Reads an authority that somebody else made.
  /// - Parameters:
  ///   - chain: PEM: the certificate to sign with, then its issuers up to and with the self-signed root.
  ///   - key: PEM: the private key of the first certificate.
  public init(chain: String, key: String) throws(IdentityError) {
    let certificates = try Certificate.all(inPEM: chain)
    guard let first = certificates.first, let last = certificates.last else {
      throw IdentityError("there is no certificate in the chain of the authority")
    }
    do { self.key = try Certificate.PrivateKey(pemEncoded: key) } catch {
      throw IdentityError("the private key of the authority cannot be read: \(error)")
    }
    guard self.key.publicKey == first.publicKey else {
      throw IdentityError("the private key does not belong to the first certificate of the chain (\(first.subject))")
    }
    for (certificate, issuer) in zip(certificates, certificates.dropFirst()) {
      guard issuer.publicKey.isValidSignature(certificate.signature, for: certificate) else {
        throw IdentityError(
          "in the authority's chain, \(certificate.subject) was not signed by \(issuer.subject): order it from the signing certificate up to the root"
        )
      }
    }
    guard last.issuer == last.subject, last.publicKey.isValidSignature(last.signature, for: last) else {
      throw IdentityError(
        "the authority's chain ends in \(last.subject), which is not self-signed: append its root, which proxies must trust"
      )
    }
    for certificate in certificates {
      guard case .isCertificateAuthority = certificate.basicConstraints else {
        throw IdentityError("\(certificate.subject) may not sign certificates (basicConstraints CA:FALSE)")
      }
      if let usage = try? certificate.extensions.keyUsage, !usage.keyCertSign {
        throw IdentityError("\(certificate.subject) may not sign certificates (keyUsage without keyCertSign)")
      }
    }
    certificate = first
    root = last
    intermediates = certificates.count == 1 ? [] : Array(certificates.dropLast())
  }

  private init(
    certificate: Certificate, intermediates: [Certificate], root: Certificate, key: Certificate.PrivateKey
  ) {
    self.certificate = certificate
    self.intermediates = intermediates
    self.root = root
    self.key = key
  }

  /// PEM: the certificate that signs, and its issuers with the root.
  public var chainPEM: String {
    ([certificate] + (intermediates.isEmpty ? [] : intermediates.dropFirst() + [root])).pem
  }

  /// PEM, a secret.
  public var keyPEM: String {
    get throws(IdentityError) {
      do { return try key.serializeAsPEM().pemString } catch {
        throw IdentityError("the authority's key cannot be written: \(error)")
      }
    }
  }

  // MARK: Signing

  /// A certificate for a workload: as client and as server, with its SPIFFE ID as the only name.
  /// - Parameter lifetime: in seconds from now; never beyond the authority's own end.
  public func issue(
    _ id: SPIFFEID, for key: Certificate.PublicKey, lifetime: Double, now: Date = Date()
  ) throws(IdentityError) -> IssuedCertificate {
    try issue([.uniformResourceIdentifier(id.description)], key, lifetime, now)
  }

  /// A certificate for a server of the control plane.
  /// - Parameters:
  ///   - names: DNS names.
  ///   - addresses: IPv4 and IPv6 addresses.
  public func issueServer(
    names: [String], addresses: [String], for key: Certificate.PublicKey, lifetime: Double, now: Date = Date()
  ) throws(IdentityError) -> IssuedCertificate {
    var general = names.map { GeneralName.dnsName($0) }
    for address in addresses {
      guard let bytes = IPAddressBytes.of(address) else { throw IdentityError("\"\(address)\" is no IP address") }
      general.append(.ipAddress(ASN1OctetString(contentBytes: bytes[...])))
    }
    return try issue(general, key, lifetime, now)
  }

  private func issue(
    _ names: [GeneralName], _ key: Certificate.PublicKey, _ lifetime: Double, _ now: Date
  ) throws(IdentityError) -> IssuedCertificate {
    let end = min(now.addingTimeInterval(lifetime), certificate.notValidAfter)
    guard end > now else {
      throw IdentityError(
        "the authority's own certificate ended at \(certificate.notValidAfter): rotate the root, or bring a new intermediate"
      )
    }
    do {
      let issued = try Certificate(
        version: .v3, serialNumber: CertificateSerial.make(at: now), publicKey: key,
        notValidBefore: now.addingTimeInterval(-min(Self.backdating, lifetime / 5)), notValidAfter: end,
        issuer: certificate.subject, subject: try DistinguishedName { OrganizationName("weft") },
        signatureAlgorithm: self.key.supportedSignatureAlgorithms.first ?? .ecdsaWithSHA256,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.notCertificateAuthority)
          Critical(KeyUsage(digitalSignature: true))
          try ExtendedKeyUsage([.serverAuth, .clientAuth])
          SubjectKeyIdentifier(hash: key)
          AuthorityKeyIdentifier(
            keyIdentifier: (try? certificate.extensions.subjectKeyIdentifier)?.keyIdentifier
              ?? SubjectKeyIdentifier(hash: certificate.publicKey).keyIdentifier)
          SubjectAlternativeNames(names)
        }, issuerPrivateKey: self.key)
      return IssuedCertificate(certificate: issued, intermediates: intermediates)
    } catch { throw IdentityError("cannot sign a certificate: \(error)") }
  }
}

/// A certificate that an authority signed.
public struct IssuedCertificate: Sendable {
  public let certificate: Certificate
  public let intermediates: [Certificate]

  /// PEM: the certificate, then the intermediates.
  public var chainPEM: String { ([certificate] + intermediates).pem }

  /// Seconds since the Unix epoch.
  public var notAfter: Int64 { Int64(certificate.notValidAfter.timeIntervalSince1970) }
}
