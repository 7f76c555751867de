import ArgumentParser

struct FiltersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "filters",
    abstract: "List the filter types that this build knows.",
    discussion: """
      A type's name is what `spec.type` of a Filter resource says. docs/filters/ has a page for each built-in one.

      Example:
        weft filters
      """)

  @Flag(help: "As a JSON array.")
  var json = false

  func run() throws {
    let names = WeftCommandLine.registry.names
    if json {
      print("[" + names.map { "\"\($0)\"" }.joined(separator: ",") + "]")
    } else {
      for name in names { print(name) }
    }
  }
}
