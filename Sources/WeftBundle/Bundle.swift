import WeftConfig
import WeftCrypto

/// A bundle, read whole: its manifest and its files.
public struct Bundle: Sendable {
  /// The folder or archive, as it was named.
  public let place: String
  public let isArchive: Bool
  public let manifest: BundleManifest
  /// All files, by path.
  public let files: [Source]
  /// The Lua files but those under `tests`, by path.
  public let sources: [Source]
  /// That of the canonical archive: the same content gives the same digest on any machine, in a folder or an archive.
  public let digest: SHA256Digest

  /// Reads the bundle at `path`: a folder, or an archive (`*.weft`).
  /// - Throws: `ConfigError` when it cannot be read, is no bundle, or goes beyond the limits; with file, line and path as
  ///   far as there are any.
  public init(at path: String) throws(ConfigError) {
    try self.init(at: path, mayBeFile: true)
  }

  /// Reads the bundle in `folder`.
  /// - Throws: as `init(at:)`.
  public init(folder: String) throws(ConfigError) {
    if BundleFile.isRegular(folder) { throw Bundle.error(folder, "is a file; the folder of the bundle is needed") }
    try self.init(at: folder, mayBeFile: false)
  }

  private init(at path: String, mayBeFile: Bool) throws(ConfigError) {
    guard mayBeFile, BundleFile.isRegular(path) else {
      let files = try BundleFolder(path).files()
      try self.init(files, archive: BundleArchive.write(files), place: path, isArchive: false)
      return
    }
    guard path.hasSuffix(BundleLayout.archiveSuffix) else {
      throw Bundle.error(path, "is a file and no bundle; a bundle is a folder, or an archive whose name ends in .weft")
    }
    try self.init(archive: try BundleFile.read(path, limit: BundleArchive.sizeLimit), place: path)
  }

  /// Reads an archive at hand.
  /// - Parameter place: what messages call it.
  /// - Throws: as `init(at:)`.
  public init(archive: [UInt8], place: String) throws(ConfigError) {
    let files: [Source]
    do throws(BundleArchive.Fault) {
      files = try BundleArchive.read(archive)
    } catch {
      throw Bundle.error(place, "is no bundle archive: at byte \(error.offset), \(error.description)")
    }
    try self.init(files, archive: archive, place: place, isArchive: true)
  }

  private init(_ files: [Source], archive: [UInt8], place: String, isArchive: Bool) throws(ConfigError) {
    self.place = place
    self.isArchive = isArchive
    self.files = files
    sources = files.filter { BundleLayout.isSource($0.path) }
    manifest = try BundleManifest(files: files, place: place)
    do {
      digest = try SHA256Digest(of: archive)
    } catch {
      throw Bundle.error(place, "\(error)")
    }
  }

  /// The canonical archive.
  public var archive: [UInt8] { BundleArchive.write(files) }

  /// Where the bundle's signatures are: in the folder, or beside the archive.
  public var signaturePath: String { Bundle.signaturePath(place, isArchive: isArchive) }

  static func signaturePath(_ place: String, isArchive: Bool) -> String {
    isArchive ? place + ".sig" : "\(place)/\(BundleLayout.signatureFile)"
  }

  static func error(_ file: String, _ message: String) -> ConfigError {
    ConfigError([Diagnostic(at: SourceLocation(file: file), message)])
  }
}
