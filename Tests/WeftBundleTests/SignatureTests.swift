import Testing
import WeftConfig
import WeftCrypto

@testable import WeftBundle

@Suite struct SignatureTests {
  private let key: Ed25519.SigningKey
  private let other: Ed25519.SigningKey
  private let folder: TemporaryFolder

  init() throws {
    key = try Ed25519.SigningKey.generate()
    other = try Ed25519.SigningKey.generate()
    folder = try TemporaryFolder(["b/bundle.yaml": "name: b\nversion: 1.0.0\n", "b/main.lua": "-- main"])
  }

  private var place: String { folder.path + "/b" }

  private func sign(_ keys: Ed25519.SigningKey...) throws {
    var signatures = BundleSignatures(of: try Bundle(at: place).digest)
    for key in keys { try signatures.sign(with: key) }
    try folder.write("b/bundle.sig", signatures.text)
  }

  private func trust(_ keys: (String, Ed25519.SigningKey)..., isRequired: Bool = true) -> BundleTrust {
    BundleTrust(keys: keys.map { BundleTrust.Key(name: $0.0, key: $0.1.verifyingKey) }, isRequired: isRequired)
  }

  private func refusal(_ trust: BundleTrust) throws -> String? {
    do {
      _ = try trust.signers(of: try Bundle(at: place))
      return nil
    } catch {
      return "\(error)".replacing(folder.path + "/", with: "")
    }
  }

  @Test func whoHasSigned() throws {
    try sign(key, other)
    let bundle = try Bundle(at: place)
    #expect(try trust(("a", key)).signers(of: bundle).map(\.name) == ["a"])
    #expect(try trust(("a", key), ("b", other)).signers(of: bundle).map(\.name) == ["a", "b"])
    #expect(try trust(("b", other)).signers(of: bundle).map(\.key) == [other.verifyingKey.id])
    #expect(try BundleTrust.anybody.signers(of: bundle).isEmpty)
  }

  @Test func theFileIsReadAsItWasWritten() throws {
    var signatures = BundleSignatures(of: try Bundle(at: place).digest)
    try signatures.sign(with: key)
    try signatures.sign(with: other)
    try signatures.sign(with: key)
    #expect(signatures.signatures.map(\.key) == [other.verifyingKey.id, key.verifyingKey.id])
    let read = try BundleSignatures(Array(signatures.text.utf8), path: "b.sig")
    #expect(read.text == signatures.text)
    #expect(read.isSigned(by: key.verifyingKey) && read.isSigned(by: other.verifyingKey))
  }

