import COpenSSL
import Glibc

/// What a certificate says, read once.
public struct CertificateInfo: Sendable, Equatable {
  /// RFC 2253 text: `CN=reviews,O=Example`.
  public let subject: String
  public let issuer: String
  /// The first CN and all O of the subject.
  public let commonName: String?
  public let organizations: [String]
  /// Lower-case hexadecimal digits.
  public let serial: String
  /// Seconds since 1970.
  public let notBefore: Int64
  public let notAfter: Int64
  /// SHA-256 of the DER form, lower-case hexadecimal.
  public let digest: String
  /// Subject alternative names. A name with a zero byte inside is left out.
  public let dnsNames: [String]
  public let uris: [String]
  public let emails: [String]
  /// As raw bytes: 4 or 16.
  public let addresses: [[UInt8]]
  /// PEM text of this certificate alone.
  public let pem: String

  /// The first URI that is a SPIFFE ID; a certificate with several URIs has none (SPIFFE X509-SVID section 2).
  public var spiffeID: String? { uris.count == 1 && uris[0].hasPrefix("spiffe://") ? uris[0] : nil }

  /// The PEM text with everything but letters, digits and `-._~` percent-encoded (RFC 3986 2.3), for header fields.
  public var percentEncodedPEM: String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in pem.utf8 {
      let isUnreserved =
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || "-._~".utf8.contains(byte)
      if isUnreserved {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// All names, for messages.
  public var names: [String] { dnsNames + uris + emails + addresses.map(CertificateInfo.text) }

  /// A certificate that there is not, for tests.
  package init(
    subject: String, issuer: String, commonName: String?, organizations: [String], serial: String, notBefore: Int64,
    notAfter: Int64, digest: String, dnsNames: [String], uris: [String], pem: String
  ) {
    self.subject = subject
    self.issuer = issuer
    self.commonName = commonName
    self.organizations = organizations
    self.serial = serial
    self.notBefore = notBefore
    self.notAfter = notAfter
    self.digest = digest
    self.dnsNames = dnsNames
    self.uris = uris
    emails = []
    addresses = []
    self.pem = pem
  }

  /// - Parameter certificate: an X509, borrowed.
  init?(_ certificate: OpaquePointer) {
    guard let notBefore = CertificateInfo.seconds(X509_get0_notBefore(certificate)),
      let notAfter = CertificateInfo.seconds(X509_get0_notAfter(certificate))
    else { return nil }
    self.notBefore = notBefore
    self.notAfter = notAfter
    subject = MemoryText.make { weft_name_print($0, X509_get_subject_name(certificate)) != 0 } ?? ""
    issuer = MemoryText.make { weft_name_print($0, X509_get_issuer_name(certificate)) != 0 } ?? ""
    commonName = CertificateInfo.attributes(certificate, NID_commonName).first
    organizations = CertificateInfo.attributes(certificate, NID_organizationName)
    pem = MemoryText.make { PEM_write_bio_X509($0, certificate) == 1 } ?? ""
    serial = CertificateInfo.serial(certificate)
    digest = CertificateInfo.sha256(certificate)
    var dns: [String] = []
    var uris: [String] = []
    var emails: [String] = []
    var addresses: [[UInt8]] = []
    CertificateInfo.forEachName(certificate) { type, bytes in
      if type == GEN_IPADD {
        addresses.append(bytes)
        return
      }
      guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { return }
      switch type {
      case GEN_DNS: dns.append(text.lowercased())
      case GEN_URI: uris.append(text)
      default: emails.append(text)
      }
    }
    dnsNames = dns
    self.uris = uris
    self.emails = emails
    self.addresses = addresses
  }

  private static func attributes(_ certificate: OpaquePointer, _ kind: Int32) -> [String] {
    let name = X509_get_subject_name(certificate)
    var found: [String] = []
    var at = X509_NAME_get_index_by_NID(name, kind, -1)
    while at >= 0 {
      var bytes: UnsafeMutablePointer<UInt8>?
      let count = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)))
      if count >= 0, let bytes {
        found.append(String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self))
      }
      CRYPTO_free(bytes, nil, 0)
      at = X509_NAME_get_index_by_NID(name, kind, at)
    }
    ERR_clear_error()
    return found
  }

  private static func forEachName(_ certificate: OpaquePointer, _ body: (Int32, [UInt8]) -> Void) {
    guard let raw = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
      ERR_clear_error()
      return
    }
    let names = OpaquePointer(raw)
    defer { weft_names_free(names) }
    for i in 0..<max(weft_names_count(names), 0) {
      var bytes: UnsafePointer<UInt8>?
      var length: Int32 = 0
      let type = weft_name_at(names, i, &bytes, &length)
      if type < 0 || length < 0 { continue }
      body(type, Array(UnsafeBufferPointer(start: bytes, count: Int(length))))
    }
  }

  static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
    var broken = tm()
    guard let time, ASN1_TIME_to_tm(time, &broken) == 1 else {
      ERR_clear_error()
      return nil
    }
    return Int64(timegm(&broken))
  }

  private static func serial(_ certificate: OpaquePointer) -> String {
    guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else {
      ERR_clear_error()
      return ""
    }
    defer { BN_free(number) }
    guard let text = BN_bn2hex(number) else { return "" }
    defer { CRYPTO_free(text, nil, 0) }
    return String(cString: text).lowercased()
  }

  private static func sha256(_ certificate: OpaquePointer) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 32
    guard X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else {
      ERR_clear_error()
      return ""
    }
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func text(_ address: [UInt8]) -> String {
    var raw = address
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard raw.count == 4 || raw.count == 16,
      inet_ntop(raw.count == 4 ? AF_INET : AF_INET6, &raw, &text, socklen_t(text.count)) != nil
    else { return "?" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Text that OpenSSL prints into memory.
enum MemoryText {
  static func make(_ print: (OpaquePointer) -> Bool) -> String? {
    guard let bio = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(bio) }
    guard print(bio) else {
      ERR_clear_error()
      return nil
    }
    var bytes: UnsafeMutablePointer<CChar>?
    let count = weft_bio_memory(bio, &bytes)
    guard count > 0, let bytes else { return "" }
    let raw = UnsafeRawBufferPointer(start: bytes, count: count)
    return String(decoding: raw, as: UTF8.self)
  }
}
