import ArgumentParser
import Logging
import WeftTelemetry

/// How a command logs.
package struct LogOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"),
    completion: .list(Logger.Level.allCases.map(\.rawValue)),
    transform: { text in
      guard let level = Logger.Level(rawValue: text) else {
        throw ValidationError("'\(text)' is no log level; use trace, debug, info, notice, warning, error or critical")
      }
      return level
    })
  package var logLevel: Logger.Level = .info

  @Option(help: "text or json.")
  package var logFormat: ProcessLog.Format = .text

  package init() {}

  package func makeLog(_ writer: LogWriter) throws -> ProcessLog {
    try ProcessLog(format: logFormat, level: logLevel, writer: writer)
  }
}

extension ProcessLog.Format: ExpressibleByArgument {}
