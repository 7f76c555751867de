import COpenSSL
import Glibc

/// A certificate with the chain above it, its private key, and perhaps a stapled OCSP response. Immutable; contexts and
/// threads share it.
public final class TLSIdentity: @unchecked Sendable {
  // OpenSSL's reference counts of X509 and EVP_PKEY are atomic, and nothing here changes them after init.
  let leaf: OpaquePointer
  let chain: [OpaquePointer]
  let key: OpaquePointer
  public let certificate: CertificateInfo
  let staple: OCSPStaple?

  private static let chainLimit = 16

  /// - Parameters:
  ///   - certificates: PEM, the leaf first, then the authorities above it.
  ///   - key: PEM, without a passphrase.
  ///   - staple: an OCSP response in DER form.
  /// - Throws: what is wrong, as one clause.
  public init(certificates: [UInt8], key: [UInt8], staple: [UInt8]? = nil) throws(TLSFault) {
    let all = try PEM.certificates(certificates, limit: Self.chainLimit)
    guard let leaf = all.first else {
      throw TLSFault("there is no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    let info: CertificateInfo
    let privateKey: OpaquePointer
    let response: OCSPStaple?
    do throws(TLSFault) {
      guard let read = CertificateInfo(leaf) else { throw TLSFault.last("read the certificate's validity") }
      info = read
      response = try staple.map { bytes throws(TLSFault) in try OCSPStaple(bytes) }
      privateKey = try PEM.privateKey(key)
    } catch {
      for x in all { X509_free(x) }
      throw error
    }
    if X509_check_private_key(leaf, privateKey) != 1 {
      ERR_clear_error()
      EVP_PKEY_free(privateKey)
      for x in all { X509_free(x) }
      throw TLSFault("the private key does not belong to the certificate \(info.subject)")
    }
    self.leaf = leaf
    chain = Array(all.dropFirst())
    self.key = privateKey
    certificate = info
    self.staple = response
  }

  deinit {
    X509_free(leaf)
    for x in chain { X509_free(x) }
    EVP_PKEY_free(key)
  }

  /// One of RSA, EC, ED25519: a context holds one identity of each kind.
  var algorithm: Int32 { EVP_PKEY_get_base_id(key) }

  /// Makes a context present it.
  func install(in context: OpaquePointer) throws(TLSFault) {
    guard SSL_CTX_use_certificate(context, leaf) == 1, SSL_CTX_use_PrivateKey(context, key) == 1 else {
      throw TLSFault.last("use the certificate \(certificate.subject)")
    }
    for x in chain where weft_ctx_add_chain(context, x) == 0 {
      throw TLSFault.last("use the chain of \(certificate.subject)")
    }
  }

  /// A warning when the certificate is of no use now, or soon will not be.
  /// - Parameter now: seconds since 1970.
  public func validityProblem(now: Int64) -> String? {
    if now > certificate.notAfter {
      return "the certificate expired \(Span.text(now - certificate.notAfter)) ago: \(certificate.subject)"
    }
    if now < certificate.notBefore {
      return
        "the certificate is not valid for another \(Span.text(certificate.notBefore - now)): \(certificate.subject)"
    }
    return nil
  }
}

/// An OCSP response (RFC 6960) that is sent along with a certificate.
struct OCSPStaple: Sendable {
  let bytes: [UInt8]
  /// Seconds since 1970 after which it is of no use; nil without an end.
  let goodUntil: Int64?

  private static let sizeLimit = 64 * 1024

  init(_ der: [UInt8]) throws(TLSFault) {
    guard der.count <= Self.sizeLimit else { throw TLSFault("the OCSP response is larger than 64 KiB") }
    let parsed = der.withUnsafeBufferPointer { buffer in
      var p = buffer.baseAddress
      return d2i_OCSP_RESPONSE(nil, &p, buffer.count)
    }
    guard let response = parsed else {
      ERR_clear_error()
      throw TLSFault("the OCSP response is not in DER form")
    }
    defer { OCSP_RESPONSE_free(response) }
    guard OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL,
      let basic = OCSP_response_get1_basic(response)
    else {
      ERR_clear_error()
      throw TLSFault("the OCSP response holds no answer")
    }
    defer { OCSP_BASICRESP_free(basic) }
    bytes = der
    goodUntil = CertificateInfo.seconds(weft_ocsp_next_update(basic))
  }
}
