import COpenSSL

/// Ed25519 (RFC 8032) with keys in PEM, as bundles are signed with.
public enum Ed25519 {
  /// Bytes of a signature.
  public static let signatureSize = 64
  /// Bytes of PEM text that are looked at, at the most.
  public static let pemLimit = 64 << 10

  /// A key that verifies.
  public struct VerifyingKey: Sendable {
    private let key: PublicKey
    /// The DER encoding of its SubjectPublicKeyInfo (RFC 8410): 44 bytes.
    public let der: [UInt8]
    /// What the key is called: the SHA-256 of `der`.
    public let id: SHA256Digest

    /// Reads `-----BEGIN PUBLIC KEY-----`.
    /// - Throws: `CryptoError` for anything but one public key of this algorithm.
    public init(pem: [UInt8]) throws(CryptoError) {
      let operation = "read the public key"
      guard pem.count <= pemLimit else { throw CryptoError(operation: operation, reason: "it is too long for one") }
      let text = String(decoding: pem, as: UTF8.self)
      if text.contains("PRIVATE KEY-----") {
        throw CryptoError(operation: operation, reason: "this is a private key, which stays with whoever signs")
      }
      // What stands before the key, such as a comment, is skipped.
      guard let start = text.firstRange(of: "-----BEGIN PUBLIC KEY-----")?.lowerBound else {
        throw CryptoError(operation: operation, reason: "there is no \"-----BEGIN PUBLIC KEY-----\" in it")
      }
      var read: Result<PublicKey, CryptoError>?
      Array(text[start...].utf8).withUnsafeBytes { bytes in
        read = Result { () throws(CryptoError) in try PublicKey(bytes) }
      }
      guard let key = try read?.get(), key.kind == .ed25519 else {
        throw CryptoError(operation: operation, reason: "it is of another algorithm than Ed25519")
      }
      var encoded: UnsafeMutablePointer<UInt8>?
      let size = i2d_PUBKEY(key.key, &encoded)
      guard size > 0, let encoded else { throw CryptoError.last(operation) }
      der = Array(UnsafeBufferPointer(start: encoded, count: Int(size)))
      CRYPTO_free(encoded, #fileID, #line)
      id = try SHA256Digest(of: der)
      self.key = key
    }

    /// Whether `signature` is that of `message` by this key's private half.
    public func isValid(signature: [UInt8], for message: [UInt8]) -> Bool {
      guard signature.count == signatureSize else { return false }
      return signature.withUnsafeBytes { signature in
        message.withUnsafeBytes { key.verify(.eddsa, $0, signature: signature) }
      }
    }
  }

  /// A key that signs.
  public final class SigningKey: @unchecked Sendable {
    /// Never changed once made, so that threads may share it.
    private let key: OpaquePointer
    /// The public half, as PEM with a line break at the end.
    public let publicPEM: String
    public let verifyingKey: VerifyingKey

    /// Takes `key` over.
    private init(owning key: OpaquePointer) throws(CryptoError) {
      do throws(CryptoError) {
        guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 else {
          throw CryptoError(operation: "read the private key", reason: "it is of another algorithm than Ed25519")
        }
        let target = try SecretBIO()
        guard PEM_write_bio_PUBKEY(target.pointer, key) == 1 else { throw CryptoError.last("write the public key") }
        let pem = target.taken(limit: pemLimit)
        publicPEM = String(decoding: pem, as: UTF8.self)
        verifyingKey = try VerifyingKey(pem: pem)
      } catch {
        EVP_PKEY_free(key)
        throw error
      }
      self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// Makes a new key.
    public static func generate() throws(CryptoError) -> SigningKey {
      guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil) else { throw CryptoError.last("make a key") }
      defer { EVP_PKEY_CTX_free(context) }
      var made: OpaquePointer?
      guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_generate(context, &made) == 1, let made else {
        throw CryptoError.last("make a key")
      }
      return try SigningKey(owning: made)
    }

    /// Reads `-----BEGIN PRIVATE KEY-----` (PKCS #8, without a passphrase).
    public convenience init(pem: [UInt8]) throws(CryptoError) {
      let operation = "read the private key"
      guard pem.count <= pemLimit else { throw CryptoError(operation: operation, reason: "it is too long for one") }
      let text = String(decoding: pem, as: UTF8.self)
      if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        throw CryptoError(
          operation: operation, reason: "it is encrypted; decrypt it first, such as with \"openssl pkey\"")
      }
      if text.contains("-----BEGIN PUBLIC KEY-----") {
        throw CryptoError(operation: operation, reason: "this is a public key; the private one signs")
      }
      guard text.contains("-----BEGIN PRIVATE KEY-----") else {
        throw CryptoError(operation: operation, reason: "there is no \"-----BEGIN PRIVATE KEY-----\" in it")
      }
      let source = try SecretBIO(reading: pem)
      // Nobody is asked for a passphrase: OpenSSL would wait at the terminal.
      guard let read = PEM_read_bio_PrivateKey(source.pointer, nil, { _, _, _, _ in -1 }, nil) else {
        throw CryptoError.last(operation)
      }
      try self.init(owning: read)
    }

    /// Gives the PEM text of PKCS #8 to `body`, and wipes it afterwards.
    public func withPEM<T>(_ body: (UnsafeRawBufferPointer) throws -> T) throws -> T {
      let target = try SecretBIO()
      guard PEM_write_bio_PKCS8PrivateKey(target.pointer, key, nil, nil, 0, nil, nil) == 1 else {
        throw CryptoError.last("write the private key")
      }
      var text = target.taken(limit: pemLimit)
      defer { text.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
      return try text.withUnsafeBytes(body)
    }

    /// The signature of `message`: the same one each time.
    public func sign(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
      guard let context = EVP_MD_CTX_new() else { throw CryptoError.last("sign") }
      defer { EVP_MD_CTX_free(context) }
      var size = signatureSize
      var signature = [UInt8](repeating: 0, count: size)
      guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
        EVP_DigestSign(context, &signature, &size, message, message.count) == 1, size == signatureSize
      else { throw CryptoError.last("sign") }
      return signature
    }
  }
}
