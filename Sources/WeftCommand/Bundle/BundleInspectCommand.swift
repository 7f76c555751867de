import ArgumentParser
import Glibc
import WeftBundle
import WeftConfig

package struct BundleInspectCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a bundle is, what it may use, and who has signed it.",
    discussion: """
      Runs nothing of it. Signatures are looked at with the public keys given; without them, only who claims to have \
      signed is shown.

      Example:
        weft bundle inspect greeting-0.1.0.weft --key release.pub.pem
      """)

  @Argument(help: ArgumentHelp("A bundle's folder or archive.", valueName: "path"), completion: .file())
  var path: String

  @Option(
    help: ArgumentHelp("A public key, as PEM. May be repeated.", valueName: "file"),
    completion: .file(extensions: ["pem"]))
  var key: [String] = []

  @Flag(help: "As a JSON object.")
  var json = false

  package init() {}

  package func run() throws { try Self.show(path, keys: key, json: json) }

  /// Whether the text names a bundle of a control plane (NAME, NAME:TAG, NAME@DIGEST), and not one that lies here.
  package static func isReference(_ text: String) -> Bool {
    !text.contains("/") && !text.hasSuffix(BundleLayout.archiveSuffix) && access(text, F_OK) != 0
  }

  /// - Parameter origin: how the bundle is called where it comes from, when `path` is a copy.
  package static func show(_ path: String, keys: [String], json: Bool, origin: String? = nil) throws {
    let bundle = try BundleCommand.read(path, json: json)
    do {
      let report = try SignatureReport(bundle, keys: try keys.map(KeyFile.publicKey), origin: origin)
      let description = BundleDescription(bundle, report, origin: origin)
      print(json ? description.json : Terminal.harmless(description.text), terminator: json ? "\n" : "")
    } catch {
      throw Findings.fail(error, json: json)
    }
  }
}
