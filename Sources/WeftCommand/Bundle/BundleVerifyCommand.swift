import ArgumentParser
import WeftBundle

struct BundleVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Verify that a bundle is signed by one of some keys.",
    discussion: """
      Holds the bundle's content against its signatures (bundle.sig, or FILE.sig beside an archive). Exit code 0: one of \
      the keys has signed what is there now. 1: none has.

      Example:
        weft bundle verify greeting-0.1.0.weft --key release.pub.pem
      """)

  @Argument(help: ArgumentHelp("A bundle's folder or archive.", valueName: "path"), completion: .file())
  var path: String

  @Option(
    help: ArgumentHelp("A public key, as PEM. May be repeated.", valueName: "file"),
    completion: .file(extensions: ["pem"]))
  var key: [String]

  @Flag(help: "Every one of the keys must have signed.")
  var all = false

  @Flag(help: "Print the result as a JSON object.")
  var json = false

  func validate() throws {
    if key.isEmpty { throw ValidationError("say whose signature to look for: --key FILE") }
  }

  func run() throws {
    let bundle = try BundleCommand.read(path, json: json)
    let report: SignatureReport
    do {
      report = try SignatureReport(bundle, keys: try key.map(KeyFile.publicKey))
    } catch {
      throw Findings.fail(error, json: json)
    }
    let isVerified = all ? report.signers.count == key.count : !report.signers.isEmpty
    if json {
      var object = JSONObject()
      object.add("path", path)
      object.add("digest", bundle.digest.description)
      object.add("verified", isVerified)
      object.add("signatures", report.json)
      print(object)
    } else {
      print("\(bundle.digest)  \(path)")
      if let problem = report.problem {
        Terminal.printError(Terminal.styled(problem, .red, 2))
      } else {
        print(report.table(isTerminal: Terminal.hasColor(1)), terminator: "")
      }
      if !isVerified && report.problem == nil {
        let advice =
          all
          ? "not all of the keys given have signed it"
          : "none of the keys given has signed it; --key takes the signer's"
        Terminal.printError(Terminal.styled(advice, .red, 2))
      }
      let verdict = isVerified ? "verified" : "not verified"
      print(Terminal.styled(verdict, isVerified ? .green : .red))
    }
    if !isVerified { throw ExitCode(1) }
  }
}
