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
  /// - Parameter filterBundle: the resource of a mesh by which it was found; nil: it is a file or folder of the user's.
  /// - Throws: `Refusal` when a signature is required and there is none that counts; `ConfigError` when one is required
  ///   and the file of signatures cannot be read.
  public func signers(of bundle: Bundle, filterBundle: ResourceName? = nil) throws -> [Signer] {
    let signatures: BundleSignatures?
    do {
      signatures = try BundleSignatures(path: bundle.signaturePath)
    } catch {
      if isRequired { throw error }
      return []
    }
    let found = signatures.map { $0.digest == bundle.digest ? signers($0) : [] } ?? []
    if !isRequired || !found.isEmpty { return found }
    guard filterBundle == nil else {
      let version = "\(bundle.manifest.name) \(bundle.manifest.version) (\(bundle.digest))"
      throw refusal(of: version, digest: bundle.digest, signatures)
    }
    throw refusal(ofFile: bundle, signatures)
  }

  /// Why a version of a bundle that a mesh hands out is not run.
  /// - Parameter version: how the message names it.
  public func refusal(of version: String, digest: SHA256Digest, _ signatures: BundleSignatures?) -> Refusal {
    let wayOut = "sign it (weft bundle sign), and push it again (weft bundle push)"
    guard let signatures else { return Refusal(description: "\(version) is not signed, and \(Self.rule): \(wayOut)") }
    if signatures.digest != digest {
      return Refusal(description: "the signatures of \(version) are about \(signatures.digest): \(wayOut)")
    }
    return refusal(of: version, signatures, ": \(wayOut)")
  }

  private static let rule = "the Proxy's requireSignature is \"always\""

  /// Signatures are there, and none counts.
  /// - Parameter end: of the sentence about a wrong signature.
  private func refusal(of bundle: String, _ signatures: BundleSignatures, _ end: String) -> Refusal {
    let known = signatures.signatures.compactMap { signature in keys.first { $0.key.id == signature.key }?.name }
    if let name = known.first {
      return Refusal(description: "\(bundle) has a wrong signature of \"\(name)\"\(end)")
    }
    let ids = signatures.signatures.map(\.key.description).joined(separator: ", ")
    return Refusal(
      description: "\(bundle) is signed by nobody that is trusted, and \(Self.rule): "
        + "add the public key to the Proxy's trustedKeys, or let one of its keys sign; it is signed by \(ids)")
  }

  private func refusal(ofFile bundle: Bundle, _ signatures: BundleSignatures?) -> Refusal {
    let path = bundle.signaturePath
    guard let signatures else {
      return Refusal(
        description: "\(bundle.place) is not signed (there is no \(path)), and \(Self.rule): "
          + "sign it with \"weft bundle sign \(bundle.place) --key FILE\"")
    }
    if signatures.digest != bundle.digest {
      return Refusal(
        description: "\(bundle.place) is not what was signed: its digest is \(bundle.digest), and \(path) is about "
          + "\(signatures.digest); restore the bundle, or look at what changed and sign it again")
    }
    return refusal(of: bundle.place, signatures, " in \(path); sign it again")
  }

  /// The trusted keys that are among valid signatures.
  public func signers(_ signatures: BundleSignatures) -> [Signer] {
    keys.filter { signatures.isSigned(by: $0.key) }.map { Signer(name: $0.name, key: $0.key.id) }
  }
}
