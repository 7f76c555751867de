import ArgumentParser
import Foundation
import WeftBundle
import WeftCommand

/// `weft bundle inspect`, of a file or of a control plane's bundle.
struct BundleShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a bundle is, what it may use, and who has signed it.",
    discussion: """
      The bundle is a folder or an archive, or one of the control plane: NAME (the newest version), NAME:VERSION, NAME:TAG \
      or NAME@DIGEST. Runs nothing of it. Signatures are looked at with the public keys given; without them, only who \
      claims to have signed is shown.

      Examples:
        weft bundle inspect greeting-0.1.0.weft --key release.pub.pem
        weft bundle inspect greeting:stable
      """)

  @Argument(
    help: ArgumentHelp("A folder or archive, or a bundle of the control plane.", valueName: "bundle"),
    completion: .file())
  var bundle: String

  @Option(
    help: ArgumentHelp("A public key, as PEM. May be repeated.", valueName: "file"),
    completion: .file(extensions: ["pem"]))
  var key: [String] = []

  @OptionGroup var client: ClientOptions

  func run() throws {
    guard BundleInspectCommand.isReference(bundle), let reference = BundleReference(argument: bundle) else {
      return try BundleInspectCommand.show(bundle, keys: key, json: client.json)
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weft-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let file = try client.withClient { client, _ in
      let (bundle, signatures) = try await reference.fetch(client)
      let file = "\(folder)/\(bundle.manifest.name)-\(bundle.manifest.version)\(BundleLayout.archiveSuffix)"
      try BundleOutput.write(bundle.archive, to: file)
      if let signatures { try BundleOutput.write(signatures, to: file + ".sig") }
      return file
    }
    try BundleInspectCommand.show(file, keys: key, json: client.json, origin: bundle)
  }
}
