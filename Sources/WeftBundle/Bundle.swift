import WeftConfig

/// A bundle, read whole: its manifest and its Lua files.
public struct Bundle: Sendable {
  /// One Lua file.
  public struct Source: Sendable, Hashable {
    /// Relative to the bundle's folder, with `/` between its parts.
    public let path: String
    public let text: [UInt8]

    public init(path: String, text: [UInt8]) {
      self.path = path
      self.text = text
    }
  }

  /// What a bundle may be. The bounds keep a mistaken path, such as a home folder, from being read whole.
  public enum Limits {
    /// Bytes of one file.
    public static let fileBytes = 1 << 20
    /// Bytes of all files.
    public static let totalBytes = 8 << 20
    /// Files.
    public static let files = 256
    /// Entries of all folders, those that are no part of the bundle included.
    public static let entries = 4096
    /// Nesting of folders.
    public static let depth = 8
  }

  /// The folder, as it was named.
  public let folder: String
  public let manifest: BundleManifest
  /// The Lua files but those under `tests`, by path.
  public let sources: [Source]
  /// SHA-256 of everything that decides how the bundle behaves, in lower-case hexadecimal: the same content gives the
  /// same digest on any machine.
  public let digest: String

  /// Reads the bundle in `folder`.
  /// - Throws: `ConfigError` when the folder cannot be read, holds more than the limits allow or reaches outside, or
  ///   when its manifest is wrong; with file, line and path as far as there are any.
  public init(folder: String) throws(ConfigError) {
    let manifestPath = folder + "/" + BundleManifest.fileName
    let files = try BundleFolder(folder).files()
    guard let manifestText = files.first(where: { $0.path == BundleManifest.fileName })?.text else {
      throw Bundle.error(manifestPath, "there is no such file; a bundle's folder holds one")
    }
    let documents = ConfigDocuments(parsing: manifestText, file: manifestPath)
    guard documents.diagnostics.isEmpty else { throw ConfigError(documents.diagnostics) }
    guard let root = documents.roots.first, documents.roots.count == 1 else {
      throw Bundle.error(manifestPath, "holds \(documents.roots.count) documents; a manifest is one")
    }
    let manifest: BundleManifest
    do {
      manifest = try BundleManifest(root)
    } catch let error as ConfigError {
      throw error
    } catch {
      throw Bundle.error(manifestPath, "\(error)")
    }
    let sources = files.filter { $0.path.hasSuffix(".lua") }
    guard sources.contains(where: { $0.path == manifest.entry }) else {
      throw ConfigError([(root["entry"] ?? root).error("there is no file \"\(manifest.entry)\" in the bundle")])
    }
    self.folder = folder
    self.manifest = manifest
    self.sources = sources
    digest = Bundle.digest(files)
  }

  /// The digest of files in the order of their paths: of each its path, its length and its content.
  static func digest(_ files: [Source]) -> String {
    var hash = SHA256()
    hash.update("weft bundle 1\n".utf8)
    for file in files {
      hash.update("\(file.path.utf8.count) \(file.path)\n\(file.text.count)\n".utf8)
      hash.update(file.text)
    }
    return hash.finish().hex
  }

  /// The digest of a script that stands alone.
  public static func digest(script: [UInt8]) -> String { digest([Source(path: "", text: script)]) }

  static func error(_ file: String, _ message: String) -> ConfigError {
    ConfigError([Diagnostic(at: SourceLocation(file: file), message)])
  }
}
