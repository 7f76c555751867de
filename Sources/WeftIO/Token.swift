/// What an event belongs to: a kind, a slot and the slot's generation, in the 64 bits that epoll hands back, so that an
/// event for a slot that has been recycled is recognised.
@frozen
public struct Token: Equatable, Sendable {
  public let raw: UInt64

  @inlinable @inline(__always) public init(raw: UInt64) { self.raw = raw }

  /// - Parameters:
  ///   - kind: 0 to 7, for the owner of the reactor to tell its kinds of descriptor apart.
  ///   - slot: below 2^29.
  @inlinable @inline(__always)
  public init(kind: UInt8, slot: Int, generation: UInt32) {
    raw = UInt64(kind & 7) | UInt64(truncatingIfNeeded: slot) << 3 | UInt64(generation) << 32
  }

  @inlinable @inline(__always) public var kind: UInt8 { UInt8(truncatingIfNeeded: raw & 7) }
  @inlinable @inline(__always) public var slot: Int { Int((raw & 0xffff_ffff) &>> 3) }
  @inlinable @inline(__always) public var generation: UInt32 { UInt32(truncatingIfNeeded: raw &>> 32) }
}

/// What epoll said of a descriptor.
@frozen
public struct Readiness: Sendable {
  public let bits: UInt32

  @inlinable @inline(__always) public init(bits: UInt32) { self.bits = bits }

  // EPOLLIN 0x001, EPOLLOUT 0x004, EPOLLERR 0x008, EPOLLHUP 0x010, EPOLLRDHUP 0x2000 (epoll_ctl(2)).
  /// Bytes, an end of file or an error wait to be received.
  @inlinable @inline(__always) public var readable: Bool { bits & 0x2019 != 0 }
  /// The socket takes bytes again, or a connect has ended.
  @inlinable @inline(__always) public var writable: Bool { bits & 0x1c != 0 }
  /// The peer has closed at least its sending half.
  @inlinable @inline(__always) public var peerClosed: Bool { bits & 0x2018 != 0 }
  /// The connection is gone in both directions, or has an error.
  @inlinable @inline(__always) public var failed: Bool { bits & 0x18 != 0 }
}
