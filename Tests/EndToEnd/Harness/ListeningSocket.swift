import CLinux
import Glibc

/// A port of 127.0.0.1 for a proxy to listen on, that no other test of any test run on this machine uses as long as this
/// object lives.
///
/// The port itself stays unbound, for a proxy refuses one that somebody else has bound. So it comes from below the
/// ephemeral ports, where no outgoing connection takes it by chance, and an abstract Unix socket of its number stands
/// for it.
final class ReservedPort: Sendable {
  let number: Int
  private let claim: Int32

  init() throws {
    for _ in 0..<1000 {
      let number = Int.random(in: 10_000..<30_000)
      guard let claim = ReservedPort.claim(number) else { continue }
      if ReservedPort.isFree(number) {
        self.number = number
        self.claim = claim
        return
      }
      close(claim)
    }
    throw SocketFault.failed("find a free port", EADDRINUSE)
  }

  deinit { close(claim) }

  private static func claim(_ number: Int) -> Int32? {
    let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if fd < 0 { return nil }
    // A leading zero makes it abstract: it needs no file, and goes with its process.
    if SocketEndpoint.unix("\0weft-end-to-end-\(number)").withAddress({ bind(fd, $0, $1) }) == 0 { return fd }
    close(fd)
    return nil
  }

  private static func isFree(_ number: Int) -> Bool {
    guard let (fd, _) = try? ListeningSocket.bind(.port(number)) else { return false }
    close(fd)
    return true
  }
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
