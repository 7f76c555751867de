import Glibc
import Synchronization
import WeftConfig

/// Finds the bundles that a configuration names, reads each once, and verifies who has signed it.
public final class BundleCatalog: Sendable {
  /// A bundle that may run.
  public struct Entry: Sendable {
    public let bundle: Bundle
    /// Who of those trusted has signed it.
    public let signers: [BundleTrust.Signer]
    /// The move to another version that it is in.
    public let rollout: Rollout?
    /// Of the FilterBundle that it was found by; nil: it lies in a folder of this machine.
    public let namespace: String?

    /// What tells it from a bundle of the same name in another namespace: NAMESPACE/NAME, or the manifest's name.
    public var qualifiedName: String { Self.qualifiedName(bundle, namespace) }

    public var summary: BundleSummary { BundleSummary(bundle, signers, namespace) }

    static func qualifiedName(_ bundle: Bundle, _ namespace: String?) -> String {
      namespace.map { "\($0)/\(bundle.manifest.name)" } ?? bundle.manifest.name
    }
  }

  /// A rollout, with the candidate read.
  public struct Rollout: Sendable {
    /// nil: this proxy does not run it.
    public let candidate: Bundle?
    /// The candidate's share of the requests, 0 to 100.
    public let percent: Int
    public let mode: BundleRollout.Mode
  }

  private struct State {
    var known: [String: Result<Bundle, ConfigError>] = [:]
    var paths: Set<String> = []
  }

  private let folders: [String]
  private let named: [ResourceName: String]
  private let isOfMesh: Bool
  private let rollouts: [ResourceName: BundleRollout]
  private let trust: BundleTrust
  private let state = Mutex(State())

  /// - Parameters:
  ///   - folders: where bundles are looked up by name.
  ///   - named: the folder or archive of each FilterBundle; for who names a bundle in its namespace, these come first.
  ///     nil: the proxy is in no mesh.
  ///   - rollouts: moves to other versions, by FilterBundle.
  public init(
    folders: [String] = [], named: [ResourceName: String]? = nil, rollouts: [ResourceName: BundleRollout] = [:],
    trust: BundleTrust = .anybody
  ) {
    self.folders = folders
    self.named = named ?? [:]
    isOfMesh = named != nil
    self.rollouts = rollouts
    self.trust = trust
  }

  /// The files and folders that were looked at so far, also those that were not there: what to watch for changes.
  public var paths: Set<String> { state.withLock { $0.paths } }

  /// The bundle that a field names: by a path that begins with `/`, `./` or `../`, relative to the field's file, or by
  /// a name: that of a FilterBundle of the namespace, or one that is looked up in the folders, as `NAME/` and `NAME.weft`.
  /// - Parameter namespace: of the resource whose field it is.
  /// - Throws: `Diagnostic` or `ConfigError` when there is none, when it is broken, or when it may not run.
  public func bundle(_ node: ConfigNode, namespace: String) throws -> Entry {
    let text = try node.string(.length(1...4096))
    if ["/", "./", "../"].contains(where: { text.hasPrefix($0) }) {
      let bundle = try bundle(at: Self.path(text, from: node.location.file), node, name: nil)
      return Entry(bundle: bundle, signers: try signers(of: bundle, node), rollout: nil, namespace: nil)
    }
    let name = ResourceName(namespace: namespace, name: text)
    guard let place = named[name] else {
      let bundle = try bundle(at: try lookUp(name, node), node, name: text)
      return Entry(bundle: bundle, signers: try signers(of: bundle, node), rollout: nil, namespace: nil)
    }
    let bundle = try bundle(at: place, node, name: text)
    let signers = try signers(of: bundle, node, filterBundle: name)
    let rollout = try rollouts[name].map { rollout in
      let candidate = try rollout.candidate.map { try self.bundle(at: $0, node, name: text) }
      if let candidate { _ = try self.signers(of: candidate, node, filterBundle: name) }
      return Rollout(candidate: candidate, percent: rollout.percent, mode: rollout.mode)
    }
    return Entry(bundle: bundle, signers: signers, rollout: rollout, namespace: namespace)
  }

