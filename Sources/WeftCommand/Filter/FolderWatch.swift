import Glibc
import WeftIO
import WeftTelemetry

/// Waits until a file below some folders changes.
struct FolderWatch: ~Copyable {
  private let watcher: FileWatcher

  /// - Throws: `SystemError` when the process has no descriptor left.
  init() throws(SystemError) { watcher = try FileWatcher() }

  /// Changes count from here on.
  mutating func begin(_ folders: [String]) {
    watcher.watch(folders, since: UnixTime.nanoseconds() / 1_000_000)
  }

  func wait() {
    var hasChanged = false
    watcher.onChange = { _ in hasChanged = true }
    while !hasChanged {
      let now = MonotonicTime.milliseconds()
      let deadline = watcher.nextDeadline(now: now)
      let timeout = deadline.map { Int32(clamping: $0 > now ? $0 - now : 0) } ?? -1
      var descriptor = pollfd(fd: watcher.descriptor, events: Int16(POLLIN), revents: 0)
      poll(&descriptor, 1, timeout)
      watcher.process(now: MonotonicTime.milliseconds())
    }
    watcher.onChange = nil
  }
}
