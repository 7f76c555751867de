import CLinux
import Glibc

/// Signals as events of a loop, instead of handlers that may do next to nothing (signalfd(2)).
///
/// Make it in the first thread before any other starts: the signals are blocked in the calling thread, and threads
/// inherit that. They stay blocked when it goes, and programs that this process starts inherit that, too, unless they
/// reset it. SIGPIPE is ignored in the whole process from then on.
public final class SignalSource: LoopSource {
  /// Called from `process` with the signal's number. Several of one kind that come close together count as one.
  public var onSignal: ((Int32) -> Void)?
  private let file: OwnedDescriptor

  /// - Parameter signals: such as SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD.
  public init(_ signals: [Int32]) throws(SystemError) {
    var set = try SignalSource.block(signals)
    var ignore = sigaction()
    ignore.__sigaction_handler.sa_handler = SIG_IGN
    if sigaction(SIGPIPE, &ignore, nil) != 0 { throw SystemError(operation: "ignore SIGPIPE", errno: errno) }
    let fd = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
    if fd < 0 { throw SystemError(operation: "signalfd", errno: errno) }
    file = OwnedDescriptor(fd)
  }

  /// Blocks signals in the calling thread, and so in all that it starts from then on: for a program that starts threads
  /// before it makes the source.
  @discardableResult
  public static func block(_ signals: [Int32]) throws(SystemError) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in signals where sigaddset(&set, number) != 0 {
      throw SystemError(operation: "watch signal \(number)", errno: errno)
    }
    let error = pthread_sigmask(SIG_BLOCK, &set, nil)
    if error != 0 { throw SystemError(operation: "pthread_sigmask", errno: error) }
    return set
  }

  public var descriptor: Int32 { file.raw }

  public func nextDeadline(now: UInt64) -> UInt64? { nil }

  public func process(now: UInt64) {
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    while true {
      let n = read(file.raw, &info, size)
      if n == size {
        onSignal?(Int32(truncatingIfNeeded: info.ssi_signo))
      } else if n >= 0 || errno != EINTR {
        return
      }
    }
  }
}
