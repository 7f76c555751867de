import COpenSSL

/// Bytes of the operating system's cryptographic generator, through OpenSSL.
public enum RandomBytes {
  /// Fills `buffer`.
  /// - Throws: `CryptoError` when the generator has no entropy; the buffer must not be used then.
  public static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(CryptoError) {
    guard let base = buffer.baseAddress else { return }
    // RAND_bytes takes an int.
    var done = 0
    while done < buffer.count {
      let n = min(buffer.count - done, 1 << 20)
      let pointer = (base + done).assumingMemoryBound(to: UInt8.self)
      if RAND_bytes(pointer, Int32(n)) != 1 { throw CryptoError.last("make random bytes") }
      done += n
    }
  }

  /// `count` random bytes.
  public static func make(_ count: Int) throws(CryptoError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: CryptoError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(CryptoError) { try fill(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }
}
