import ArgumentParser
import WeftCrypto

struct BundleKeygenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keygen",
    abstract: "Make a pair of keys to sign bundles with.",
    discussion: """
      Writes NAME.key.pem, the private key (Ed25519, PKCS #8), which only its owner can read and nobody else should \
      have, and NAME.pub.pem, the public key, which goes into trustedKeys of the Proxy resource. Files that are there \
      are not overwritten.

      Example:
        weft bundle keygen keys/release
      """)

  @Argument(help: "How the files begin, such as release or keys/release.")
  var name: String

  @Flag(help: "Print what was made as a JSON object.")
  var json = false

  func validate() throws {
    if name.isEmpty || name.hasSuffix("/") { throw ValidationError("NAME must not be empty") }
  }

  func run() throws {
    let (privatePath, publicPath) = ("\(name).key.pem", "\(name).pub.pem")
    let key: Ed25519.SigningKey
    do {
      if BundleOutput.exists(publicPath) {
        throw BundleOutput.Failure(description: "\(publicPath) is there already; choose another name, or delete it")
      }
      key = try Ed25519.SigningKey.generate()
      try key.withPEM { try BundleOutput.writeSecret(to: privatePath, $0) }
      try BundleOutput.write(Array(key.publicPEM.utf8), to: publicPath)
    } catch {
      throw Findings.fail(error, json: json)
    }
    if json {
      var object = JSONObject()
      object.add("key", key.verifyingKey.id.description)
      object.add("privateKey", privatePath)
      object.add("publicKey", publicPath)
      return print(object)
    }
    var table = Table(columns: ["", ""])
    table.add(["key", key.verifyingKey.id.description])
    table.add(["private", "\(privatePath)  keep it secret; it signs"])
    table.add(["public", "\(publicPath)  for trustedKeys, and whoever verifies"])
    print(table.body, terminator: "")
  }
}
