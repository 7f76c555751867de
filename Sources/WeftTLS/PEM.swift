import COpenSSL

/// Reads PEM text (RFC 7468). What it returns is owned by the caller.
enum PEM {
  /// All certificates, in their order; texts between them are skipped.
  static func certificates(_ text: [UInt8], limit: Int) throws(TLSFault) -> [OpaquePointer] {
    var found: [OpaquePointer] = []
    do throws(TLSFault) {
      try each(text, "read the certificate") { bio in
        guard let x = PEM_read_bio_X509(bio, nil, refuse, nil) else { return false }
        found.append(x)
        return found.count <= limit
      }
      if found.count > limit { throw TLSFault("there are more than \(limit) certificates") }
    } catch {
      for x in found { X509_free(x) }
      throw error
    }
    return found
  }

  static func revocationLists(_ text: [UInt8], limit: Int) throws(TLSFault) -> [OpaquePointer] {
    var found: [OpaquePointer] = []
    do throws(TLSFault) {
      try each(text, "read the revocation list") { bio in
        guard let x = PEM_read_bio_X509_CRL(bio, nil, refuse, nil) else { return false }
        found.append(x)
        return found.count <= limit
      }
      if found.count > limit { throw TLSFault("there are more than \(limit) revocation lists") }
    } catch {
      for x in found { X509_CRL_free(x) }
      throw error
    }
    return found
  }

  /// A private key without a passphrase.
  static func privateKey(_ text: [UInt8]) throws(TLSFault) -> OpaquePointer {
    guard let bio = memory(text) else { throw TLSFault.last("read the private key") }
    defer { BIO_free(bio) }
    guard let key = PEM_read_bio_PrivateKey(bio, nil, refuse, nil) else {
      let isEncrypted = text.count > 0 && String(decoding: text, as: UTF8.self).contains("ENCRYPTED")
      ERR_clear_error()
      throw TLSFault(
        isEncrypted
          ? "the private key is protected by a passphrase; store it without one"
          : "there is no private key in PEM form (-----BEGIN PRIVATE KEY-----)")
    }
    return key
  }

  /// Without this OpenSSL asks the terminal for a passphrase.
  private static let refuse:
    @convention(c) @Sendable (
      UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?
    ) -> Int32 = { _, _, _, _ in 0 }

  private static func memory(_ text: [UInt8]) -> OpaquePointer? {
    // A copy: BIO_new_mem_buf would borrow bytes that an array does not keep in place.
    guard let bio = BIO_new(BIO_s_mem()) else { return nil }
    if text.isEmpty || BIO_write(bio, text, Int32(clamping: text.count)) == Int32(clamping: text.count) { return bio }
    BIO_free(bio)
    return nil
  }

  private static func each(
    _ text: [UInt8], _ operation: String, _ next: (OpaquePointer) -> Bool
  ) throws(TLSFault) {
    guard let bio = memory(text) else { throw TLSFault.last(operation) }
    defer { BIO_free(bio) }
    while next(bio) {}
    let error = ERR_peek_last_error()
    // No further PEM block is how the list ends.
    if error == 0 || weft_error_is(error, ERR_LIB_PEM, PEM_R_NO_START_LINE) != 0 {
      ERR_clear_error()
    } else {
      throw TLSFault.last(operation)
    }
  }
}
