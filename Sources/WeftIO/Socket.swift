import CLinux
import Glibc

/// Calls on stream sockets, non-blocking and close-on-exec all of them. The caller owns the descriptors.
///
/// No call raises SIGPIPE, none returns EINTR.
public enum Socket {
  /// MSG_NOSIGNAL, which glibc declares in a way that Swift imports with the wrong type.
  @usableFromInline static var noSignal: Int32 { 0x4000 }

  // MARK: Bytes

  /// Receives up to `count` bytes.
  @inlinable @inline(__always)
  public static func receive(_ fd: Int32, _ into: MutableBytePointer, _ count: Int) -> IOResult {
    while true {
      let n = cl_recv(fd, into, count)
      if n != -Int(EINTR) { return IOResult(raw: n) }
    }
  }

  /// Receives up to `count` bytes and leaves them where they are, for the next receive.
  public static func peek(_ fd: Int32, _ into: MutableBytePointer, _ count: Int) -> IOResult {
    while true {
      let n = recv(fd, into, count, Int32(MSG_PEEK))
      if n >= 0 { return IOResult(raw: n) }
      let error = errno
      if error != EINTR { return IOResult(raw: -Int(error)) }
    }
  }

  /// Sends up to `count` bytes.
  @inlinable @inline(__always)
  public static func send(_ fd: Int32, _ bytes: BytePointer, _ count: Int) -> IOResult {
    while true {
      let n = cl_send(fd, bytes, count)
      if n != -Int(EINTR) { return IOResult(raw: n) }
    }
  }

  /// Sends several runs of bytes in one call: writev(2) without SIGPIPE.
  /// - Parameter count: at most 1024 (IOV_MAX).
  @inlinable @inline(__always)
  public static func send(_ fd: Int32, vectors: UnsafeMutablePointer<iovec>, _ count: Int) -> IOResult {
    var message = msghdr()
    message.msg_iov = vectors
    message.msg_iovlen = count
    while true {
      let n = sendmsg(fd, &message, noSignal)
      if n >= 0 { return IOResult(raw: n) }
      let error = errno
      if error != EINTR { return IOResult(raw: -Int(error)) }
    }
  }

  // MARK: Ends

  /// Sends a FIN; receiving goes on. False when the connection is gone already.
  @discardableResult
  public static func shutdownWrite(_ fd: Int32) -> Bool { shutdown(fd, Int32(SHUT_WR)) == 0 }

  /// Makes the close that follows send a RST and drop what is unsent, so that the peer learns that its message or ours
  /// is incomplete.
  @discardableResult
  public static func resetOnClose(_ fd: Int32) -> Bool {
    var value = linger(l_onoff: 1, l_linger: 0)
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size)) == 0
  }

  /// Closes `fd`. On Linux the descriptor is gone whatever close(2) returns, so that there is nothing to retry; what a
  /// failed write-back means for files does not apply to sockets.
  public static func close(_ fd: Int32) {
    if fd >= 0 { _ = Glibc.close(fd) }
  }

  /// Closes `fd` unless that has been done, and marks it as closed with -1.
  public static func closeOnce(_ fd: inout Int32) {
    let old = fd
    fd = -1
    close(old)
  }

  // MARK: Addresses and state

  /// The address of the other side; `none` when not connected, or for an unnamed Unix socket.
  public static func peerAddress(_ fd: Int32) -> SocketAddress { address(fd, getpeername) }

  /// The address of our side.
  public static func localAddress(_ fd: Int32) -> SocketAddress { address(fd, getsockname) }

  /// Where the connection was meant to go before netfilter redirected it to us; nil when it did not.
  public static func originalDestination(_ fd: Int32) -> SocketAddress? {
    let own = localAddress(fd)
    guard let ip = own.ip else { return nil }
    // SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST are the same number (linux/netfilter_ipv4.h, netfilter_ipv6.h).
    let original = address(fd) { fd, pointer, length in
      getsockopt(fd, Int32(ip.isV4 ? IPPROTO_IP : IPPROTO_IPV6), 80, pointer, length)
    }
    return original.ip == nil || original == own ? nil : original
  }

  /// Takes the socket's pending error, which says how a connect ended: 0 when it is connected.
  public static func takeError(_ fd: Int32) -> Int32 {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length) == 0 ? value : errno
  }

  private static func address(
    _ fd: Int32, _ call: (Int32, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> Int32
  ) -> SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(fd, $0, &length) }
    }
    return result == 0 ? SocketAddress(storage, length: length) : SocketAddress()
  }
}
