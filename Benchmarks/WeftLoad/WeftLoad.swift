import ArgumentParser
import Glibc

/// Loads that wrk and h2load have not. Benchmarks/run.py starts them.
@main
struct WeftLoad: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weft-load", abstract: "Loads for side-by-side measurements, on one thread.",
    subcommands: [RateCommand.self, WebSocketCommand.self, EchoCommand.self])
}
