import COpenSSL

/// Versions of the protocol that are ever spoken.
public enum TLSVersion: Int32, Sendable, Comparable, CaseIterable, CustomStringConvertible {
  case v12 = 0x0303
  case v13 = 0x0304

  public static func < (a: TLSVersion, b: TLSVersion) -> Bool { a.rawValue < b.rawValue }

  public var description: String { self == .v12 ? "TLSv1.2" : "TLSv1.3" }
}

/// What a context offers, with defaults for today: forward secrecy and authenticated encryption only.
public struct TLSSettings: Sendable, Hashable {
  public var minimumVersion = TLSVersion.v12
  public var maximumVersion = TLSVersion.v13
  /// OpenSSL's names, for TLS 1.2.
  public var ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
  /// For TLS 1.3.
  public var cipherSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
  public var groups = "X25519:P-256:P-384"
  /// What a handshake may be signed with, either way, the preferred first. OpenSSL's own list for its security level 2 has
  /// SHA-224 too, which TLS 1.3 has done away with.
  static let signatures =
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:ed448:"
    + "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
    + "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512"
  /// Application protocols (RFC 7301), the preferred first. None: no protocol is negotiated.
  public var protocols: [String] = []

  public init() {}

  /// A new SSL_CTX, owned by the caller.
  func makeContext(_ method: OpaquePointer?) throws(TLSFault) -> OpaquePointer {
    guard let context = SSL_CTX_new(method) else { throw TLSFault.last("make a TLS context") }
    weft_ctx_harden(context, KernelTLS.isAvailable ? 1 : 0)
    do throws(TLSFault) {
      guard weft_ctx_versions(context, minimumVersion.rawValue, maximumVersion.rawValue) != 0 else {
        throw TLSFault.last("allow \(minimumVersion) to \(maximumVersion)")
      }
      guard SSL_CTX_set_cipher_list(context, ciphers) == 1 else { throw TLSFault.last("use the ciphers \(ciphers)") }
      guard SSL_CTX_set_ciphersuites(context, cipherSuites) == 1 else {
        throw TLSFault.last("use the cipher suites \(cipherSuites)")
      }
      guard weft_ctx_groups(context, groups) != 0 else { throw TLSFault.last("use the groups \(groups)") }
      guard weft_ctx_signatures(context, Self.signatures) != 0 else {
        throw TLSFault.last("use the signatures \(Self.signatures)")
      }
    } catch {
      SSL_CTX_free(context)
      throw error
    }
    TLSKeyLog.install(in: context)
    return context
  }

  /// The protocols as the wire has them: each behind its length.
  func protocolList() throws(TLSFault) -> [UInt8] {
    var list: [UInt8] = []
    for name in protocols {
      guard (1...255).contains(name.utf8.count) else { throw TLSFault("\"\(name)\" is no application protocol") }
      list.append(UInt8(name.utf8.count))
      list += Array(name.utf8)
    }
    return list
  }
}
