import Glibc
import WeftIO

/// Memory for text made during one exchange: bump allocation, reset for the next exchange, freed with its owner.
/// It grows by doubling up to a limit; offsets stay valid when it grows, pointers do not.
@frozen
public struct Arena: ~Copyable {
  @usableFromInline var base: MutableBytePointer
  @usableFromInline var used = 0
  @usableFromInline var capacity: Int
  @usableFromInline let initial: Int
  @usableFromInline let limit: Int

  public init(capacity: Int, limit: Int) {
    self.capacity = capacity
    initial = capacity
    self.limit = limit
    base = .allocate(capacity: capacity)
  }

  deinit { base.deallocate() }

  @inlinable @inline(__always)
  public mutating func reset() {
    used = 0
    if capacity > 4 &* initial { shrink() }
  }

  /// Copies `n` bytes, which may lie in this arena.
  /// - Returns: their offset, or -1 when the limit is reached.
  @inlinable @inline(__always)
  public mutating func append(_ p: BytePointer, _ n: Int) -> Int {
    if n > capacity &- used { return appendGrowing(p, n) }
    memcpy(base + used, p, n)
    let at = used
    used &+= n
    return at
  }

  @inlinable @inline(__always)
  public func pointer(_ offset: Int) -> BytePointer { BytePointer(base + offset) }

  @usableFromInline
  mutating func appendGrowing(_ p: BytePointer, _ n: Int) -> Int {
    if n > limit &- used { return -1 }
    let wanted = min(max(capacity &* 2, used &+ n), limit)
    let bigger = MutableBytePointer.allocate(capacity: wanted)
    memcpy(bigger, base, used)
    memcpy(bigger + used, p, n)  // before the old memory goes: `p` may point into it
    base.deallocate()
    base = bigger
    capacity = wanted
    let at = used
    used &+= n
    return at
  }

  @usableFromInline
  mutating func shrink() {
    base.deallocate()
    base = .allocate(capacity: initial)
    capacity = initial
  }
}
