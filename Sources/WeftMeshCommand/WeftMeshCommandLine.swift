import ArgumentParser
import WeftCommand
import WeftFilter

/// The `weft` command with the mesh's commands in it, for `main.swift` of `weft-mesh` and of packages that add filters of
/// their own and run them in gateways and sidecars:
/// ```swift
/// import WeftMeshCommand
///
/// WeftMeshCommandLine.main { $0.register(MyFilter.self) }
/// ```
public enum WeftMeshCommandLine {
  /// Parses the process's arguments and runs the subcommand. Never returns.
  /// - Parameter extend: adds filter types to the built-in ones.
  public static func main(_ extend: (inout FilterRegistry) -> Void = { _ in }) -> Never {
    WeftCommandLine.main(WeftMeshRoot.self, extend)
  }
}

struct WeftMeshRoot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weft",
    abstract: WeftCommandLine.abstract,
    discussion: WeftCommandLine.discussion,
    version: WeftCommandLine.version,
    subcommands: WeftCommandLine.subcommands.map { $0 == BundleCommand.self ? MeshBundleCommand.self : $0 } + [
      ControlCommand.self,
      ApplyCommand.self, DiffCommand.self, GetCommand.self, DescribeCommand.self, DeleteCommand.self,
      HistoryCommand.self, RollbackCommand.self, WatchCommand.self, StatusCommand.self, EventsCommand.self,
      TokenCommand.self, ContextCommand.self,
      GatewayCommand.self, SidecarCommand.self, JoinCommand.self, RedirectCommand.self,
      CertificateAuthorityCommand.self,
    ])
}

/// `weft bundle` with the commands of the control plane's registry.
struct MeshBundleCommand: ParsableCommand {
  static let configuration = BundleCommand.makeConfiguration(
    BundleCommand.subcommands.filter { $0.configuration.commandName != "inspect" } + [
      BundleShowCommand.self,
      BundlePushCommand.self, BundleListCommand.self, BundlePullCommand.self, BundleTagCommand.self,
      BundleRemoveCommand.self, BundleCollectCommand.self,
      BundleRolloutCommand.self, BundlePromoteCommand.self, BundleAbortCommand.self, BundleRollbackCommand.self,
      BundleStatusCommand.self, BundleExportCommand.self, BundleImportCommand.self,
    ])
}
