import ArgumentParser
import WeftBundle

struct BundleEditorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "editor",
    abstract: "Write what makes editors complete and check a bundle's scripts and tests.",
    discussion: """
      Writes .luarc.json and the definitions of this Weft's API, for editors with the Lua language server, in place of \
      those that are there. They are no part of the bundle. `weft bundle new` has done it for what it makes; run this \
      after a newer Weft is installed, or for a bundle that came from elsewhere.

      Example:
        weft bundle editor greeting
      """)

  @Argument(help: ArgumentHelp("The bundle's folder.", valueName: "folder"), completion: .directory)
  var folder: String

  @Flag(help: "Print what was made as a JSON object.")
  var json = false

  func run() throws {
    var folder = folder
    while folder.count > 1 && folder.hasSuffix("/") { folder.removeLast() }
    let files = BundleTemplate.editorFiles
    try Findings.orExit(json: json) {
      guard BundleOutput.exists("\(folder)/\(BundleManifest.fileName)") else {
        throw BundleOutput.Failure(
          description: "\(folder) has no \(BundleManifest.fileName); name the folder of a bundle, or make one with "
            + "weft bundle new NAME")
      }
      try BundleTemplate.write(files, to: folder)
    }
    BundleTemplate.printList(files, in: folder, json: json)
  }
}
