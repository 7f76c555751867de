import COpenSSL

/// Owns a `BIO` in memory for text that may hold a private key, and wipes it in the end.
final class SecretBIO {
  let pointer: OpaquePointer
  /// What is read lies here, for as long as the BIO does.
  private let input: UnsafeMutableBufferPointer<UInt8>?

  /// An empty one, to write to.
  init() throws(CryptoError) {
    guard let made = BIO_new(BIO_s_secmem()) else { throw CryptoError.last("get memory for a key") }
    pointer = made
    input = nil
  }

  /// One that gives `bytes`.
  init(reading bytes: [UInt8]) throws(CryptoError) {
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = copy.initialize(from: bytes)
    guard let made = BIO_new_mem_buf(copy.baseAddress, Int32(clamping: bytes.count)) else {
      copy.deallocate()
      throw CryptoError.last("get memory for a key")
    }
    pointer = made
    input = copy
  }

  deinit {
    BIO_free_all(pointer)
    if let input {
      OPENSSL_cleanse(input.baseAddress, input.count)
      input.deallocate()
    }
  }

  /// Takes out what was written, up to `limit` bytes.
  func taken(limit: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = BIO_read(pointer, &bytes, Int32(clamping: limit))
    return count <= 0 ? [] : Array(bytes[..<Int(count)])
  }
}
