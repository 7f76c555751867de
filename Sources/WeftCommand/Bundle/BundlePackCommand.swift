import ArgumentParser
import WeftBundle

struct BundlePackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Pack a bundle's folder into one file.",
    discussion: """
      Checks the bundle first. The same content gives the same archive, byte for byte, on any machine. Signatures that \
      the folder has (bundle.sig) are put beside the archive (FILE.sig).

      Example:
        weft bundle pack greeting -o greeting.weft
      """)

  @Argument(help: ArgumentHelp("The bundle's folder.", valueName: "folder"), completion: .directory)
  var path: String

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("The archive to write (default: NAME-VERSION.weft).", valueName: "file"))
  var output: String?

  @Flag(help: "Print what was made as a JSON object.")
  var json = false

  func validate() throws {
    if let output, !output.hasSuffix(BundleLayout.archiveSuffix) {
      throw ValidationError("-o takes a file whose name ends in \(BundleLayout.archiveSuffix)")
    }
  }

  func run() throws {
    let (checked, findings) = BundleCommand.check(path)
    findings.print(json: json, to: 2)
    guard let bundle = checked, findings.errors == 0 else { throw ExitCode(1) }
    let manifest = bundle.manifest
    let file = output ?? "\(manifest.name)-\(manifest.version)\(BundleLayout.archiveSuffix)"
    let archive = bundle.archive
    var signed = 0
    do {
      if let signatures = try BundleSignatures(path: bundle.signaturePath), signatures.digest == bundle.digest {
        signed = signatures.signatures.count
        try BundleOutput.write(Array(signatures.text.utf8), to: file + ".sig")
      }
      try BundleOutput.write(archive, to: file)
    } catch {
      throw Findings.fail(error, json: json)
    }
    if json {
      var object = JSONObject()
      object.add("file", file)
      object.add("digest", bundle.digest.description)
      object.add("bytes", archive.count)
      object.add("files", bundle.files.map(\.path))
      object.add("signatures", signed)
      return print(object)
    }
    var table = Table(columns: ["", ""])
    table.add(["archive", file])
    table.add(["digest", bundle.digest.description])
    table.add(["size", "\(archive.count) bytes, \(Findings.count(bundle.files.count, "file"))"])
    if signed > 0 { table.add(["signatures", "\(signed), in \(file).sig"]) }
    print(table.body, terminator: "")
  }
}
