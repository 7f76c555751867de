import ArgumentParser
import Glibc
import Synchronization
import WeftConfig
import WeftFilter
import WeftFilters
import WeftLua

/// The `weft` command, for `main.swift` of Weft itself and of packages that add filters of their own. It leaves the
/// commands of the mesh to the program `weft-mesh` beside it; `WeftMeshCommandLine` of `WeftMeshCommand` has them all in
/// one program.
/// ```swift
/// import WeftCommand
///
/// WeftCommandLine.main { $0.register(MyFilter.self) }
/// ```
public enum WeftCommandLine {
  public static let version = "0.1.0"

  private static let registered = Mutex(FilterRegistry())

  /// The filter types that this build knows.
  package static var registry: FilterRegistry { registered.withLock { $0 } }

  /// Parses the process's arguments and runs the subcommand. Never returns.
  /// - Parameter extend: adds filter types to the built-in ones.
  public static func main(_ extend: (inout FilterRegistry) -> Void = { _ in }) -> Never {
    register(extend)
    let arguments = Array(CommandLine.arguments.dropFirst())
    if MeshProgram.isNeeded(for: arguments) {
      MeshProgram.replaceThisProcess(arguments)
      if let complaint = MeshProgram.complaint(arguments) {
        Terminal.printError("error: \(complaint)")
        Glibc.exit(usageExitCode)
      }
    }
    run(WeftRoot.self)
  }

  /// Parses the process's arguments as `root` and its subcommands, and runs the one named.
  /// - Parameter extend: adds filter types to the built-in ones.
  package static func main<Root: ParsableCommand>(
    _ root: Root.Type, _ extend: (inout FilterRegistry) -> Void
  ) -> Never {
    register(extend)
    run(root)
  }

  private static func register(_ extend: (inout FilterRegistry) -> Void) {
    registered.withLock { registry in
      BuiltInFilters.register(into: &registry)
      LuaFilters.register(into: &registry)
    }
    registered.withLock { extend(&$0) }
  }

  private static func run<Root: ParsableCommand>(_ root: Root.Type) -> Never {
    if let complaint = unknownCommand(Array(CommandLine.arguments.dropFirst()), of: root) {
      Terminal.printError(complaint)
      Glibc.exit(usageExitCode)
    }
    do {
      var command = try root.parseAsRoot()
      try command.run()
      root.exit()
    } catch {
      if root.exitCode(for: error) != .validationFailure { root.exit(withError: error) }
      // The library's own code for this is 64.
      Terminal.write(root.fullMessage(for: error) + "\n", to: 2)
      Glibc.exit(usageExitCode)
    }
  }

  /// What to say when the arguments name a command that there is not: the parser would take the next option for what is
  /// wrong. nil when they name one.
  static func unknownCommand(_ arguments: [String], of root: any ParsableCommand.Type) -> String? {
    var command = root.configuration
    var path = "weft"
    for argument in arguments where !command.subcommands.isEmpty {
      if argument.hasPrefix("-") || argument == "help" || command.defaultSubcommand != nil { return nil }
      let subcommands = command.subcommands.map { $0.configuration }
      guard let next = subcommands.first(where: { $0.commandName == argument }) else {
        let names = subcommands.compactMap { $0.commandName }
        let near = Suggestion.nearest(to: argument, among: names).map { "did you mean \"\(path) \($0)\"?" }
        return "Error: no command \"\(path) \(argument)\"; \(near ?? "there are \(names.joined(separator: ", "))")"
      }
      command = next
      path += " \(argument)"
    }
    return nil
  }

  /// The commands that need no mesh.
  package static let subcommands: [any ParsableCommand.Type] = [
    RunCommand.self, CheckCommand.self, RoutesCommand.self, FilterCommand.self, BundleCommand.self,
  ]

  static var names: [String] { subcommands.compactMap { $0.configuration.commandName } }

  package static let abstract = "A service mesh whose proxy is programmable."
  package static let discussion = """
    Examples:
      weft run --listen :8080 --to 127.0.0.1:9001
      weft run config/
      weft check config/
      weft routes config/ GET http://shop.example/cart
      weft bundle new greeting
      weft filter test filters/tenant-tag

    A mesh, each in a terminal of its own:
      weft control
      weft apply -f config/
      weft status

    Completion for your shell (bash, zsh or fish):
      weft --generate-completion-script bash > ~/.local/share/bash-completion/completions/weft

    Documentation: docs/README.md
    """

  /// The command line made no sense.
  private static let usageExitCode: Int32 = 2
}

struct WeftRoot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weft",
    abstract: WeftCommandLine.abstract,
    discussion: WeftCommandLine.discussion,
    version: WeftCommandLine.version,
    subcommands: WeftCommandLine.subcommands)
}
