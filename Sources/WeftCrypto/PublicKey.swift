import COpenSSL

/// A public key, to verify signatures with: RSA of 2048 to 8192 bits, EC on P-256 or P-384, Ed25519. Immutable; OpenSSL
/// lets any thread use it.
public final class PublicKey: @unchecked Sendable {
  public enum Kind: String, Sendable {
    case rsa = "RSA"
    case ec = "EC"
    case ed25519 = "Ed25519"
  }

  /// The curves of ECDSA keys.
  public enum Curve: String, Sendable {
    case p256 = "P-256"
    case p384 = "P-384"

    /// Bytes of a coordinate, and of either half of a signature.
    var length: Int { self == .p256 ? 32 : 48 }
    /// OpenSSL's name for it.
    var group: StaticString { self == .p256 ? "prime256v1" : "secp384r1" }
  }

  public let kind: Kind
  /// nil unless `kind` is `.ec`.
  public let curve: Curve?
  /// Bits of the modulus or of the curve.
  public var bits: Int { Int(EVP_PKEY_get_bits(key)) }
  let key: OpaquePointer

  /// Takes `key` over.
  private init(owning key: OpaquePointer) throws(CryptoError) {
    do throws(CryptoError) {
      (kind, curve) = try Self.classify(key)
    } catch {
      EVP_PKEY_free(key)
      throw error
    }
    self.key = key
  }

  deinit { EVP_PKEY_free(key) }

  // MARK: Reading

  /// Reads a key in PEM (`PUBLIC KEY`, or a `CERTIFICATE` that holds it) or DER (SubjectPublicKeyInfo, RFC 5280 4.1.2.7).
  /// - Throws: `CryptoError` for anything else, and for a key of another kind or size than those above.
  public convenience init(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) {
    guard let base = bytes.baseAddress, bytes.count > 0, bytes.count <= 1 << 20 else {
      throw CryptoError(operation: "read the public key", reason: "it is empty or too long")
    }
    let key: OpaquePointer?
    if bytes.starts(with: "-----BEGIN".utf8) {
      key = Self.readPEM(base, bytes.count)
    } else {
      var at: UnsafePointer<UInt8>? = base.assumingMemoryBound(to: UInt8.self)
      key = d2i_PUBKEY(nil, &at, bytes.count)
    }
    guard let key else { throw CryptoError.last("read the public key") }
    try self.init(owning: key)
  }

  private static func readPEM(_ base: UnsafeRawPointer, _ count: Int) -> OpaquePointer? {
    guard let bio = BIO_new_mem_buf(base, Int32(count)) else { return nil }
    defer { BIO_free(bio) }
    // Without a callback for passwords OpenSSL would ask for one at the terminal.
    let certificate = "-----BEGIN CERTIFICATE-----"
    if UnsafeRawBufferPointer(start: base, count: count).starts(with: certificate.utf8) {
      guard let x509 = PEM_read_bio_X509(bio, nil, { _, _, _, _ in -1 }, nil) else { return nil }
      defer { X509_free(x509) }
      return X509_get_pubkey(x509)
    }
    return PEM_read_bio_PUBKEY(bio, nil, { _, _, _, _ in -1 }, nil)
  }

  /// An RSA key of its modulus and exponent, unsigned and big-endian (RFC 7518 6.3.1).
  public static func rsa(
    modulus: UnsafeRawBufferPointer, exponent: UnsafeRawBufferPointer
  ) throws(CryptoError) -> PublicKey {
    guard modulus.count <= 1024 + 1, exponent.count <= 8, let n = number(modulus), let e = number(exponent) else {
      throw CryptoError(operation: "read the RSA key", reason: "modulus or exponent is too long")
    }
    defer {
      BN_free(n)
      BN_free(e)
    }
    let key = make("RSA") { builder in
      OSSL_PARAM_BLD_push_BN(builder, modulusName.cString, n) == 1
        && OSSL_PARAM_BLD_push_BN(builder, exponentName.cString, e) == 1
    }
    guard let key else { throw CryptoError.last("read the RSA key") }
    return try PublicKey(owning: key)
  }

