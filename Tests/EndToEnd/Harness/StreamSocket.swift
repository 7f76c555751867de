import CLinux
import Glibc

/// Where a socket leads to.
enum SocketEndpoint: Sendable, Hashable, CustomStringConvertible {
  case port(Int)
  case unix(String)

  /// As configurations name it.
  var description: String {
    switch self {
    case .port(let port): "127.0.0.1:\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  func withAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    switch self {
    case .port(let port):
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
      address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
      return withUnsafeBytes(of: &address) {
        body($0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count))
      }
    case .unix(let path):
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
      return withUnsafeBytes(of: &address) {
        body($0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count))
      }
    }
  }

  var family: Int32 {
    switch self {
    case .port: AF_INET
    case .unix: AF_UNIX
    }
  }
}

/// What can befall a socket.
enum SocketFault: Error, Equatable, CustomStringConvertible {
  case reset
  case timedOut(String)
  case failed(String, Int32)

  var description: String {
    switch self {
    case .reset: "the connection was reset"
    case .timedOut(let what): "took too long: \(what)"
    case .failed(let what, let errno): "\(what): \(String(cString: strerror(errno)))"
    }
  }
}

/// A connected socket; every operation blocks, and none for ever. Closed when it is let go.
final class StreamSocket: @unchecked Sendable {
  private let fd: Int32
  private let isClosed = Locked(false)

  /// The calls themselves never block; waiting is poll's business, which has a limit.
  private static let atOnce = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)

  init(_ fd: Int32) { self.fd = fd }

  deinit { close() }

  /// - Parameter receiveBuffer: bytes that the kernel may hold for us, to be a peer that is soon full.
  static func connect(_ endpoint: SocketEndpoint, receiveBuffer: Int32? = nil) throws -> StreamSocket {
    let fd = socket(endpoint.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if fd < 0 { throw SocketFault.failed("socket", errno) }
    let made = StreamSocket(fd)
    if var size = receiveBuffer {
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    made.setNoDelay()
    if endpoint.withAddress({ Glibc.connect(fd, $0, $1) }) != 0 {
      throw SocketFault.failed("connect to \(endpoint)", errno)
    }
    return made
  }

  func setNoDelay() {
    var on: Int32 = 1
    setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  /// The port at our own end.
  var localPort: Int {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutableBytes(of: &address) {
      getsockname(fd, $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, &length)
    }
    return Int(in_port_t(bigEndian: address.sin_port))
  }

  private func wait(_ events: Int32, until end: Double, _ what: String) throws {
    while true {
      var entry = pollfd(fd: fd, events: Int16(events), revents: 0)
      let left = end - monotonicSeconds()
      if left <= 0 { throw SocketFault.timedOut(what) }
      let n = poll(&entry, 1, Int32(min(left * 1000, 60_000)) + 1)
      if n > 0 { return }
      if n < 0 && errno != EINTR { throw SocketFault.failed("poll", errno) }
    }
  }

  private func fault(_ what: String, _ errno: Int32) -> SocketFault {
    errno == ECONNRESET || errno == EPIPE ? .reset : .failed(what, errno)
  }

  func send(_ bytes: [UInt8], within seconds: Double = defaultPatience) throws {
    let end = monotonicSeconds() + seconds
    var sent = 0
    while sent < bytes.count {
      try wait(POLLOUT, until: end, "sending \(bytes.count - sent) bytes")
      let n = bytes.withUnsafeBytes {
        Glibc.send(fd, $0.baseAddress! + sent, $0.count - sent, StreamSocket.atOnce)
      }
      if n >= 0 { sent += n } else if errno != EAGAIN && errno != EINTR { throw fault("send", errno) }
    }
  }

  /// Sends what the kernel takes at once.
  /// - Returns: how many bytes that was; 0 when it takes none.
  func sendSome(_ bytes: [UInt8]) throws -> Int {
    let n = bytes.withUnsafeBytes {
      Glibc.send(fd, $0.baseAddress!, $0.count, StreamSocket.atOnce)
    }
    if n < 0 && errno != EAGAIN { throw fault("send", errno) }
    return max(n, 0)
  }

  /// - Returns: at least one byte; none at the end of what the peer sends.
  func receive(_ limit: Int = 65_536, within seconds: Double = defaultPatience) throws -> [UInt8] {
    let end = monotonicSeconds() + seconds
    while true {
      try wait(POLLIN, until: end, "receiving")
      var failure: Int32 = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: limit) { memory, count in
        let n = recv(fd, memory.baseAddress!, limit, StreamSocket.atOnce)
        if n < 0 { failure = errno }
        count = max(n, 0)
      }
      if failure == 0 { return bytes }
      if failure != EAGAIN && failure != EINTR { throw fault("receive", failure) }
    }
  }

  /// Says that we send no more, and goes on receiving.
  func shutdownWrite() { shut(Int32(SHUT_WR)) }

  /// Wakes whoever is blocked in another thread's call; the descriptor stays until that thread lets go.
  func shutdownBoth() { shut(Int32(SHUT_RDWR)) }

  private func shut(_ how: Int32) {
    // Under the lock, for the number of a closed descriptor is soon somebody else's.
    isClosed.withLock { if !$0 { shutdown(fd, how) } }
  }

  func close() {
    isClosed.withLock { closed in
      if !closed { Glibc.close(fd) }
      closed = true
    }
  }

  /// Closes with a reset instead of an orderly end.
  func reset() {
    isClosed.withLock { closed in
      if closed { return }
      var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
      Glibc.close(fd)
      closed = true
    }
  }
}
