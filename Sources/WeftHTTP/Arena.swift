import CLinux
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

  /// Copies `name: value CRLF`. Name and value may lie in this arena.
  /// - Returns: the line's offset, or -1 when the limit is reached.
  @inlinable
  public mutating func appendLine(_ name: Bytes, _ value: Bytes) -> Int {
    let length = name.count &+ value.count &+ 4
    var old: MutableBytePointer?
    if length > capacity &- used {
      old = grow(by: length)
      if old == nil { return -1 }
    }
    var end = base + used
    cl_copy(end, name.base, name.count)
    end += name.count
    end[0] = 0x3a
    end[1] = 0x20
    end += 2
    cl_copy(end, value.base, value.count)
    end += value.count
    end[0] = 0x0d
    end[1] = 0x0a
    old?.deallocate()
    let at = used
    used &+= length
    return at
  }

  /// The same with a literal as the name, if there is room without growing; -1 otherwise.
  @inlinable @inline(__always)
  mutating func appendLine(literal name: StaticString, _ value: Bytes) -> Int {
    let length = name.utf8CodeUnitCount &+ value.count &+ 4
    if length > capacity &- used { return -1 }
    var end = base + used
    memcpy(end, name.utf8Start, name.utf8CodeUnitCount)
    end += name.utf8CodeUnitCount
    end[0] = 0x3a
    end[1] = 0x20
    end += 2
    cl_copy(end, value.base, value.count)
    end += value.count
    end[0] = 0x0d
    end[1] = 0x0a
    let at = used
    used &+= length
    return at
  }

  @inlinable @inline(__always)
  public func pointer(_ offset: Int) -> BytePointer { BytePointer(base + offset) }

  @usableFromInline
  mutating func appendGrowing(_ p: BytePointer, _ n: Int) -> Int {
    guard let old = grow(by: n) else { return -1 }
    memcpy(base + used, p, n)
    old.deallocate()
    let at = used
    used &+= n
    return at
  }

  /// Moves to more memory, with room for `n` bytes.
  /// - Returns: the memory so far, which the caller must free once nothing is copied out of it any more; nil when the
  ///   limit is reached and nothing was done.
  @usableFromInline
  mutating func grow(by n: Int) -> MutableBytePointer? {
    if n > limit &- used { return nil }
    let old = base
    let wanted = min(max(capacity &* 2, used &+ n), limit)
    base = .allocate(capacity: wanted)
    memcpy(base, old, used)
    capacity = wanted
    return old
  }

  @usableFromInline
  mutating func shrink() {
    base.deallocate()
    base = .allocate(capacity: initial)
    capacity = initial
  }
}
