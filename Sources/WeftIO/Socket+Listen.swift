import CLinux
import Glibc

/// How a listener is opened.
public struct ListenOptions: Sendable {
  /// Several listeners share the address, one a worker, and the kernel spreads connections among them (SO_REUSEPORT).
  /// Unix sockets have no such sharing: open once, and let the workers accept from the same descriptor.
  public var reusePort = true
  /// Connections that the kernel completes and keeps until they are accepted; net.core.somaxconn caps it.
  public var backlog: Int32 = 4096
  /// Leave IPv4 clients out of an IPv6 listener.
  public var v6Only = false
  /// Seconds to wait for a client's first bytes before waking the listener (TCP_DEFER_ACCEPT); 0: do not wait.
  public var deferAccept: Int32 = 0
  /// Permission bits of a Unix socket's file; nil: as the process's umask says.
  public var unixMode: UInt32?

  public init() {}
}

/// What an accept came to.
@frozen
public enum AcceptOutcome: Equatable, Sendable {
  case connection(Int32)
  /// Nobody waits.
  case wouldBlock
  /// This one connection was gone before it was accepted: try again at once.
  case aborted
  /// No descriptor or memory is left (EMFILE, ENFILE, ENOBUFS, ENOMEM). The connection still waits, and a
  /// level-triggered listener goes on to fire: shed it with a `DescriptorReserve`, or stop accepting for a while.
  case exhausted(Int32)
  /// The listener itself is broken.
  case failed(Int32)
}

extension Socket {
  /// Opens a listener. TCP_NODELAY is set, and on loopback no pacing, which accepted sockets inherit.
  ///
  /// Where the kernel has no IPv6, `[::]` falls back to all IPv4 interfaces. A Unix socket's file that no process
  /// listens on any more is replaced.
  public static func listen(_ address: SocketAddress, _ options: ListenOptions = .init()) throws(SystemError) -> Int32 {
    do {
      return try open(address, options)
    } catch let error where error.errno == EAFNOSUPPORT && address.ip == .any && !options.v6Only {
      return try open(SocketAddress(.anyV4, port: address.port), options)
    }
  }

  private static func open(_ address: SocketAddress, _ options: ListenOptions) throws(SystemError) -> Int32 {
    let operation = "listen on \(address)"
    let raw = socket(address.domain, streamType, 0)
    if raw < 0 { throw SystemError(operation: operation, errno: errno) }
    let fd = OwnedDescriptor(raw)
    var accepted = true
    if address.family == .ip {
      accepted = set(raw, SOL_SOCKET, SO_REUSEADDR, 1)
      if options.reusePort { accepted = accepted && set(raw, SOL_SOCKET, SO_REUSEPORT, 1) }
      if address.domain == AF_INET6 {
        accepted = accepted && set(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, options.v6Only ? 1 : 0)
      }
      if options.deferAccept > 0 {
        accepted = accepted && set(raw, Int32(IPPROTO_TCP), TCP_DEFER_ACCEPT, options.deferAccept)
      }
      accepted = accepted && setNoDelay(raw)
      if let ip = address.ip, ip.isLoopback { leavePacing(raw) }
    }
    if !accepted { throw SystemError(operation: operation, errno: errno) }

    var error = bind(raw, address)
    if error == EADDRINUSE && isAbandoned(address) {
      guard let path = address.unixPath, unlink(path) == 0 else {
        throw SystemError(operation: "replace the abandoned socket \(address)", errno: errno)
      }
      error = bind(raw, address)
    }
    if error != 0 { throw SystemError(operation: operation, errno: error) }
    if let mode = options.unixMode, let path = address.unixPath, !path.utf8.starts(with: [0x40]) {
      if chmod(path, mode_t(mode)) != 0 { throw SystemError(operation: "chmod \(path)", errno: errno) }
    }
    // The listening queue is where a second listener on the same port without SO_REUSEPORT is refused.
    if Glibc.listen(raw, options.backlog) != 0 { throw SystemError(operation: operation, errno: errno) }
    return fd.release()
  }

  /// Another descriptor for the same socket, for another thread to own.
  public static func duplicate(_ fd: Int32) throws(SystemError) -> Int32 {
    let copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)
    if copy < 0 { throw SystemError(operation: "duplicate a socket", errno: errno) }
    return copy
  }

  /// Accepts one connection.
  /// - Parameter peer: set to the client's address when there is a connection; `none` for a Unix client.
  public static func accept(_ listener: Int32, peer: inout SocketAddress) -> AcceptOutcome {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let fd = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { cl_accept(listener, $0, &length) }
    }
    if fd >= 0 {
      // A Unix client may bind names at will: they are not worth interning.
      peer = storage.ss_family == sa_family_t(AF_UNIX) ? SocketAddress() : SocketAddress(storage, length: length)
      return .connection(fd)
    }
    let error = errno
    switch error {
    case EAGAIN: return .wouldBlock
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(error)
    // Also what accept(2) lists as errors of the new connection rather than of the listener.
    case EINTR, ECONNABORTED, EPERM, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
      return .aborted
    default: return .failed(error)
    }
  }

  /// SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC: enumeration constants of differing imported types.
  static var streamType: Int32 { 1 | 0o4000 | 0o2000000 }

  private static func bind(_ fd: Int32, _ address: SocketAddress) -> Int32 {
    address.withSockaddr { Glibc.bind(fd, $0, $1) == 0 ? 0 : errno }
  }

  /// Whether `address` is the file of a Unix socket that nobody listens on: what a process that was killed leaves.
  private static func isAbandoned(_ address: SocketAddress) -> Bool {
    guard let path = address.unixPath, !path.utf8.starts(with: [0x40]) else { return false }
    var info = stat()
    if lstat(path, &info) != 0 || info.st_mode & S_IFMT != S_IFSOCK { return false }
    switch connect(address) {
    case .failed(let error): return error == ECONNREFUSED
    case .connected(let fd), .inProgress(let fd):
      close(fd)
      return false
    }
  }
}
