import Glibc
import NIOCore

/// Memory of a buffer that is kept for a connection, and whose content is not needed any more. What is not written is not
/// read either, so its pages can go back to the system; they come again, empty, when the buffer is filled again. A block of
/// the heap has pages that somebody else once wrote to, whether or not it is ever filled.
struct SparePages {
  /// Up to where the buffer has been filled since its pages were given back.
  private var filled = Int.max

  private static let page = UInt(getpagesize())

  /// Gives the buffer's pages back when it has filled any.
  mutating func release(_ buffer: ByteBuffer) {
    filled = max(filled, buffer.writerIndex)
    guard buffer.capacity >= 3 * Int(Self.page) else { return }
    buffer.withVeryUnsafeBytes { storage in
      guard let base = storage.baseAddress else { return }
      // Whole pages only: what lies before and behind the block is somebody else's.
      let begin = UInt(bitPattern: base)
      let start = (begin + Self.page - 1) / Self.page * Self.page
      let end = (begin + UInt(storage.count)) / Self.page * Self.page
      guard end > start, filled > Int(start - begin), let first = UnsafeMutableRawPointer(bitPattern: start) else {
        return
      }
      // When it does not work, the pages stay: nothing is lost.
      _ = madvise(first, Int(end - start), MADV_DONTNEED)
      filled = 0
    }
  }
}
