import Glibc

/// What a read or write on a non-blocking descriptor came to: one word, without a branch to build it.
@frozen
public struct IOResult: Sendable {
  /// Bytes moved; 0 for the end of the stream; `-errno` for a failure.
  public let raw: Int

  @inlinable @inline(__always) public init(raw: Int) { self.raw = raw }

  /// Bytes moved: 0 also at the end of the stream and after a failure.
  @inlinable @inline(__always) public var count: Int { max(raw, 0) }
  @inlinable @inline(__always) public var succeeded: Bool { raw > 0 }
  /// A read found that the peer has shut its sending side. (Of a write it says that nothing was written.)
  @inlinable @inline(__always) public var isEnd: Bool { raw == 0 }
  /// Nothing moved now; the reactor tells when to try again.
  @inlinable @inline(__always) public var wouldBlock: Bool { raw == -Int(EAGAIN) }
  /// The descriptor is of no more use: reset, broken pipe, time-out.
  @inlinable @inline(__always) public var failed: Bool { raw < 0 && raw != -Int(EAGAIN) }
  /// The error number of a failure, EAGAIN included; 0 without one.
  @inlinable @inline(__always) public var errno: Int32 { raw < 0 ? Int32(truncatingIfNeeded: -raw) : 0 }
}
