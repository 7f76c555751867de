import ArgumentParser

struct FilterListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the filter types that this build knows.",
    discussion: """
      A type's name is what `spec.type` of a Filter resource says. docs/filters/ has a page for each built-in one.

      Example:
        weft filter list
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
