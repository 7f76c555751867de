import WeftConfig
import WeftCrypto

/// The signatures of a bundle: `bundle.sig` in a folder, `NAME.weft.sig` beside an archive.
///
/// ```yaml
/// digest: sha256:2f7c...
/// signatures:
/// - key: sha256:90ab...
///   signature: base64 of 64 bytes
/// ```
/// What is signed is `message(_:)`, so that a signature made for something else cannot be passed off as one of a bundle.
public struct BundleSignatures: Sendable {
  public struct Signature: Sendable {
    /// The public key's id.
    public let key: SHA256Digest
    public let bytes: [UInt8]
  }

  /// Of the bundle that was signed.
  public let digest: SHA256Digest
  public private(set) var signatures: [Signature]

  /// Bytes of a file.
  private static let fileLimit = 64 << 10
  /// Signatures of one bundle.
  public static let limit = 32

  /// None so far.
  public init(of digest: SHA256Digest) {
    self.digest = digest
    signatures = []
  }

  /// Reads a file; nil when there is none.
  /// - Throws: `ConfigError` with file, line and path when it is not what a signature file is.
  public init?(path: String) throws(ConfigError) {
    guard BundleFile.exists(path) else { return nil }
    try self.init(try BundleFile.read(path, limit: Self.fileLimit), path: path)
  }

  /// Reads the text of a file.
  /// - Parameter path: what messages call it.
  /// - Throws: `ConfigError` with line and path when it is not what a signature file is.
  public init(_ text: [UInt8], path: String) throws(ConfigError) {
    let documents = ConfigDocuments(parsing: text, file: path)
    guard documents.diagnostics.isEmpty else { throw ConfigError(documents.diagnostics) }
    guard let root = documents.roots.first, documents.roots.count == 1 else {
      throw Bundle.error(path, "holds \(documents.roots.count) documents; a file of signatures is one")
    }
    var digest: SHA256Digest?
    signatures = try ObjectReader.decode(root) { reader in
      digest = reader.required("digest", placeholder: nil) { try Self.digest($0) }
      return reader.objects("signatures", count: 1...Self.limit) { reader in
        let key: SHA256Digest? = reader.required("key", placeholder: nil) { try Self.digest($0) }
        let bytes: [UInt8] = reader.required("signature", placeholder: []) { try Self.signature($0) }
        guard let key else { throw ConfigError([]) }
        return Signature(key: key, bytes: bytes)
      }
    }
    guard let digest else { throw Bundle.error(path, "has no digest") }
    self.digest = digest
  }

  private static func digest(_ node: ConfigNode) throws -> SHA256Digest {
    guard let digest = SHA256Digest(try node.string()) else {
      throw node.error("is no digest; one is \"sha256:\" and 64 hexadecimal digits in lower case")
    }
    return digest
  }

  private static func signature(_ node: ConfigNode) throws -> [UInt8] {
    let text = try node.string()
    guard let bytes = Base64.decode(text), bytes.count == Ed25519.signatureSize, Base64.encode(bytes) == text else {
      throw node.error("is no signature; one is the base64 of \(Ed25519.signatureSize) bytes")
    }
    return bytes
  }

  /// The bytes that are signed.
  public static func message(_ digest: SHA256Digest) -> [UInt8] { Array("weft bundle\n\(digest)\n".utf8) }

  /// Adds a signature, in place of one that the same key made before.
  /// - Throws: `CryptoError`, also when there are too many already.
  public mutating func sign(with key: Ed25519.SigningKey) throws(CryptoError) {
    let signature = Signature(key: key.verifyingKey.id, bytes: try key.sign(Self.message(digest)))
    signatures.removeAll { $0.key == signature.key }
    guard signatures.count < Self.limit else {
      throw CryptoError(operation: "add a signature", reason: "a bundle has at most \(Self.limit)")
    }
    signatures.append(signature)
  }

  /// Whether `key` has signed; false also for a signature that is wrong.
  public func isSigned(by key: Ed25519.VerifyingKey) -> Bool {
    signatures.contains { signature in
      signature.key == key.id && key.isValid(signature: signature.bytes, for: Self.message(digest))
    }
  }

  /// The file's text.
  public var text: String {
    var lines = [
      "# Signatures of a Weft bundle. \"weft bundle sign\" writes this file.", "digest: \(digest)", "signatures:",
    ]
    for signature in signatures {
      lines += ["- key: \(signature.key)", "  signature: \(Base64.encode(signature.bytes))"]
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
