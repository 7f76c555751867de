import ArgumentParser
import WeftBundle

struct BundleNewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Make a bundle to start from: manifest, script, README, tests, and help for editors.",
    discussion: """
      Makes the folder NAME, which must not be there yet. What is in it works and passes its tests as it stands. Editors \
      with the Lua language server that open the folder complete and check what scripts and tests use.

      Example:
        weft bundle new greeting
        weft filter test greeting
        weft run --listen :8080 --to 127.0.0.1:9001 --filter greeting
      """)

  @Argument(help: "The bundle's name: lower-case letters, digits and hyphens.")
  var name: String

  @Option(help: ArgumentHelp("The folder to make it in.", valueName: "folder"), completion: .directory)
  var `in`: String = "."

  @Flag(help: "Print what was made as a JSON object.")
  var json = false

  func validate() throws {
    if let problem = BundleTemplate.problem(name) { throw ValidationError("NAME: \(problem)") }
  }

  func run() throws {
    let folder = self.in == "." ? name : "\(self.in)/\(name)"
    let files = BundleTemplate(name: name).files
    try Findings.orExit(json: json) {
      try BundleOutput.makeFolder(folder)
      try BundleTemplate.write(files, to: folder)
    }
    BundleTemplate.printList(files, in: folder, json: json)
    if json { return }
    print(
      """

      Next:
        weft filter test \(folder)
        weft run --listen :8080 --to 127.0.0.1:9001 --filter \(folder)
      """)
  }
}
