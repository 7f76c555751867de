import ArgumentParser

struct FilterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "filter",
    abstract: "List filter types; test, try and measure Lua bundles without a network.",
    discussion: """
      Examples:
        weft filter test filters/tenant-tag
        weft filter run filters/tenant-tag https://acme.shop.example/cart
        weft filter bench filters/tenant-tag
      """,
    subcommands: [
      FilterListCommand.self, FilterTestCommand.self, FilterRunCommand.self, FilterBenchCommand.self,
    ])
}
