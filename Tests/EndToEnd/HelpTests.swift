import Testing

/// `--help` of every command, and the pages that explain options.
@Suite("Help of the commands", .endToEnd)
struct HelpTests {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  private static func help(_ command: [String]) throws -> String {
    let result = try Tool.run(WeftBinary.path, command + ["--help"])
    #expect(result.code == 0, "weft \(command.joined(separator: " ")) --help")
    return result.output
  }

  /// The subcommands that a help text lists.
  private static func subcommands(_ help: String) -> [String] {
    guard let start = help.range(of: "SUBCOMMANDS:\n") else { return [] }
    return help[start.upperBound...].split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
      .compactMap { line in
        guard line.hasPrefix("  "), !line.hasPrefix("   ") else { return nil }
        return line.split(separator: " ").first.map(String.init)
      }
  }

  @Test("every command has an example")
  func examples() throws {
    var waiting: [[String]] = [[]]
    var count = 0
    while let command = waiting.popLast() {
      let help = try Self.help(command)
      count += 1
      #expect(help.contains("Example"), "weft \(command.joined(separator: " ")) --help has no example")
      waiting += Self.subcommands(help).map { command + [$0] }
    }
    #expect(count > 40)
  }

  @Test(
    "every option of what runs for long is on its page",
    arguments: [
      ("run", "operations.md"), ("control", "control-plane.md"), ("gateway", "mesh.md"), ("sidecar", "mesh.md"),
      ("redirect", "mesh.md"),
    ])
  func options(_ command: String, _ page: String) throws {
    let text = try #require(readFile("\(Self.root)/docs/\(page)"))
    let options = try Self.help([command]).split(separator: "\n").compactMap { line -> String? in
      let words = line.split(separator: " ")
      guard line.hasPrefix("  "), words.first?.hasPrefix("-") == true else { return nil }
      return words.first { $0.hasPrefix("--") }.map(String.init)
    }
    #expect(options.count > 3)
    for option in options where option != "--help" && option != "--version" {
      #expect(text.contains("`\(option)"), "weft \(command) \(option) is not on docs/\(page)")
    }
  }
}
