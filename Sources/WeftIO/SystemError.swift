import Glibc

/// A system call that failed, told so that the reader knows what to do about it.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was tried, such as `listen on 127.0.0.1:80` or the call's name.
  public let operation: String
  public let errno: Int32

  public init(operation: String, errno: Int32) {
    self.operation = operation
    self.errno = errno
  }

  /// `operation: reason`, and a way out where there is a usual one.
  public var description: String {
    let reason = "\(operation): \(SystemError.reason(errno))"
    return advice.map { "\(reason); \($0)" } ?? reason
  }

  /// What usually helps; nil where that depends on the case.
  public var advice: String? {
    switch errno {
    case EADDRINUSE: "another process has this address: stop it (find it with `ss -ltnp`), or choose another port"
    case EADDRNOTAVAIL: "no interface of this machine has this address: see `ip addr`, or listen on `:PORT` for all"
    case EACCES:
      "allow it: ports below 1024 need CAP_NET_BIND_SERVICE, files and Unix sockets need permission on their folder"
    case EPERM: "the process may not do this: see its capabilities, container profile and firewall rules"
    case EMFILE: "this process has as many open files as it may: raise its limit (`ulimit -n`, LimitNOFILE=)"
    case ENFILE: "this machine has as many open files as it may: raise the sysctl fs.file-max"
    case ENOBUFS, ENOMEM: "the kernel is short of memory: lower buffer sizes or connection limits, or add memory"
    case EAFNOSUPPORT: "this kernel lacks the address family: use an IPv4 address if IPv6 is disabled"
    case ENOENT: "the path does not exist: create it, or correct the path"
    case ECONNREFUSED: "nothing listens there: start the service, or correct the address"
    case EHOSTUNREACH, ENETUNREACH: "there is no route to the address: check the network and its routes"
    case ETIMEDOUT: "the other side did not answer: check that it runs and that no firewall drops packets"
    default: nil
    }
  }

  /// What an error number means. `strerror` is not safe with several threads, this is.
  static func reason(_ errno: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let base = buffer.baseAddress, strerror_r(errno, base, 256) == 0 else { return "error \(errno)" }
      return String(cString: base)
    }
  }
}
