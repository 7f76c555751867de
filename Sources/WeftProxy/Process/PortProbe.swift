import Glibc
import WeftIO

/// Notices another process that serves the same address. Workers share their addresses (SO_REUSEPORT), so that the kernel
/// would let a second proxy in, and give each of the two some of the connections.
enum PortProbe {
  private static let patience: Int32 = 200  // ms

  /// Whether somebody accepts connections at `address`.
  static func isServed(_ address: SocketAddress) -> Bool {
    guard let ip = address.ip else { return false }
    let target = ip.isUnspecified ? SocketAddress(.loopbackV4, port: address.port) : address
    switch Socket.connect(target) {
    case .failed: return false
    case .connected(let fd):
      Socket.close(fd)
      return true
    case .inProgress(let fd):
      defer { Socket.close(fd) }
      var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
      return poll(&entry, 1, patience) == 1 && Socket.takeError(fd) == 0
    }
  }
}
