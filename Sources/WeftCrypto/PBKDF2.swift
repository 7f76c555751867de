import COpenSSL

/// Keys from passwords (PBKDF2, RFC 8018 5.2): slow on purpose, in proportion to the iterations.
public enum PBKDF2 {
  /// Derives a key.
  /// - Parameters:
  ///   - algorithm: the digest of the HMAC.
  ///   - iterations: at least 1.
  ///   - output: is filled.
  /// - Throws: `CryptoError` when OpenSSL refuses, or lacks the algorithm.
  public static func derive(
    _ algorithm: Digest.Algorithm, password: UnsafeRawBufferPointer, salt: UnsafeRawBufferPointer, iterations: Int,
    into output: UnsafeMutableRawBufferPointer
  ) throws(CryptoError) {
    guard let digest = algorithm.implementation, let base = output.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let passwordLength = Int32(exactly: password.count), let saltLength = Int32(exactly: salt.count),
      let count = Int32(exactly: output.count), let rounds = Int32(exactly: iterations), rounds > 0
    else {
      throw CryptoError(operation: "derive a key", reason: "an argument is out of range")
    }
    let result = PKCS5_PBKDF2_HMAC(
      password.baseAddress?.assumingMemoryBound(to: CChar.self), passwordLength,
      salt.baseAddress?.assumingMemoryBound(to: UInt8.self), saltLength, rounds, digest, count, base)
    if result != 1 { throw CryptoError.last("derive a key") }
  }
}
