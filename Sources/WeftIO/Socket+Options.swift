import CLinux
import Glibc

extension Socket {
  // Socket options. False when the kernel refuses, for instance on a Unix socket: none of these is worth failing for.

  /// Sends small segments at once (RFC 9293 3.7.4 off). Accepted sockets inherit it from their listener.
  @discardableResult
  public static func setNoDelay(_ fd: Int32) -> Bool { set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

  /// Probes an idle connection so that a vanished peer is noticed. Accepted sockets inherit it from their listener.
  /// - Parameters:
  ///   - idle: seconds without traffic before the first probe.
  ///   - interval: seconds between probes.
  ///   - count: unanswered probes after which the connection is dead.
  @discardableResult
  public static func setKeepAlive(_ fd: Int32, idle: Int32, interval: Int32, count: Int32) -> Bool {
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) && set(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, idle)
      && set(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, interval) && set(fd, Int32(IPPROTO_TCP), TCP_KEEPCNT, count)
  }

  /// Fixes the kernel's receive buffer, in bytes, which ends its automatic tuning. On a listener, before it listens,
  /// for all its connections.
  @discardableResult
  public static func setReceiveBuffer(_ fd: Int32, bytes: Int32) -> Bool { set(fd, SOL_SOCKET, SO_RCVBUF, bytes) }

  /// Fixes the kernel's send buffer, in bytes, which ends its automatic tuning.
  @discardableResult
  public static func setSendBuffer(_ fd: Int32, bytes: Int32) -> Bool { set(fd, SOL_SOCKET, SO_SNDBUF, bytes) }

  static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
    var value = value
    return setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
  }
}
