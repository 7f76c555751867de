import Glibc

/// Contiguous bytes that grow up to a limit: buffered bodies, bodies of local responses, rewritten chunks.
/// Holds no memory until the first append; `reset` gives back what was large.
@frozen
public struct GrowableBytes: ~Copyable {
  @usableFromInline var base: MutableBytePointer?
  @usableFromInline var used = 0
  @usableFromInline var capacity = 0

  @inlinable public init() {}

  @inlinable
  deinit { base?.deallocate() }

  @inlinable public var count: Int { used }
  @inlinable public var isEmpty: Bool { used == 0 }

  /// The content; valid until the next change.
  @inlinable public var bytes: Bytes {
    guard let base else { return Bytes() }
    return Bytes(BytePointer(base), used)
  }

  /// Appends a copy of `b`, which may lie in this very memory.
  /// - Returns: false, and nothing appended, when the content would exceed `limit` bytes.
  @inlinable
  public mutating func append(_ b: Bytes, limit: Int) -> Bool {
    if b.count > limit &- used { return false }
    if b.count == 0 { return true }
    if b.count > capacity &- used { return grow(appending: b) }
    if let base {
      memcpy(base + used, b.base, b.count)
      used &+= b.count
    }
    return true
  }

  /// Replaces the content by a copy of `b`, which may lie in this very memory.
  @inlinable
  public mutating func assign(_ b: Bytes, limit: Int) -> Bool {
    if b.count > limit { return false }
    if let base, b.base >= BytePointer(base), b.base < BytePointer(base) + capacity {
      memmove(base, b.base, b.count)
      used = b.count
      return true
    }
    used = 0
    return append(b, limit: limit)
  }

  /// Makes room for at least `n` more bytes and returns where they go; `commit` then counts what was written.
  public mutating func reserve(_ n: Int) -> MutableBytePointer {
    if let base, capacity &- used >= n { return base + used }
    let wanted = max(capacity &* 2, used &+ n, 1024)
    let bigger = MutableBytePointer.allocate(capacity: wanted)
    if let base {
      memcpy(bigger, base, used)
      base.deallocate()
    }
    base = bigger
    capacity = wanted
    return bigger + used
  }

  /// Counts `n` bytes that were written where `reserve` said; `n` must not exceed what was reserved.
  public mutating func commit(_ n: Int) { used = min(used &+ n, capacity) }

  /// Removes the first `n` bytes.
  public mutating func removeFirst(_ n: Int) {
    guard let base, n > 0 else { return }
    let k = min(n, used)
    memmove(base, base + k, used &- k)
    used &-= k
  }

  /// Empties it; memory beyond 16 KiB is given back.
  @inlinable @inline(__always)
  public mutating func reset() {
    used = 0
    if capacity > 16 * 1024 { release() }
  }

  @inlinable
  public mutating func release() {
    base?.deallocate()
    base = nil
    capacity = 0
    used = 0
  }

  @usableFromInline
  mutating func grow(appending b: Bytes) -> Bool {
    let wanted = max(capacity &* 2, used &+ b.count, 1024)
    let bigger = MutableBytePointer.allocate(capacity: wanted)
    if let base { memcpy(bigger, base, used) }
    memcpy(bigger + used, b.base, b.count)  // before the old memory goes: `b` may lie in it
    base?.deallocate()
    base = bigger
    capacity = wanted
    used &+= b.count
    return true
  }
}
