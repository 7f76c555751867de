import Glibc
import WeftIO
import WeftTLS

/// Bytes of a connection, encrypted or not. The plain way costs one predicted branch more than the socket's own calls.
enum Transport {
  @inline(__always)
  static func receive(_ fd: Int32, _ tls: TLSSession?, _ into: MutableBytePointer, _ count: Int) -> IOResult {
    if let tls { return tls.receive(into, count) }
    return Socket.receive(fd, into, count)
  }

  @inline(__always)
  static func send(_ fd: Int32, _ tls: TLSSession?, _ bytes: BytePointer, _ count: Int) -> IOResult {
    if let tls { return tls.send(bytes, count) }
    return Socket.send(fd, bytes, count)
  }

  /// Whether a receive of `count` bytes where `space` were asked for has emptied the socket.
  @inline(__always)
  static func isEmptied(_ tls: TLSSession?, by count: Int, of space: Int) -> Bool {
    if let tls { return tls.isDrained }
    return count < space
  }

  /// As `ByteQueue.flush`, for encrypted connections too.
  @inline(__always)
  static func flush(_ queue: inout ByteQueue, _ fd: Int32, _ tls: TLSSession?, _ pool: BufferPool) -> Int32 {
    if let tls { return flush(&queue, tls, pool) }
    return queue.flush(fd, pool)
  }

  /// Piece by piece: a record that the socket did not take whole must be begun again with the same bytes, and these
  /// stay at the head of the queue.
  private static func flush(_ queue: inout ByteQueue, _ tls: TLSSession, _ pool: BufferPool) -> Int32 {
    while !queue.isEmpty {
      var piece = iovec()
      guard queue.fill(&piece, limit: 1) == 1, let base = piece.iov_base else { return 0 }
      let result = tls.send(base.assumingMemoryBound(to: UInt8.self), piece.iov_len)
      if result.wouldBlock { return 0 }
      if result.failed { return result.errno }
      queue.consume(result.count, pool)
      if result.count < piece.iov_len { return 0 }
    }
    return 0
  }

  /// Says that we send no more; receiving goes on.
  static func shutdownWrite(_ fd: Int32, _ tls: TLSSession?) {
    tls?.closeSending()
    Socket.shutdownWrite(fd)
  }

  /// Ends a session, if there is one, before its socket is closed.
  @inline(__always)
  static func end(_ tls: inout TLSSession?) {
    if tls == nil { return }
    tls?.closeSending()
    tls?.free()
    tls = nil
  }
}
