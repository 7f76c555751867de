import CZlib
import WeftIO

/// One gzip compression (RFC 1952), owned by this object alone and freed with it. Some 260 KB of memory.
final class GzipStream {
  // zlib keeps its address: it must not move.
  private let stream: UnsafeMutablePointer<z_stream>

  enum Flush {
    /// As zlib sees fit.
    case none
    /// All input so far can be read by the receiver.
    case sync
    /// The end.
    case finish

    fileprivate var code: Int32 {
      switch self {
      case .none: Z_NO_FLUSH
      case .sync: Z_SYNC_FLUSH
      case .finish: Z_FINISH
      }
    }
  }

  /// - Parameter level: 1 to 9.
  /// - Returns: nil when there is no memory.
  init?(level: Int) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 bits of window, and 16 for the gzip format; 8 is zlib's usual memory level.
    let status = deflateInit2_(
      stream, Int32(clamping: level), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    if status != Z_OK {
      stream.deallocate()
      return nil
    }
  }

  deinit {
    // It frees everything; what it says is whether data was thrown away.
    _ = deflateEnd(stream)
    stream.deallocate()
  }

  /// Makes it ready for another response; false when it is of no use any more.
  func reset() -> Bool { deflateReset(stream) == Z_OK }

  /// Compresses `input`, appending to `output`.
  /// - Returns: false when zlib fails.
  func compress(_ input: Bytes, _ flush: Flush, into output: inout GrowableBytes) -> Bool {
    // zlib's interface wants to write, but it only reads there.
    stream.pointee.next_in = UnsafeMutablePointer(mutating: input.base)
    stream.pointee.avail_in = UInt32(clamping: input.count)
    while true {
      let room = 16 * 1024
      stream.pointee.next_out = output.reserve(room)
      stream.pointee.avail_out = UInt32(room)
      let status = deflate(stream, flush.code)
      output.commit(room - Int(stream.pointee.avail_out))
      switch status {
      case Z_STREAM_END: return true
      // Nothing is left to do: the input is empty and was flushed before.
      case Z_BUF_ERROR: return flush != .finish
      case Z_OK: if stream.pointee.avail_out > 0 && flush != .finish { return stream.pointee.avail_in == 0 }
      default: return false
      }
    }
  }
}
