import Glibc
import WeftIdentity

/// Sockets that are bound before anything else starts, so that a port in use is said at once and by name.
enum ListeningSocket {
  /// - Returns: the descriptor, and the port that it got.
  static func open(_ address: ListenAddress, for what: String) throws(IdentityError) -> (descriptor: Int32, port: Int) {
    let isSix = address.host.contains(":")
    let descriptor = socket(isSix ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
    guard descriptor >= 0 else { throw failure(address, what) }
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    var port = 0
    let isOpen =
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size) == 0
      && bind(descriptor, address, isSix) && listen(descriptor, 1_024) == 0
    if isOpen { port = boundPort(descriptor, isSix) }
    guard isOpen, port > 0 else {
      let failure = failure(address, what)
      close(descriptor)
      throw failure
    }
    return (descriptor, port)
  }

  private static func bind(_ descriptor: Int32, _ address: ListenAddress, _ isSix: Bool) -> Bool {
    let port = in_port_t(UInt16(truncatingIfNeeded: address.port).bigEndian)
    if isSix {
      var six = sockaddr_in6()
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = port
      guard inet_pton(AF_INET6, address.host, &six.sin6_addr) == 1 else { return false }
      return withUnsafePointer(to: &six) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
        }
      }
    }
    var four = sockaddr_in()
    four.sin_family = sa_family_t(AF_INET)
    four.sin_port = port
    guard inet_pton(AF_INET, address.host, &four.sin_addr) == 1 else { return false }
    return withUnsafePointer(to: &four) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  private static func boundPort(_ descriptor: Int32, _ isSix: Bool) -> Int {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    guard result == 0 else { return 0 }
    return withUnsafePointer(to: &storage) { pointer in
      if isSix {
        pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin6_port)) }
      } else {
        pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
      }
    }
  }

  private static func failure(_ address: ListenAddress, _ what: String) -> IdentityError {
    let code = errno
    let advice =
      switch code {
      case EADDRINUSE: "; another process listens there: stop it, or choose another port"
      case EACCES: "; ports below 1024 need more rights: choose another port"
      case EADDRNOTAVAIL: "; this machine has no such address"
      default: ""
      }
    return IdentityError("cannot listen on \(address) for \(what): \(String(cString: strerror(code)))\(advice)")
  }
}
