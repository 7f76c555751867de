import Logging
import WeftIO

/// What the filter under test logs, and how it fails.
final class CapturedLog: Sendable {
  struct Line {
    let level: Logger.Level
    let message: String
    /// The host's report of a call that failed, and not a line of the script's own.
    let isFailure: Bool

    /// As the API's methods name it.
    var levelName: String {
      switch level {
      case .notice: "info"
      case .warning: "warn"
      default: level.rawValue
      }
    }
  }

  private let kept = Locked<[Line]>([])
  /// Lines that one test may log before the rest is left out.
  private static let limit = 10_000

  var lines: [Line] { kept.withLock { $0 } }

  var logger: Logger {
    var logger = Logger(label: "filter") { _ in Handler(log: self) }
    logger.logLevel = .trace
    return logger
  }

  private struct Handler: LogHandler {
    let log: CapturedLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let line = Line(
        level: event.level, message: "\(event.message)", isFailure: event.metadata?["reason"] != nil)
      log.kept.withLock { if $0.count < CapturedLog.limit { $0.append(line) } }
    }
  }
}
