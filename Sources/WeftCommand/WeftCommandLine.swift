import ArgumentParser
import Glibc
import Synchronization
import WeftFilter
import WeftFilters
import WeftLua

/// The `weft` command, for `main.swift` of Weft itself and of packages that add filters of their own:
/// ```swift
/// import WeftCommand
///
/// WeftCommandLine.main { $0.register(MyFilter.self) }
/// ```
public enum WeftCommandLine {
  public static let version = "0.1.0"

  private static let registered = Mutex(FilterRegistry())

  /// The filter types that this build knows.
  static var registry: FilterRegistry { registered.withLock { $0 } }

  /// Parses the process's arguments and runs the subcommand. Never returns.
  /// - Parameter extend: adds filter types to the built-in ones.
  public static func main(_ extend: (inout FilterRegistry) -> Void = { _ in }) -> Never {
    registered.withLock { registry in
      BuiltInFilters.register(into: &registry)
      LuaFilters.register(into: &registry)
    }
    registered.withLock { extend(&$0) }
    do {
      var command = try WeftRoot.parseAsRoot()
      try command.run()
      WeftRoot.exit()
    } catch {
      if WeftRoot.exitCode(for: error) != .validationFailure { WeftRoot.exit(withError: error) }
      // The library's own code for this is 64.
      let message = Array((WeftRoot.fullMessage(for: error) + "\n").utf8)
      _ = message.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
      Glibc.exit(usageExitCode)
    }
  }

  /// The command line made no sense.
  private static let usageExitCode: Int32 = 2
}

struct WeftRoot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weft",
    abstract: "A service mesh whose proxy is programmable.",
    discussion: """
      Examples:
        weft run --listen :8080 --to 127.0.0.1:9001
        weft run config/
        weft check config/
        weft routes config/ GET http://shop.example/cart
        weft bundle new greeting
        weft filter test filters/tenant-tag

      Completion for your shell (bash, zsh or fish):
        weft --generate-completion-script bash > ~/.local/share/bash-completion/completions/weft

      Documentation: docs/README.md
      """,
    version: WeftCommandLine.version,
    subcommands: [
      RunCommand.self, CheckCommand.self, RoutesCommand.self, FilterCommand.self, BundleCommand.self,
      ControlCommand.self,
      ApplyCommand.self, DiffCommand.self, GetCommand.self, DescribeCommand.self, DeleteCommand.self,
      HistoryCommand.self, RollbackCommand.self, WatchCommand.self, StatusCommand.self, EventsCommand.self,
      TokenCommand.self, ContextCommand.self,
      GatewayCommand.self, SidecarCommand.self, JoinCommand.self,
    ])
}
