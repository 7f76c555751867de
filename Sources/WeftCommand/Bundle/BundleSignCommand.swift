import ArgumentParser
import Glibc
import WeftBundle
import WeftCrypto

struct BundleSignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign",
    abstract: "Sign a bundle.",
    discussion: """
      Signs the digest of the bundle's content and writes the signature to bundle.sig in a folder, or to FILE.sig beside \
      an archive. Several keys may sign one bundle, one after the other; signatures of earlier content are dropped.

      Example:
        weft bundle sign greeting-0.1.0.weft --key release.key.pem
      """)

  @Argument(help: ArgumentHelp("A bundle's folder or archive.", valueName: "path"), completion: .file())
  var path: String

  @Option(help: ArgumentHelp("The private key, as PEM.", valueName: "file"), completion: .file(extensions: ["pem"]))
  var key: String

  @Flag(help: "Print what was made as a JSON object.")
  var json = false

  func run() throws {
    let (checked, findings) = BundleCommand.check(path)
    findings.print(json: json, to: 2)
    guard let bundle = checked, findings.errors == 0 else { throw ExitCode(1) }
    let file = bundle.signaturePath
    let id: SHA256Digest
    let count: Int
    do {
      let key = try KeyFile.privateKey(key)
      var signatures = BundleSignatures(of: bundle.digest)
      if let earlier = try BundleSignatures(path: file) {
        if earlier.digest == bundle.digest {
          signatures = earlier
        } else if !json {
          Terminal.printError("the signatures in \(file) were of other content and are dropped")
        }
      }
      try signatures.sign(with: key)
      try BundleOutput.write(Array(signatures.text.utf8), to: file)
      id = key.verifyingKey.id
      count = signatures.signatures.count
    } catch {
      throw Findings.fail(error, json: json)
    }
    if json {
      var object = JSONObject()
      object.add("file", file)
      object.add("digest", bundle.digest.description)
      object.add("key", id.description)
      object.add("signatures", count)
      return print(object)
    }
    var table = Table(columns: ["", ""])
    table.add(["signatures", "\(count), in \(file)"])
    table.add(["digest", bundle.digest.description])
    table.add(["key", id.description])
    print(table.body, terminator: "")
  }
}
