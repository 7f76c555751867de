import ArgumentParser

struct FilterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "filter",
    abstract: "List filter types; test, try and measure Lua bundles without a network.",
    subcommands: [
      FilterListCommand.self, FilterTestCommand.self, FilterRunCommand.self, FilterBenchCommand.self,
    ])
}
