import CLuaHost
import Glibc
import Logging
import WeftIO

extension LuaFilter {
  static func level(_ level: Int32) -> Logger.Level {
    switch Int(level) {
    case WL_TRACE: .trace
    case WL_DEBUG: .debug
    case WL_INFO: .info
    case WL_WARN: .warning
    case WL_ERROR: .error
    default: .critical
    }
  }

  func isLogged(_ level: Int32) -> Bool { type.logger.logLevel <= Self.level(level) }

  /// Longest message of a script that is logged; the rest is cut off.
  static let messageLimit = 8192

  /// Logs a script's message, within the bundle's budget of lines.
  func log(_ level: Int32, _ message: Bytes) {
    guard isLogged(level), let suppressed = state.scriptLog.take(now: MonotonicTime.nanoseconds()) else { return }
    var metadata: Logger.Metadata = ["filter": "\(type.filterName)", "bundle": "\(type.program.name)"]
    if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
    type.logger.log(
      level: Self.level(level), "\(message.slice(0, Self.messageLimit).string)", metadata: metadata)
  }
}

/// Processor time of the calling thread.
enum ThreadClock {
  /// Nanoseconds.
  static var now: Int64 {
    var time = timespec()
    // It fails for an unknown clock only.
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
