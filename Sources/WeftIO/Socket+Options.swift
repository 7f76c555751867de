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

  /// What governs how much a connection sends (tcp(7), TCP_CONGESTION), such as `cubic`; empty for no TCP socket.
  public static func congestionControl(_ fd: Int32) -> String {
    // TCP_CA_NAME_MAX
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { name in
      var length = socklen_t(name.count)
      guard getsockopt(fd, Int32(IPPROTO_TCP), TCP_CONGESTION, name.baseAddress, &length) == 0 else { return "" }
      return String(decoding: name.prefix(Int(length)).prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Sends at once what a connection within this machine may send. BBR, where it is the system's default, spaces what is
  /// sent in time, by a timer for each connection, so as not to fill queues on the way: over loopback there are none, and
  /// the timers are a twentieth of what a small request costs. Accepted sockets inherit it from their listener.
  static func leavePacing(_ fd: Int32) {
    guard pacesByDefault else { return }
    // The one that each kernel has and lets everybody use. If not, the connection goes on as it is.
    _ = "reno".withCString { setsockopt(fd, Int32(IPPROTO_TCP), TCP_CONGESTION, $0, 4) }
  }

  /// Read once, when it is first asked for.
  private static let pacesByDefault: Bool = {
    let fd = socket(AF_INET, streamType, 0)
    if fd < 0 { return false }
    defer { close(fd) }
    return congestionControl(fd).hasPrefix("bbr")
  }()

  static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
    var value = value
    return setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
  }
}
