import ArgumentParser
import WeftBundle

struct BundleDigestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "digest",
    abstract: "Print the digest of a bundle's content.",
    discussion: """
      It is the SHA-256 of the bundle's archive: the same for a folder and for an archive of it, on any machine.

      Example:
        weft bundle digest greeting greeting-0.1.0.weft
      """)

  @Argument(help: ArgumentHelp("A bundle's folder or archive.", valueName: "path"), completion: .file())
  var paths: [String]

  @Flag(help: "One JSON object a line.")
  var json = false

  func run() throws {
    var hasErrors = false
    for path in paths {
      guard let bundle = try? BundleCommand.read(path, json: json) else {
        hasErrors = true
        continue
      }
      if json {
        var object = JSONObject()
        object.add("path", path)
        object.add("digest", bundle.digest.description)
        print(object)
      } else {
        print("\(bundle.digest)  \(path)")
      }
    }
    if hasErrors { throw ExitCode(1) }
  }
}
