import COpenSSL

/// A digest, or with a key an HMAC (RFC 2104), that takes its input in pieces.
public final class Digest {
  /// SHA-1 is for what others prescribe: it resists no attacker who makes both of two texts.
  public enum Algorithm: Int, Sendable, CaseIterable {
    case sha1, sha256, sha384, sha512

    /// Bytes of the result.
    public var length: Int {
      switch self {
      case .sha1: 20
      case .sha256: 32
      case .sha384: 48
      case .sha512: 64
      }
    }

    var name: String {
      switch self {
      case .sha1: "SHA1"
      case .sha256: "SHA256"
      case .sha384: "SHA384"
      case .sha512: "SHA512"
      }
    }

    /// Fetched once: each fetch takes a lock. nil when OpenSSL was built or configured without it.
    nonisolated(unsafe) private static let fetched: [OpaquePointer?] = allCases.map { EVP_MD_fetch(nil, $0.name, nil) }

    var implementation: OpaquePointer? { Self.fetched[rawValue] }
  }

  private enum State {
    case digest(OpaquePointer)
    case mac(OpaquePointer)
  }

  nonisolated(unsafe) private static let hmac = EVP_MAC_fetch(nil, "HMAC", nil)

  public let algorithm: Algorithm
  private let state: State

  /// - Throws: `CryptoError` when there is no memory, or OpenSSL lacks the algorithm.
  public init(_ algorithm: Algorithm) throws(CryptoError) {
    guard let implementation = algorithm.implementation, let context = EVP_MD_CTX_new() else {
      throw CryptoError.last("make a digest")
    }
    if EVP_DigestInit_ex2(context, implementation, nil) != 1 {
      EVP_MD_CTX_free(context)
      throw CryptoError.last("make a digest")
    }
    self.algorithm = algorithm
    state = .digest(context)
  }

  /// An HMAC under `key`, which may be of any length.
  public init(_ algorithm: Algorithm, key: UnsafeRawBufferPointer) throws(CryptoError) {
    guard let context = Self.hmac.flatMap({ EVP_MAC_CTX_new($0) }) else { throw CryptoError.last("make an HMAC") }
    // OpenSSL keeps the addresses of both texts until the call that reads them.
    let parameter: StaticString = "digest"
    var name = Array(algorithm.name.utf8CString)
    // A key without bytes still needs an address, or OpenSSL takes it for none.
    var empty: UInt8 = 0
    let isReady = name.withUnsafeMutableBufferPointer { name in
      withUnsafePointer(to: &empty) { empty in
        let parameters = [
          OSSL_PARAM_construct_utf8_string(parameter.cString, name.baseAddress, 0), OSSL_PARAM_construct_end(),
        ]
        let base = key.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? empty
        return EVP_MAC_init(context, base, key.count, parameters) == 1
      }
    }
    if !isReady {
      EVP_MAC_CTX_free(context)
      throw CryptoError.last("make an HMAC")
    }
    self.algorithm = algorithm
    state = .mac(context)
  }

  deinit {
    switch state {
    case .digest(let context): EVP_MD_CTX_free(context)
    case .mac(let context): EVP_MAC_CTX_free(context)
    }
  }

  /// Takes more of the input.
  public func update(_ bytes: UnsafeRawBufferPointer) throws(CryptoError) {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    let result =
      switch state {
      case .digest(let context): EVP_DigestUpdate(context, base, bytes.count)
      case .mac(let context): EVP_MAC_update(context, base.assumingMemoryBound(to: UInt8.self), bytes.count)
      }
    if result != 1 { throw CryptoError.last("compute a digest") }
  }

  /// Writes the result. The digest is of no use afterwards.
  /// - Parameter output: at least `algorithm.length` bytes.
  /// - Returns: how many were written.
  public func finish(into output: UnsafeMutableRawBufferPointer) throws(CryptoError) -> Int {
    guard let base = output.baseAddress?.assumingMemoryBound(to: UInt8.self), output.count >= algorithm.length else {
      throw CryptoError(operation: "compute a digest", reason: "too little room")
    }
    switch state {
    case .digest(let context):
      var count: UInt32 = 0
      if EVP_DigestFinal_ex(context, base, &count) == 1 { return Int(count) }
    case .mac(let context):
      var count = 0
      if EVP_MAC_final(context, base, &count, output.count) == 1 { return count }
    }
    throw CryptoError.last("compute a digest")
  }
}

extension StaticString {
  /// The literal as C has it, for what keeps the address.
  var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
