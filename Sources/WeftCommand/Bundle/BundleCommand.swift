import ArgumentParser
import WeftBundle
import WeftConfig
import WeftLua

package struct BundleCommand: ParsableCommand {
  package static let configuration: CommandConfiguration = makeConfiguration(subcommands)

  /// The commands that need no control plane.
  package static let subcommands: [any ParsableCommand.Type] = [
    BundleNewCommand.self, BundleEditorCommand.self, BundleCheckCommand.self, BundlePackCommand.self,
    BundleDigestCommand.self, BundleKeygenCommand.self, BundleSignCommand.self, BundleVerifyCommand.self,
    BundleInspectCommand.self,
  ]

  static var names: [String] { subcommands.compactMap { $0.configuration.commandName } }

  package static func makeConfiguration(_ subcommands: [any ParsableCommand.Type]) -> CommandConfiguration {
    CommandConfiguration(
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
      subcommands: subcommands)
  }

  package init() {}

  /// Reads a bundle, or says what is wrong with it and ends with 1.
  static func read(_ path: String, json: Bool = false) throws -> Bundle {
    try Findings.orExit(json: json) { try Bundle(at: path) }
  }

  /// Everything there is to say about the bundle at `path`; nil when it cannot be read.
  package static func check(_ path: String) -> (bundle: Bundle?, findings: Findings) {
    do {
      let bundle = try Bundle(at: path)
      return (bundle, Findings(LuaBundleCheck.findings(bundle)))
    } catch {
      return (nil, Findings(error.diagnostics))
    }
  }
}