  @Test func whatIsRefusedAndWhy() throws {
    #expect(
      try refusal(trust(("a", key)))
        == "b is not signed (there is no b/bundle.sig), and the Proxy's requireSignature is \"always\": sign it with \"weft bundle sign b --key FILE\""
    )
    try sign(other)
    #expect(try refusal(trust(("a", key)))?.hasPrefix("b is signed by nobody that is trusted") == true)
    #expect(try refusal(trust(("a", other))) == nil)
    try folder.write("b/main.lua", "-- changed")
    #expect(try refusal(trust(("a", other)))?.hasPrefix("b is not what was signed: its digest is sha256:") == true)
    // Not required: it runs, and nobody has signed it.
    #expect(try trust(("a", other), isRequired: false).signers(of: Bundle(at: place)).isEmpty)
  }

  @Test func aSignatureOfSomethingElseDoesNotCount() throws {
    // The right key, over the digest alone and over another digest.
    let digest = try Bundle(at: place).digest
    for message in [Array(digest.description.utf8), digest.bytes, BundleSignatures.message(key.verifyingKey.id)] {
      let text = """
        digest: \(digest)
        signatures: [{key: \(key.verifyingKey.id), signature: \(Base64.encode(try key.sign(message)))}]
        """
      try folder.write("b/bundle.sig", text)
      #expect(try refusal(trust(("a", key)))?.hasPrefix("b has a wrong signature of \"a\" in b/bundle.sig") == true)
    }
    // Another key's signature under this key's id.
    let foreign = Base64.encode(try other.sign(BundleSignatures.message(digest)))
    try folder.write(
      "b/bundle.sig", "digest: \(digest)\nsignatures: [{key: \(key.verifyingKey.id), signature: \(foreign)}]")
    #expect(try refusal(trust(("a", key)))?.contains("wrong signature") == true)
  }

  @Test(arguments: [
    ("", "b.sig: holds 0 documents"),
    ("digest: sha256:00\nsignatures: []", "b.sig:1: digest: is no digest"),
    ("signatures: [{}]", "b.sig:1: digest: is missing"),
    ("digest: D\nsignatures: []", "b.sig:2: signatures: needs at least 1 element"),
    ("digest: D\nsignatures:\n- key: D\n  signature: AAAA", "b.sig:4: signatures[0].signature: is no signature"),
    ("digest: D\nsignatures:\n- signature: S", "b.sig:3: signatures[0].key: is missing"),
    ("digest: D\nsignatures:\n- {key: D, signature: S, by: me}", "b.sig:3: signatures[0].by: unknown field"),
    ("digest: D\nsignatures: [\(String(repeating: "{key: D, signature: S}, ", count: 33))]", "at most 32 are allowed"),
    ("- a", "b.sig:1: expected an object"),
  ])
  func whatIsNoFileOfSignatures(_ text: String, _ message: String) throws {
    let digest = try Bundle(at: place).digest
    let text = text.replacing(": D", with: ": \(digest)").replacing(
      ": S", with: ": \(Base64.encode([UInt8](repeating: 0, count: 64)))")
    do throws(ConfigError) {
      _ = try BundleSignatures(Array(text.utf8), path: "b.sig")
      Issue.record("read \(text)")
    } catch {
      #expect(error.description.contains(message), "\(error)")
    }
  }

  /// Text after the last group, and padding bits that are not zero, would give one signature many spellings.
  @Test func thereIsOneSpelling() throws {
    let digest = try Bundle(at: place).digest
    let good = Base64.encode([UInt8](repeating: 0, count: 64))
    for bad in [String(good.dropLast(3)) + "B==", good + "\\n", "\"\(good)\\n\""] {
      let text = "digest: \(digest)\nsignatures: [{key: \(digest), signature: \(bad)}]"
      #expect(throws: ConfigError.self) { try BundleSignatures(Array(text.utf8), path: "b.sig") }
    }
  }

  @Test func keysOfTheProxy() throws {
    try folder.write("keys/a.pem", key.publicPEM)
    try folder.write("keys/wrong.pem", "-----BEGIN PRIVATE KEY-----")
    let pem = other.publicPEM.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n")
    func proxy(_ keys: String) throws -> ProxyResource? {
      let text =
        "apiVersion: weft.dev/v1\nkind: Proxy\nmetadata: {name: p}\nspec:\n  requireSignature: always\n  trustedKeys:\n\(keys)\n"
      let loaded = ConfigLoader.load(text: text, file: folder.path + "/proxy.yaml")
      #expect(loaded.diagnostics.isEmpty, "\(loaded.diagnostics)")
      return loaded.resources.proxy
    }
    let trust = try BundleTrust(proxy("    a: keys/a.pem\n    b: |\n\(pem)"))
    #expect(trust.isRequired)
    #expect(trust.keys.map(\.name) == ["a", "b"])
    #expect(trust.keys.map(\.key.id) == [key.verifyingKey.id, other.verifyingKey.id])
    let wrong = try proxy("    a: keys/none.pem\n    b: keys/wrong.pem")
    do throws(ConfigError) {
      _ = try BundleTrust(wrong)
      Issue.record("read keys that are none")
    } catch {
      let lines = error.description.replacing(folder.path + "/", with: "").split(separator: "\n")
      #expect(lines.count == 2)
      #expect(
        lines.first == "proxy.yaml:7: spec.trustedKeys.a: keys/none.pem cannot be opened: No such file or directory")
      #expect(
        lines.last?.hasPrefix(
          "proxy.yaml:8: spec.trustedKeys.b: keys/wrong.pem: cannot read the public key: this is a private key") == true
      )
    }
  }
}