  /// An EC key of its coordinates (RFC 7518 6.2.1). The point must lie on the curve.
  public static func ec(
    _ curve: Curve, x: UnsafeRawBufferPointer, y: UnsafeRawBufferPointer
  ) throws(CryptoError) -> PublicKey {
    if x.count != curve.length || y.count != curve.length {
      throw CryptoError(operation: "read the EC key", reason: "coordinates have another length")
    }
    let point: [UInt8] = [4] + x + y
    let key = point.withUnsafeBytes { point in
      make("EC") { builder in
        OSSL_PARAM_BLD_push_utf8_string(builder, groupName.cString, curve.group.cString, 0) == 1
          && OSSL_PARAM_BLD_push_octet_string(builder, pointName.cString, point.baseAddress, point.count) == 1
      }
    }
    guard let key else { throw CryptoError.last("read the EC key") }
    return try PublicKey(owning: key)
  }

  /// An Ed25519 key (RFC 8037 2).
  public static func ed25519(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) -> PublicKey {
    let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard bytes.count == 32, let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, base, 32) else {
      throw CryptoError.last("read the Ed25519 key")
    }
    return try PublicKey(owning: key)
  }

  // Names of parameters. The builder keeps their addresses, which a Swift string has for one call only.
  private static let modulusName: StaticString = "n"
  private static let exponentName: StaticString = "e"
  private static let groupName: StaticString = "group"
  private static let pointName: StaticString = "pub"

  private static func number(_ bytes: UnsafeRawBufferPointer) -> OpaquePointer? {
    BN_bin2bn(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count), nil)
  }

  private static func make(_ type: String, _ fill: (OpaquePointer) -> Bool) -> OpaquePointer? {
    guard let builder = OSSL_PARAM_BLD_new() else { return nil }
    defer { OSSL_PARAM_BLD_free(builder) }
    guard fill(builder), let parameters = OSSL_PARAM_BLD_to_param(builder) else { return nil }
    defer { OSSL_PARAM_free(parameters) }
    guard let context = EVP_PKEY_CTX_new_from_name(nil, type, nil) else { return nil }
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    guard EVP_PKEY_fromdata_init(context) == 1,
      EVP_PKEY_fromdata(context, &key, weft_EVP_PKEY_PUBLIC_KEY, parameters) == 1
    else { return nil }
    return key
  }

  /// What kind of key it is, if it is one of those that are taken.
  private static func classify(_ key: OpaquePointer) throws(CryptoError) -> (Kind, Curve?) {
    func refuse(_ reason: String) -> CryptoError { CryptoError(operation: "use the public key", reason: reason) }
    switch EVP_PKEY_get_base_id(key) {
    case EVP_PKEY_RSA:
      let bits = EVP_PKEY_get_bits(key)
      if bits < 2048 || bits > 8192 { throw refuse("an RSA key of \(bits) bits; 2048 to 8192 are allowed") }
      // A long exponent would make each verification slow.
      var e: OpaquePointer?
      guard EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 else {
        throw CryptoError.last("use the RSA key")
      }
      defer { BN_free(e) }
      if BN_num_bits(e) > 64 || BN_is_odd(e) != 1 || BN_is_one(e) == 1 {
        throw refuse("its RSA exponent is not allowed")
      }
      return (.rsa, nil)
    case EVP_PKEY_EC:
      var name = [CChar](repeating: 0, count: 64)
      var count = 0
      guard EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1, count < name.count else {
        throw CryptoError.last("use the EC key")
      }
      let text = String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard let curve = [Curve.p256, .p384].first(where: { $0.group.description == text }) else {
        throw refuse("an EC key on \(text); P-256 and P-384 are allowed")
      }
      guard let context = EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else { throw CryptoError.last("use the EC key") }
      defer { EVP_PKEY_CTX_free(context) }
      if EVP_PKEY_public_check(context) != 1 { throw CryptoError.last("use the EC key") }
      return (.ec, curve)
    case EVP_PKEY_ED25519: return (.ed25519, nil)
    default: throw refuse("it is neither RSA nor EC nor Ed25519")
    }
  }
}
