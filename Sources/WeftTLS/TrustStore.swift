import COpenSSL

/// The authorities whose certificates are believed, with their revocation lists. Immutable, shared by threads.
public final class TrustStore: @unchecked Sendable {
  // An X509_STORE has a lock of its own around what lookups change.
  let store: OpaquePointer
  /// Certificates in it, borrowed, for the names that a server tells its clients.
  let authorities: [OpaquePointer]
  /// Distinguishes stores of different content: sessions made under one are not resumed under another.
  let fingerprint: [UInt8]

  private static let authorityLimit = 1_000

  /// - Parameters:
  ///   - authorities: PEM certificates. One that is no root is a trust anchor all the same.
  ///   - revocationLists: PEM lists. With any, each certificate of a chain needs one of its issuer.
  public init(authorities pem: [UInt8], revocationLists: [UInt8]? = nil) throws(TLSFault) {
    let certificates = try PEM.certificates(pem, limit: Self.authorityLimit)
    var lists: [OpaquePointer] = []
    defer { for list in lists { X509_CRL_free(list) } }
    guard !certificates.isEmpty else {
      throw TLSFault("there is no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    var made: OpaquePointer?
    do throws(TLSFault) {
      if let revocationLists {
        lists = try PEM.revocationLists(revocationLists, limit: Self.authorityLimit)
        if lists.isEmpty { throw TLSFault("there is no revocation list in PEM form (-----BEGIN X509 CRL-----)") }
      }
      guard let store = X509_STORE_new() else { throw TLSFault.last("make a trust store") }
      made = store
      for x in certificates where X509_STORE_add_cert(store, x) != 1 { throw TLSFault.last("trust a certificate") }
      for list in lists where X509_STORE_add_crl(store, list) != 1 { throw TLSFault.last("use a revocation list") }
      if weft_store_partial_chain(store) != 1 || !lists.isEmpty && weft_store_crl_flags(store) != 1 {
        throw TLSFault.last("set up a trust store")
      }
      fingerprint = try Digest.sha256(pem + (revocationLists ?? []))
      self.store = store
    } catch {
      if let made { X509_STORE_free(made) }
      for x in certificates { X509_free(x) }
      throw error
    }
    self.authorities = certificates
  }

  /// The authorities that the operating system trusts.
  public init(systemAuthorities: Void) throws(TLSFault) {
    guard let store = X509_STORE_new() else { throw TLSFault.last("make a trust store") }
    if X509_STORE_set_default_paths(store) != 1 {
      X509_STORE_free(store)
      throw TLSFault.last("read the system's authorities")
    }
    self.store = store
    authorities = []
    fingerprint = Array("system".utf8)
  }

  deinit {
    X509_STORE_free(store)
    for x in authorities { X509_free(x) }
  }

  /// Makes a context verify against it.
  func install(in context: OpaquePointer) throws(TLSFault) {
    guard X509_STORE_up_ref(store) == 1 else { throw TLSFault.last("share a trust store") }
    SSL_CTX_set_cert_store(context, store)  // takes the reference over
  }
}

enum Digest {
  static func sha256(_ bytes: [UInt8]) throws(TLSFault) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    guard EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1 else {
      throw TLSFault.last("hash")
    }
    return digest
  }
}
