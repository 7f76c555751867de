import Glibc

/// What the start of a connect came to.
@frozen
public enum ConnectOutcome: Equatable, Sendable {
  case connected(Int32)
  /// Wait until the descriptor is writable, then `Socket.takeError` says how it ended.
  case inProgress(Int32)
  /// No descriptor was left open.
  case failed(Int32)
}

extension Socket {
  /// Starts to connect without blocking, with TCP_NODELAY set; over loopback, without pacing.
  ///
  /// A Unix socket connects at once or fails; EAGAIN then means that its backlog is full.
  public static func connect(_ address: SocketAddress) -> ConnectOutcome {
    let fd = socket(address.domain, streamType, 0)
    if fd < 0 { return .failed(errno) }
    if address.family == .ip {
      setNoDelay(fd)
      if let ip = address.ip, ip.isLoopback { leavePacing(fd) }
    }
    let error: Int32 = address.withSockaddr { Glibc.connect(fd, $0, $1) == 0 ? 0 : errno }
    switch error {
    case 0: return .connected(fd)
    // A signal does not stop a connect: it goes on by itself (connect(2)).
    case EINPROGRESS, EINTR: return .inProgress(fd)
    default:
      close(fd)
      return .failed(error)
    }
  }
}
