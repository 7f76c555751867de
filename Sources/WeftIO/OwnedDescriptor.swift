import Glibc

/// A file descriptor that is closed when its owner goes, exactly once.
public struct OwnedDescriptor: ~Copyable, Sendable {
  public let raw: Int32

  /// Takes ownership of `raw`, an open descriptor.
  public init(_ raw: Int32) { self.raw = raw }

  /// Hands the descriptor out; the caller closes it.
  public consuming func release() -> Int32 {
    let fd = raw
    discard self
    return fd
  }

  deinit { Socket.close(raw) }
}
