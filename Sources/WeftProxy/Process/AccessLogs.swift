import WeftConfig
import WeftTelemetry

/// The access logs that a configuration asks for, compiled once; each worker writes through buffers of its own.
struct AccessLogs {
  struct Log {
    let format: AccessLogFormat
    let sink: LogSink
    /// Only these statuses; empty: all.
    let statuses: [ClosedRange<Int>]
    /// Only exchanges that took at least so many nanoseconds.
    let minDuration: Int64
  }

  let logs: [Log]

  /// - Throws: a format's mistake, or a file that cannot be opened, with its place.
  init(_ settings: [AccessLogSettings], _ writer: LogWriter) throws {
    logs = try settings.map { setting in
      do {
        return Log(
          format: try AccessLogs.format(setting),
          sink: try writer.sink(AccessLogs.target(setting.destination)),
          statuses: setting.statuses, minDuration: setting.minDuration.nanoseconds)
      } catch {
        throw setting.origin.error("\(error)")
      }
    }
  }

  /// Without opening anything, for `weft check`.
  static func check(_ settings: [AccessLogSettings]) -> [Diagnostic] {
    settings.compactMap { setting in
      do {
        _ = try format(setting)
        return nil
      } catch {
        return setting.origin.error("\(error)")
      }
    }
  }

  private static func format(_ setting: AccessLogSettings) throws -> AccessLogFormat {
    switch setting.format {
    case .text: try AccessLogFormat(text: setting.template ?? AccessLogFormat.defaultText)
    case .json:
      if let fields = setting.fields { try AccessLogFormat(json: members(fields)) } else { try AccessLogFormat() }
    }
  }

  private static func members(_ fields: ConfigNode) -> [(String, AccessLogFormat.Value)] {
    fields.entries.map { ($0.key, value($0.value)) }
  }

  private static func value(_ node: ConfigNode) -> AccessLogFormat.Value {
    switch node.kind {
    case .mapping: .object(members(node))
    case .sequence: .list(node.items.map(value))
    default: .text(node.stringValue ?? "")
    }
  }

  private static func target(_ destination: AccessLogSettings.Destination) -> LogTarget {
    switch destination {
    case .standardOutput: .stdout
    case .standardError: .stderr
    case .file(let path): .file(path)
    }
  }

  /// Buffers for one worker.
  func makeWorkerLog() -> WorkerAccessLog { WorkerAccessLog(self) }
}
