import Glibc
import NIOCore

/// Memory of a buffer that is kept for a connection, behind what is in it. What is not written is not read either, so its
/// pages can go back to the system; they come again, empty, when the buffer is filled again. A block of the heap has pages
/// that somebody else once wrote to, whether or not it is ever filled.
struct SparePages {
  /// Up to where the buffer has been filled since its pages were given back.
  private var filled = Int.max

  private static let page = UInt(getpagesize())

  /// Gives the pages behind the buffer's content back, when there are some, and the content is small again.
  /// - Parameter isRead: the content is not needed any more either.
  mutating func release(_ buffer: ByteBuffer, isRead: Bool = false) {
    var used = buffer.writerIndex
    guard used <= Int(Self.page), filled > 2 * Int(Self.page), buffer.capacity >= 3 * Int(Self.page) else {
      filled = max(filled, used)
      return
    }
    filled = used
    if isRead { used = 0 }
    buffer.withVeryUnsafeBytes { storage in
      guard let base = storage.baseAddress else { return }
      // Whole pages only: what lies before and behind the block is somebody else's.
      let start = (UInt(bitPattern: base) + UInt(used) + Self.page - 1) / Self.page * Self.page
      let end = (UInt(bitPattern: base) + UInt(storage.count)) / Self.page * Self.page
      guard end > start, let first = UnsafeMutableRawPointer(bitPattern: start) else { return }
      // When it does not work, the pages stay: nothing is lost.
      _ = madvise(first, Int(end - start), MADV_DONTNEED)
    }
  }
}
