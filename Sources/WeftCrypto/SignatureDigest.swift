import COpenSSL
import WeftIO

/// A digest that a signature is made over, by the name that OpenSSL has for it.
public enum SignatureDigest: String, Sendable, CaseIterable {
  case sha1, sha224, sha256, sha384, sha512

  /// The digest of that name, in upper or lower case; nil for another.
  public init?(name: Bytes) {
    if name.count > 8 { return nil }
    self.init(rawValue: name.string.lowercased())
  }

  fileprivate var algorithm: OpaquePointer? {
    switch self {
    case .sha1: EVP_sha1()
    case .sha224: EVP_sha224()
    case .sha256: EVP_sha256()
    case .sha384: EVP_sha384()
    case .sha512: EVP_sha512()
    }
  }
}

extension PublicKey {
  /// Whether `signature` over the digest of `data` is this key's: of RSA, PKCS #1 v1.5 (RFC 8017 8.2); of a curve, ECDSA in
  /// DER (RFC 3279 2.2.3). Never of Ed25519, whose signatures are over the data itself.
  public func verifies(_ signature: Bytes, over data: Bytes, digest: SignatureDigest) -> Bool {
    guard kind != .ed25519, let context = EVP_MD_CTX_new() else { return false }
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    guard let algorithm = digest.algorithm, EVP_DigestVerifyInit(context, nil, algorithm, nil, key) == 1 else {
      return false
    }
    return EVP_DigestVerify(context, signature.base, signature.count, data.base, data.count) == 1
  }
}
