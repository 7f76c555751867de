import Glibc
import WeftBundle
import WeftConfig
import WeftCrypto
import WeftFilter

/// Where a filter's Lua code comes from, read.
struct LuaSource {
  /// What metrics and logs call it: of a mesh's bundle NAMESPACE/NAME, else the bundle's or the filter's name.
  let name: String
  /// What two bundles must have in common to share Lua states besides their content: namespaces share none.
  let namespace: String?
  let entry: String
  let files: [Bundle.Source]
  let digest: String
  let limits: BundleLimits
  /// The folder or file to watch, or the configuration that holds the script.
  let place: String
  /// nil for a script without a bundle.
  let summary: BundleSummary?
  /// The move to another version that the bundle is in.
  let rollout: BundleCatalog.Rollout?
  private let bundle: Bundle?
  /// The line of the configuration on which an inline script begins, less one.
  private let firstLine: Int

  /// What a script in the configuration is called in messages.
  private static let inlineName = "script.lua"

  init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    let configFile = reader.node.location.file
    if let node = reader.rawNode("bundle") {
      let found = try context.bundles.bundle(node, namespace: context.namespace)
      let bundle = found.bundle
      try Self.check(bundle, at: node)
      self.bundle = bundle
      summary = found.summary
      rollout = found.rollout
      namespace = found.namespace
      name = found.qualifiedName
      entry = bundle.manifest.entry
      files = bundle.sources
      digest = bundle.digest.description
      limits = bundle.manifest.limits
      place = bundle.place
      firstLine = 0
    } else if let node = reader.rawNode("file") {
      let path = BundleCatalog.path(try node.string(.length(1...4096)), from: configFile)
      let text = try Self.read(path, node)
      let file = String(path.split(separator: "/").last ?? "main.lua")
      bundle = nil
      summary = nil
      rollout = nil
      namespace = nil
      name = context.name
      entry = file
      files = [Bundle.Source(path: file, text: text)]
      digest = try SHA256Digest(of: text).description
      limits = BundleLimits()
      place = path
      firstLine = 0
    } else {
      let text = Array(reader.string("script", .length(1...Bundle.Limits.fileBytes)).utf8)
      bundle = nil
      summary = nil
      rollout = nil
      namespace = nil
      name = context.name
      entry = Self.inlineName
      files = [Bundle.Source(path: Self.inlineName, text: text)]
      digest = try SHA256Digest(of: text).description
      limits = BundleLimits()
      place = configFile
      // The text of a block begins on the line after its key.
      let isBlock = text.contains(UInt8(ascii: "\n"))
      firstLine = reader.location(of: "script").line - (isBlock ? 0 : 1)
    }
  }

  /// Another version of the bundle that `present` is.
  init(candidate bundle: Bundle, of present: LuaSource) {
    self.bundle = bundle
    summary = nil
    rollout = nil
    namespace = present.namespace
    name = present.name
    entry = bundle.manifest.entry
    files = bundle.sources
    digest = bundle.digest.description
    limits = bundle.manifest.limits
    place = bundle.place
    firstLine = 0
  }

  /// Whether the bundle runs on this version of Weft.
  /// - Throws: `Diagnostic` at the field that names it.
  static func check(_ bundle: Bundle, at node: ConfigNode) throws {
    guard let minimum = bundle.manifest.minimumWeft, minimum > WeftVersion.current else { return }
    throw node.error("\(bundle.manifest.name) needs Weft \(minimum) or newer; this is \(WeftVersion.current)")
  }

  /// Bytes of the shared dictionaries that the bundle declares, by name.
  var sharedSizes: [String: Int] { bundle?.manifest.shared ?? [:] }

  /// The settings that configuration gives, checked; nil when there are none.
  func settings(_ node: ConfigNode) throws -> SettingsValue? {
    if let bundle {
      if let schema = bundle.manifest.settings { return try schema.validate(node) }
      if let entry = node.entries.first { throw entry.value.error("the bundle \(name) has no settings") }
      return nil
    }
    return node.entries.isEmpty ? nil : try SettingsValue(node)
  }

  /// The services that the script may call, by the names that it uses: those that the bundle's manifest lists, and those
  /// that the configuration allows it.
  func services(_ reader: ObjectReader, _ context: FilterTypeContext) throws -> [String: ServiceReference] {
    var found: [String: ServiceReference] = [:]
    if let manifest = bundle?.manifest {
      for name in manifest.services {
        guard let reference = Self.service(name, context) else {
          throw reader.node.error("the bundle \(manifest.name) calls the service \"\(name)\", and there is none")
        }
        found[name] = reference
      }
    }
    _ = reader.list("services", count: 0...64) { node in
      let name = try node.string(.length(1...253))
      guard let reference = Self.service(name, context) else { throw node.error("there is no service \"\(name)\"") }
      found[name] = reference
    }
    return found
  }

  /// `name` or `namespace/name`, either with `:port`.
  private static func service(_ text: String, _ context: FilterTypeContext) -> ServiceReference? {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let names = parts[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let name = names.last, !name.isEmpty else { return nil }
    let namespace = names.count == 2 ? names[0] : nil
    if parts.count == 1 { return context.service(name, namespace: namespace) }
    guard let port = Int(parts[1]), (1...65535).contains(port) else { return nil }
    return context.service(name, namespace: namespace, port: port)
  }

  /// The failure of the script's loading, at its place.
  func diagnostic(_ failure: LuaFailure) -> Diagnostic {
    guard let (file, line, message) = failure.place else {
      return Diagnostic(at: SourceLocation(file: bundle.map { "\($0.place)/\(entry)" } ?? place), failure.description)
    }
    if let bundle { return Diagnostic(at: SourceLocation(file: "\(bundle.place)/\(file)", line: line), message) }
    return Diagnostic(at: SourceLocation(file: place, line: firstLine + line), message)
  }

  // MARK: Files

  private static func read(_ path: String, _ node: ConfigNode) throws -> [UInt8] {
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if fd < 0 { throw node.error("\(path) cannot be opened: \(String(cString: strerror(errno)))") }
    defer { close(fd) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let n = Glibc.read(fd, &buffer, buffer.count)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { throw node.error("\(path) cannot be read: \(String(cString: strerror(errno)))") }
      if n == 0 { return text }
      text.append(contentsOf: buffer[..<n])
      if text.count > Bundle.Limits.fileBytes {
        throw node.error("\(path) has more than \(Bundle.Limits.fileBytes) bytes")
      }
    }
  }
}
