import COpenSSL

/// Signature algorithms, by their names in JOSE (RFC 7518 3.1, RFC 8037 3.1).
public enum SignatureAlgorithm: Int, Sendable, CaseIterable {
  case rs256, rs384, rs512, ps256, ps384, ps512, es256, es384, eddsa

  /// The digest that is signed; nil: the algorithm has its own.
  var digest: Digest.Algorithm? {
    switch self {
    case .rs256, .ps256, .es256: .sha256
    case .rs384, .ps384, .es384: .sha384
    case .rs512, .ps512: .sha512
    case .eddsa: nil
    }
  }

  var isPSS: Bool { self == .ps256 || self == .ps384 || self == .ps512 }
}

extension PublicKey {
  /// Whether the key is of the kind, and on the curve, that `algorithm` prescribes.
  public func fits(_ algorithm: SignatureAlgorithm) -> Bool {
    switch algorithm {
    case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: kind == .rsa
    case .es256: curve == .p256
    case .es384: curve == .p384
    case .eddsa: kind == .ed25519
    }
  }

  /// Whether `signature` is this key's over `data`.
  /// - Parameter signature: as JOSE has it; of ECDSA the two numbers one after the other (RFC 7518 3.4).
  /// - Returns: false also for a key that does not fit the algorithm, and for a malformed signature.
  public func verify(
    _ algorithm: SignatureAlgorithm, _ data: UnsafeRawBufferPointer, signature: UnsafeRawBufferPointer
  ) -> Bool {
    guard fits(algorithm) else { return false }
    guard let curve else { return verifyPlain(algorithm, data, signature) }
    guard let der = Self.der(signature, curve) else { return false }
    return der.withUnsafeBytes { verifyPlain(algorithm, data, $0) }
  }

  private func verifyPlain(
    _ algorithm: SignatureAlgorithm, _ data: UnsafeRawBufferPointer, _ signature: UnsafeRawBufferPointer
  ) -> Bool {
    // What a bad signature leaves in OpenSSL's queue must not be blamed on a later call.
    defer { ERR_clear_error() }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    var keyContext: OpaquePointer?
    guard EVP_DigestVerifyInit_ex(context, &keyContext, algorithm.digest?.name, nil, nil, key, nil) == 1 else {
      return false
    }
    if algorithm.isPSS {
      // The salt is as long as the digest (RFC 7518 3.5).
      guard EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1,
        EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1
      else { return false }
    }
    // An empty run may have no address, which OpenSSL might take for a question of its own.
    var empty: UInt8 = 0
    return withUnsafePointer(to: &empty) { empty in
      let s = signature.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? empty
      let d = data.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? empty
      return EVP_DigestVerify(context, s, signature.count, d, data.count) == 1
    }
  }

  /// The signature as OpenSSL reads it (RFC 3279 2.2.3).
  private static func der(_ signature: UnsafeRawBufferPointer, _ curve: Curve) -> [UInt8]? {
    let half = curve.length
    guard let base = signature.baseAddress?.assumingMemoryBound(to: UInt8.self), signature.count == 2 * half,
      let made = ECDSA_SIG_new()
    else { return nil }
    defer { ECDSA_SIG_free(made) }
    let r = BN_bin2bn(base, Int32(half), nil)
    let s = BN_bin2bn(base + half, Int32(half), nil)
    guard r != nil, s != nil, ECDSA_SIG_set0(made, r, s) == 1 else {
      BN_free(r)
      BN_free(s)
      return nil
    }
    let length = i2d_ECDSA_SIG(made, nil)
    if length <= 0 { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(length))
    let written = bytes.withUnsafeMutableBufferPointer { buffer in
      var at = buffer.baseAddress
      return i2d_ECDSA_SIG(made, &at)
    }
    return written == length ? bytes : nil
  }
}
