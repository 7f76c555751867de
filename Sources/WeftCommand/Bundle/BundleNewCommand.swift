import ArgumentParser
import WeftBundle

struct BundleNewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Make a bundle to start from: manifest, script, README and tests.",
    discussion: """
      Makes the folder NAME, which must not be there yet. What is in it works and passes its tests as it stands.

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
    do {
      try BundleOutput.makeFolder(folder)
      for file in files { try BundleOutput.write(Array(file.text.utf8), to: "\(folder)/\(file.path)") }
    } catch {
      throw BundleCommand.fail(error)
    }
    if json {
      var object = JSONObject()
      object.add("folder", folder)
      object.add("files", files.map(\.path))
      return print(object)
    }
    var table = Table(columns: ["file", "what it is"])
    for file in files { table.add(["\(folder)/\(file.path)", file.purpose]) }
    print(table.text(isTerminal: Terminal.hasColor(1)), terminator: "")
    print(
      """

      Next:
        weft filter test \(folder)
        weft run --listen :8080 --to 127.0.0.1:9001 --filter \(folder)
      """)
  }
}
