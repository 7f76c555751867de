import ArgumentParser
import WeftBundle
import WeftConfig

struct BundleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bundle",
    abstract: "Make, check, pack, sign and inspect bundles of Lua filters.",
    discussion: """
      A bundle is a folder with a bundle.yaml, Lua files and tests, or an archive (NAME.weft) of one.

      Example:
        weft bundle new greeting && cd greeting
        weft bundle check .
        weft bundle keygen release
        weft bundle pack . -o greeting.weft
        weft bundle sign greeting.weft --key release.key.pem
        weft bundle verify greeting.weft --key release.pub.pem

      Documentation: docs/bundles.md
      """,
    subcommands: [
      BundleNewCommand.self, BundleEditorCommand.self, BundleCheckCommand.self, BundlePackCommand.self,
      BundleDigestCommand.self,
      BundleKeygenCommand.self, BundleSignCommand.self, BundleVerifyCommand.self, BundleInspectCommand.self,
      BundlePushCommand.self, BundleListCommand.self, BundlePullCommand.self, BundleTagCommand.self,
      BundleRemoveCommand.self, BundleCollectCommand.self,
    ])

  /// Reads a bundle, or says what is wrong with it and ends with 1.
  static func read(_ path: String, json: Bool = false) throws -> Bundle {
    try Findings.orExit(json: json) { try Bundle(at: path) }
  }
}
