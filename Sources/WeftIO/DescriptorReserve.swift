import Glibc

/// A spare descriptor that is given up when there is no other left, so that clients who wait in the listener's queue
/// are turned away at once instead of waiting for nothing, and a level-triggered listener does not spin.
///
/// One a worker. Descriptors belong to the whole process, so another thread may be faster: then nobody is turned away
/// this time, and the spare comes back as soon as there is one.
public struct DescriptorReserve: ~Copyable {
  private var spare: Int32

  public init() { spare = DescriptorReserve.open() }

  deinit { Socket.close(spare) }

  /// Whether the spare is there to be given up.
  public var isReady: Bool { spare >= 0 }

  /// Closes up to `limit` connections that wait at `listener`, without a word.
  /// - Returns: how many. When it is 0 after `AcceptOutcome.exhausted`, stop accepting for a while.
  public mutating func shed(_ listener: Int32, limit: Int) -> Int {
    if spare < 0 { spare = DescriptorReserve.open() }
    Socket.closeOnce(&spare)
    var count = 0
    var peer = SocketAddress()
    // Aborted connections and the like count as tries, so that this ends.
    for _ in 0..<max(limit, 0) {
      switch Socket.accept(listener, peer: &peer) {
      case .connection(let fd):
        Socket.resetOnClose(fd)
        Socket.close(fd)
        count &+= 1
        continue
      case .aborted:
        continue
      case .wouldBlock, .exhausted, .failed:
        break
      }
      break
    }
    spare = DescriptorReserve.open()
    return count
  }

  private static func open() -> Int32 { Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
}

/// The process's limit of open files.
public enum DescriptorLimit {
  /// Raises the soft limit to the hard one.
  /// - Returns: the limit now in force.
  public static func raise() throws(SystemError) -> UInt64 {
    // The constant is imported as another type than the calls take.
    let resource = __rlimit_resource_t(bitPattern: RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    if getrlimit(resource, &limit) != 0 {
      throw SystemError(operation: "getrlimit", errno: errno)
    }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      if setrlimit(resource, &limit) != 0 { throw SystemError(operation: "setrlimit", errno: errno) }
    }
    return UInt64(limit.rlim_cur)
  }
}
