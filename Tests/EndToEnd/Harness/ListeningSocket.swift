import CLinux
import Glibc

/// A port of 127.0.0.1 that is ours as long as this object lives. A proxy, which shares its ports, can listen on it;
/// nobody else can.
final class ReservedPort: Sendable {
  let number: Int
  private let fd: Int32

  init() throws {
    let (fd, number) = try ListeningSocket.bind(.port(0))
    // Set after the bind, so that the bind itself fails where another proxy is.
    var on: Int32 = 1
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, socklen_t(MemoryLayout<Int32>.size))
    self.fd = fd
    self.number = number
  }

  deinit { close(fd) }
}

/// A listening socket of a test's server.
final class ListeningSocket: @unchecked Sendable {
  let endpoint: SocketEndpoint
  private let fd: Int32

  init(_ wanted: SocketEndpoint, backlog: Int32 = 512) throws {
    let (fd, port) = try ListeningSocket.bind(wanted)
    self.fd = fd
    if case .unix = wanted { endpoint = wanted } else { endpoint = .port(port) }
    if listen(fd, backlog) != 0 { throw SocketFault.failed("listen on \(wanted)", errno) }
  }

  deinit {
    close(fd)
    if case .unix(let path) = endpoint { unlink(path) }
  }

  fileprivate static func bind(_ endpoint: SocketEndpoint) throws -> (fd: Int32, port: Int) {
    let fd = socket(endpoint.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if fd < 0 { throw SocketFault.failed("socket", errno) }
    var on: Int32 = 1
    if case .port(let port) = endpoint, port != 0 {
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    }
    if endpoint.withAddress({ Glibc.bind(fd, $0, $1) }) != 0 {
      let error = errno
      close(fd)
      throw SocketFault.failed("bind to \(endpoint)", error)
    }
    if case .unix = endpoint { return (fd, 0) }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutableBytes(of: &address) {
      getsockname(fd, $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, &length)
    }
    return (fd, Int(in_port_t(bigEndian: address.sin_port)))
  }

  /// The next connection; nil once `stop` was called.
  func accept() -> StreamSocket? {
    while true {
      let connection = cl_accept(fd, nil, nil)
      if connection >= 0 { return StreamSocket(connection) }
      if errno == EMFILE || errno == ENFILE { usleep(10_000) }
      if errno == EINVAL || errno == EBADF { return nil }
    }
  }

  /// Ends a blocked `accept`.
  func stop() { shutdown(fd, Int32(SHUT_RDWR)) }
}
