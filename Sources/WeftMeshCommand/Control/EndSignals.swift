import Foundation
import Glibc
import Synchronization

/// Signals that end a process, given to a handler instead. From the moment at which one is made, none is lost: the
/// system's own handler writes a byte, and a thread reads it. (A dispatch source takes signals only once a busy queue has
/// installed it, and those that come before are gone.)
///
/// One a process.
final class EndSignals: Sendable {
  /// Where the signal's handler writes.
  private static let writer = Atomic<Int32>(-1)

  /// - Parameter handler: called at each SIGTERM and SIGINT, on a thread of its own.
  /// - Throws: `SignalError`: the process has no descriptors left.
  init(_ handler: @escaping @Sendable () -> Void) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0, fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0,
      fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0
    else {
      throw SignalError(description: "cannot make a pipe for signals: \(String(cString: strerror(errno)))")
    }
    let reader = ends[0]
    Self.writer.store(ends[1], ordering: .sequentiallyConsistent)
    Thread.detachNewThread {
      var byte: UInt8 = 0
      while true {
        let count = read(reader, &byte, 1)
        if count == 1 { handler() } else if count == 0 || errno != EINTR { return }
      }
    }
    for number in [SIGTERM, SIGINT] {
      var action = sigaction()
      action.sa_flags = SA_RESTART
      action.__sigaction_handler.sa_handler = { _ in
        // Only what a signal's handler may do. A full pipe has enough to say already.
        let saved = errno
        var byte: UInt8 = 1
        _ = write(EndSignals.writer.load(ordering: .relaxed), &byte, 1)
        errno = saved
      }
      guard sigaction(number, &action, nil) == 0 else {
        throw SignalError(description: "cannot take signal \(number): \(String(cString: strerror(errno)))")
      }
    }
  }
}

struct SignalError: Error, CustomStringConvertible {
  let description: String
}
