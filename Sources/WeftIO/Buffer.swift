import Glibc

/// A fixed-size byte buffer lent by a `BufferPool`; `start..<end` holds bytes that nobody has consumed yet.
///
/// A trivial handle: whoever holds it must give it back with `BufferPool.detach`. Detached, it costs its own 24 bytes
/// and has neither bytes nor space.
@frozen
public struct Buffer {
  public var base: MutableBytePointer
  // 32 bits each, for there is one in every idle connection.
  @usableFromInline var from: UInt32 = 0
  @usableFromInline var to: UInt32 = 0
  @usableFromInline var size: UInt32 = 0

  @inlinable public var start: Int {
    @inline(__always) get { Int(from) }
    @inline(__always) set { from = UInt32(truncatingIfNeeded: newValue) }
  }
  @inlinable public var end: Int {
    @inline(__always) get { Int(to) }
    @inline(__always) set { to = UInt32(truncatingIfNeeded: newValue) }
  }
  /// Below 4 GiB.
  @inlinable public var capacity: Int {
    @inline(__always) get { Int(size) }
    @inline(__always) set { size = UInt32(truncatingIfNeeded: newValue) }
  }

  @inlinable @inline(__always)
  init(detachedAt base: MutableBytePointer) { self.base = base }

  @inlinable @inline(__always) public var isAttached: Bool { capacity != 0 }
  @inlinable @inline(__always) public var count: Int { end &- start }
  @inlinable @inline(__always) public var isEmpty: Bool { end == start }
  @inlinable @inline(__always) public var space: Int { capacity &- end }
  @inlinable @inline(__always) public var readPointer: BytePointer { BytePointer(base + start) }
  @inlinable @inline(__always) public var writePointer: MutableBytePointer { base + end }

  /// Moves the unconsumed bytes to the front. Pointers into the buffer are then stale.
  @inlinable
  public mutating func compact() {
    if start == 0 { return }
    memmove(base, base + start, count)
    end = count
    start = 0
  }

  /// Forgets what has been consumed when nothing is left, so that the whole capacity is space again.
  @inlinable @inline(__always)
  public mutating func rewindIfEmpty() {
    if start == end {
      start = 0
      end = 0
    }
  }
}

/// A last-in-first-out pool of buffers of one size: the buffer that is still in the cache is lent first, and an idle
/// connection holds none. Belongs to one worker.
public final class BufferPool {
  /// Capacity of each buffer, in bytes.
  public let bufferSize: Int
  @usableFromInline let free: UnsafeMutablePointer<MutableBytePointer>
  @usableFromInline let keep: Int
  // Behind a pointer, for a stored property would be checked for exclusive access at each use from another module.
  @usableFromInline let counts: UnsafeMutablePointer<Counts>
  @usableFromInline let nowhere = MutableBytePointer.allocate(capacity: 1)
  /// Buffers lent at present.
  @inlinable public var lent: Int { counts.pointee.lent }

  @frozen
  @usableFromInline
  struct Counts {
    @usableFromInline var free = 0
    @usableFromInline var lent = 0
    @usableFromInline init() {}
  }

  /// - Parameter keep: how many returned buffers to hold ready; what comes back beyond that is freed.
  public init(bufferSize: Int, keep: Int) {
    self.bufferSize = bufferSize
    self.keep = keep
    free = .allocate(capacity: max(keep, 1))
    counts = .allocate(capacity: 1)
    counts.initialize(to: Counts())
  }

  deinit {
    for i in 0..<counts.pointee.free { free[i].deallocate() }
    free.deallocate()
    counts.deallocate()
    nowhere.deallocate()
  }

  /// A detached buffer.
  @inlinable @inline(__always) public var none: Buffer { Buffer(detachedAt: nowhere) }

  /// Gives `b` memory if it has none.
  @inlinable @inline(__always)
  public func attach(_ b: inout Buffer) {
    if b.isAttached { return }
    counts.pointee.lent &+= 1
    if counts.pointee.free > 0 {
      counts.pointee.free &-= 1
      b.base = free[counts.pointee.free]
    } else {
      b.base = .allocate(capacity: bufferSize)
    }
    b.start = 0
    b.end = 0
    b.capacity = bufferSize
  }

  /// Takes the memory of `b` back; what it still held is lost.
  @inlinable @inline(__always)
  public func detach(_ b: inout Buffer) {
    if !b.isAttached { return }
    counts.pointee.lent &-= 1
    if counts.pointee.free < keep {
      free[counts.pointee.free] = b.base
      counts.pointee.free &+= 1
    } else {
      b.base.deallocate()
    }
    b = Buffer(detachedAt: nowhere)
  }
}
