import WeftConfig

/// What `bundle.yaml` says: what a bundle is called, how its settings look, and what it may use.
public struct BundleManifest: Sendable {
  /// The file that holds it, at the top of a bundle.
  public static let fileName = "bundle.yaml"

  public let name: String
  public let version: SemanticVersion
  public let description: String
  public let author: String
  /// Such as an SPDX license identifier.
  public let license: String
  /// The Lua file that is run when the bundle is loaded, relative to the bundle's top.
  public let entry: String
  /// What a route may set; nil: nothing.
  public let settings: SettingsSchema?
  public let limits: BundleLimits
  /// The services that the script may call, `name`, `namespace/name`, either with `:port`.
  public let services: [String]
  /// Bytes of its shared dictionaries, by name; others have a size of their own.
  public let shared: [String: Int]
  /// The oldest Weft that it runs on.
  public let minimumWeft: SemanticVersion?

  /// Decodes the root of `bundle.yaml`.
  /// - Throws: `ConfigError` with the place of each mistake.
  public init(_ node: ConfigNode) throws {
    self = try ObjectReader.decode(node) { BundleManifest($0) }
  }

  /// The manifest among a bundle's files, held against them.
  /// - Parameter place: the bundle, as messages call it.
  init(files: [Bundle.Source], place: String) throws(ConfigError) {
    let path = "\(place)/\(Self.fileName)"
    guard let text = files.first(where: { $0.path == Self.fileName })?.text else {
      throw Bundle.error(path, "there is no such file; every bundle holds one")
    }
    let documents = ConfigDocuments(parsing: text, file: path)
    guard documents.diagnostics.isEmpty else { throw ConfigError(documents.diagnostics) }
    guard let root = documents.roots.first, documents.roots.count == 1 else {
      throw Bundle.error(path, "holds \(documents.roots.count) documents; a manifest is one")
    }
    let manifest = try ObjectReader.decode(root) { BundleManifest($0) }
    guard files.contains(where: { $0.path == manifest.entry }) else {
      throw ConfigError([(root["entry"] ?? root).error("there is no file \"\(manifest.entry)\" in the bundle")])
    }
    self = manifest
  }

  private init(_ reader: ObjectReader) {
    name = reader.string("name", .dnsLabel)
    version = reader.required("version", placeholder: SemanticVersion(0, 0, 0), BundleManifest.version)
    description = reader.string("description", .length(0...1024), default: "")
    author = reader.string("author", .length(0...256), default: "")
    license = reader.string("license", .length(0...256), default: "")
    entry = reader.string("entry", BundleManifest.luaFile, default: "main.lua")
    settings = reader.optional("settings", BundleManifest.settings)
    limits = reader.optional("limits") { try BundleLimits($0) } ?? BundleLimits()
    services = reader.strings("services", count: 0...64, .length(1...253))
    shared = Dictionary(
      reader.map("shared") { name, node in
        guard (1...64).contains(name.utf8.count) else { throw node.error("a name has 1 to 64 bytes") }
        return (name, try node.bytes(in: 16 << 10...1 << 30))
      }, uniquingKeysWith: { $1 })
    if shared.count > 16 { reader.error("shared", "a bundle has at most 16 shared dictionaries") }
    minimumWeft = reader.optional("minimumWeft", BundleManifest.version)
  }

  private static func version(_ node: ConfigNode) throws -> SemanticVersion {
    let text = try node.string()
    guard let version = SemanticVersion(text) else {
      throw node.error("\"\(text.prefix(80))\" is no semantic version; write one such as 1.0.0")
    }
    return version
  }

  private static func settings(_ node: ConfigNode) throws -> SettingsSchema {
    let schema = try SettingsSchema(node)
    guard schema.kind == .object else { throw node.error("settings have the type \"object\"") }
    return schema
  }

  /// The path of a Lua file inside a bundle.
  private static let luaFile = StringRule(
    "name a Lua file inside the bundle, such as \"main.lua\"",
    { BundleLayout.problem($0) == nil && BundleLayout.isSource($0) })
}