  /// The bundle at a place.
  /// - Parameter name: what it must be called; nil: anything.
  private func bundle(at place: String, _ node: ConfigNode, name: String?) throws -> Bundle {
    let bundle: Bundle
    do throws(ConfigError) {
      bundle = try read(place)
    } catch {
      // What is wrong with the bundle as a whole is told at the field; what is wrong in it, at its own place.
      throw ConfigError(
        error.diagnostics.map { found in
          found.location.line > 0
            ? found
            : Diagnostic(found.severity, at: node.location, path: node.path, "\(found.location.file): \(found.message)")
        })
    }
    if let name {
      let manifest = bundle.manifest
      guard name == manifest.name || name == "\(manifest.name)-\(manifest.version)" else {
        throw node.error("\(place) holds another bundle: \(manifest.name) \(manifest.version)")
      }
    }
    return bundle
  }

  private func signers(
    of bundle: Bundle, _ node: ConfigNode, filterBundle: ResourceName? = nil
  ) throws -> [BundleTrust.Signer] {
    do { return try trust.signers(of: bundle, filterBundle: filterBundle) } catch let refusal as BundleTrust.Refusal {
      throw node.error(refusal.description)
    }
  }

  /// `text` as a path, relative to the folder of `file`.
  public static func path(_ text: String, from file: String) -> String {
    if text.hasPrefix("/") { return text }
    guard let slash = file.lastIndex(of: "/") else { return text }
    return String(file[...slash]) + text
  }

  private func read(_ place: String) throws(ConfigError) -> Bundle {
    if let known = state.withLock({ $0.known[place] }) { return try known.get() }
    note(place)
    let result: Result<Bundle, ConfigError>
    do throws(ConfigError) {
      let bundle = try Bundle(at: place)
      if bundle.isArchive { note(bundle.signaturePath) }
      result = .success(bundle)
    } catch {
      result = .failure(error)
    }
    state.withLock { $0.known[place] = result }
    return try result.get()
  }

  private func lookUp(_ resource: ResourceName, _ node: ConfigNode) throws -> String {
    let name = resource.name
    guard !name.contains("/"), name != ".", name != ".." else {
      throw node.error("write a path as \"./\(name)\"; without it, this is the name of a bundle, which has no \"/\"")
    }
    for folder in folders {
      let candidates = ["\(folder)/\(name)", "\(folder)/\(name)\(BundleLayout.archiveSuffix)"]
      candidates.forEach(note)
      let found = candidates.filter {
        BundleFile.exists($0 == candidates[0] ? "\($0)/\(BundleManifest.fileName)" : $0)
      }
      if found.count > 1 { throw node.error("there are both \(found[0]) and \(found[1]); keep one of them") }
      if let found = found.first { return found }
    }
    if isOfMesh {
      throw node.error(
        "no bundle named \"\(name)\": there is no FilterBundle \"\(resource)\"; push the bundle with \"weft bundle push --use -n \(resource.namespace)\""
      )
    }
    let places = folders.joined(separator: ", ")
    throw node.error(
      places.isEmpty
        ? "no bundle named \"\(name)\": there are no bundle folders; name one with --bundles, or write a path"
        : "no bundle named \"\(name)\" in \(places)")
  }

  private func note(_ path: String) { state.withLock { _ = $0.paths.insert(path) } }
}

/// What there is to say about a bundle that runs.
public struct BundleSummary: Sendable, Hashable {
  public let name: String
  /// Of the FilterBundle that it was found by; nil: it lies in a folder of this machine.
  public let namespace: String?
  public let version: String
  public let digest: String
  /// The folder or archive.
  public let place: String
  public let signers: [BundleTrust.Signer]

  init(_ bundle: Bundle, _ signers: [BundleTrust.Signer], _ namespace: String?) {
    name = bundle.manifest.name
    self.namespace = namespace
    version = bundle.manifest.version.description
    digest = bundle.digest.description
    place = bundle.place
    self.signers = signers
  }
}
