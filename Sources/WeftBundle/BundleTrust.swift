import WeftConfig
import WeftCrypto

/// Whose bundles a proxy runs.
public struct BundleTrust: Sendable {
  /// A public key and the name that configuration gives it.
  public struct Key: Sendable {
    public let name: String
    public let key: Ed25519.VerifyingKey

    public init(name: String, key: Ed25519.VerifyingKey) {
      self.name = name
      self.key = key
    }
  }

  /// Somebody trusted who has signed a bundle.
  public struct Signer: Sendable, Hashable {
    public let name: String
    public let key: SHA256Digest
  }

  /// Why a bundle is not run: one sentence that says what to do.
  public struct Refusal: Error, CustomStringConvertible {
    public let description: String
  }

  public let keys: [Key]
  /// Whether a bundle that none of `keys` has signed is refused.
  public let isRequired: Bool

  /// Runs every bundle and knows nobody.
  public static let anybody = BundleTrust(keys: [], isRequired: false)

  public init(keys: [Key], isRequired: Bool) {
    self.keys = keys
    self.isRequired = isRequired
  }

  /// What the `Proxy` resource says, the files of its keys read.
  /// - Throws: `ConfigError` with the place of each key that is none.
  public init(_ proxy: ProxyResource?) throws(ConfigError) {
    guard let proxy else {
      self = .anybody
      return
    }
    var keys: [Key] = []
    var diagnostics: [Diagnostic] = []
    for trusted in proxy.trustedKeys {
      do {
        keys.append(Key(name: trusted.name, key: try BundleTrust.read(trusted)))
      } catch let error as ConfigError {
        diagnostics += error.diagnostics.map { trusted.origin.error("\($0.location) \($0.message)") }
      } catch {
        let file = trusted.path.map { "\($0): " } ?? ""
        diagnostics.append(trusted.origin.error("\(file)\(error)"))
      }
    }
    guard diagnostics.isEmpty else { throw ConfigError(diagnostics) }
    self.init(keys: keys, isRequired: proxy.requireSignature == .always)
  }

  private static func read(_ trusted: ProxyResource.TrustedKey) throws -> Ed25519.VerifyingKey {
    switch trusted.source {
    case .pem(let text): try Ed25519.VerifyingKey(pem: Array(text.utf8))
    case .file(let path): try Ed25519.VerifyingKey(pem: try BundleFile.read(path, limit: Ed25519.pemLimit))
    }
  }

  // MARK: Verifying

  /// Who of those trusted has signed the bundle, by its file of signatures.
  ///
  /// Without `isRequired` nothing about signatures is a mistake: what does not hold gives no signer.
  /// - Throws: `Refusal` when a signature is required and there is none that counts; `ConfigError` when one is required
  ///   and the file of signatures cannot be read.
  public func signers(of bundle: Bundle) throws -> [Signer] {
    let path = bundle.signaturePath
    let signatures: BundleSignatures?
    do {
      signatures = try BundleSignatures(path: path)
    } catch {
      if isRequired { throw error }
      return []
    }
    let found = signatures.map { $0.digest == bundle.digest ? signers($0) : [] } ?? []
    if !isRequired || !found.isEmpty { return found }

    let rule = "the Proxy's requireSignature is \"always\""
    guard let signatures else {
      throw Refusal(
        description: "\(bundle.place) is not signed (there is no \(path)), and \(rule): "
          + "sign it with \"weft bundle sign \(bundle.place) --key FILE\"")
    }
    if signatures.digest != bundle.digest {
      throw Refusal(
        description: "\(bundle.place) is not what was signed: its digest is \(bundle.digest), and \(path) is about "
          + "\(signatures.digest); restore the bundle, or look at what changed and sign it again")
    }
    let known = signatures.signatures.compactMap { signature in keys.first { $0.key.id == signature.key }?.name }
    if let name = known.first {
      throw Refusal(description: "\(bundle.place) has a wrong signature of \"\(name)\" in \(path); sign it again")
    }
    let ids = signatures.signatures.map(\.key.description).joined(separator: ", ")
    throw Refusal(
      description: "\(bundle.place) is signed by nobody that is trusted, and \(rule): "
        + "add the public key to the Proxy's trustedKeys, or let one of its keys sign; it is signed by \(ids)")
  }

  /// The trusted keys that are among valid signatures.
  public func signers(_ signatures: BundleSignatures) -> [Signer] {
    keys.filter { signatures.isSigned(by: $0.key) }.map { Signer(name: $0.name, key: $0.key.id) }
  }
}
