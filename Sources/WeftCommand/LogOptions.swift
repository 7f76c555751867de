import ArgumentParser
import Logging
import WeftTelemetry

/// How a command logs.
struct LogOptions: ParsableArguments {
  @Option(help: "trace, debug, info, notice, warning, error or critical.")
  var logLevel: Logger.Level = .info

  @Option(help: "text or json.")
  var logFormat: ProcessLog.Format = .text

  func makeLog(_ writer: LogWriter) throws -> ProcessLog {
    try ProcessLog(format: logFormat, level: logLevel, writer: writer)
  }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension ProcessLog.Format: ExpressibleByArgument {}
