import Glibc
import Logging
import WeftBundle
import WeftCommand
import WeftConfig
import WeftControl
import WeftCrypto
import WeftProxy

/// What a control plane lets the data plane's compiler check before anything is stored: the same as `weft check`.
struct DataPlaneCheck: Sendable {
  /// Where bundles are looked up by name, besides those that FilterBundles name.
  let bundleFolders: [String]
  let blobs: BlobStore
  /// A folder of the control plane's own.
  let workFolder: String

  func makeValidator() -> ResourceValidator {
    let registry = WeftCommandLine.registry
    return ResourceValidator { loaded, settings in
      let trust = settings.flatMap(Self.checkKeys)
      // A path means a file of the machine that reads it. Nothing of this machine is opened for whoever may write
      // resources, so what is compiled has no such paths.
      let paths = loaded.resources.filters.all.compactMap(Self.pathOfBundle)
      if !paths.isEmpty { return trust + paths }
      let bundles = Bundles(loaded.resources.filterBundles.all) { self.file(of: $0, as: $1) }
      let quiet = Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
      let compiled = Proxy.check(
        loaded, bundleFolders: bundleFolders, bundles: bundles.places, rollouts: bundles.rollouts, registry: registry,
        log: quiet)
      return trust + unsigned(loaded.resources.filterBundles.all, settings) + bundles.missing
        + compiled.flatMap(bundles.placed)
    }
  }

  private static func pathOfBundle(_ filter: FilterResource) -> Diagnostic? {
    guard let node = filter.config["bundle"], let text = node.stringValue,
      ["/", "./", "../"].contains(where: { text.hasPrefix($0) })
    else { return nil }
    return node.error("a path means nothing to a control plane: push the bundle (weft bundle push), and name it")
  }

  // MARK: Archives

  /// The archives of FilterBundles.
  private struct Bundles {
    private(set) var places: [ResourceName: String] = [:]
    private(set) var rollouts: [ResourceName: BundleRollout] = [:]
    private(set) var missing: [Diagnostic] = []
    /// By its file, the fields that name an archive.
    private var users: [String: [(bundle: FilterBundleResource, path: FieldPath)]] = [:]

    init(_ bundles: [FilterBundleResource], file: (_ digest: String, _ name: String) -> String?) {
      for bundle in bundles {
        let spec = bundle.origin.path.appending("spec")
        places[bundle.name] = find(bundle, bundle.digest, spec.appending("digest"), file)
        guard let rollout = bundle.rollout else { continue }
        // Both versions are compiled, with the same settings.
        let field = spec.appending("rollout").appending("candidate")
        if let candidate = find(bundle, rollout.candidate, field, file) {
          rollouts[bundle.name] = BundleRollout(candidate: candidate, percent: 50, mode: .canary)
        }
      }
    }

    private mutating func find(
      _ bundle: FilterBundleResource, _ digest: String, _ path: FieldPath,
      _ file: (_ digest: String, _ name: String) -> String?
    ) -> String? {
      guard let place = file(digest, bundle.name.name) else {
        missing.append(
          Diagnostic(
            at: bundle.origin.location, path: path,
            "nobody has pushed a bundle of this digest; push it with weft bundle push"))
        return nil
      }
      users[place, default: []].append((bundle, path))
      return place
    }

    /// What is found in an archive is said of the fields that name it.
    func placed(_ diagnostic: Diagnostic) -> [Diagnostic] {
      let file = diagnostic.location.file
      guard let place = users.keys.first(where: { file.hasPrefix($0 + "/") }) else { return [diagnostic] }
      let text = "\(file.dropFirst(place.count + 1)):\(diagnostic.location.line): \(diagnostic.message)"
      return (users[place] ?? []).map { user in
        Diagnostic(diagnostic.severity, at: user.bundle.origin.location, path: user.path, text)
      }
    }
  }

  /// A file of the archive with a name that says what it is; nil when the archive is not there.
  private func file(of digest: String, as name: String) -> String? {
    guard let blob = blobs.path(of: digest), let resolved = realpath(blob, nil) else { return nil }
    defer { free(resolved) }
    let folder = "\(workFolder)/\(digest.dropFirst("sha256:".count))"
    // The name is one of DNS, and the digest hexadecimal: neither leads anywhere else.
    let file = "\(folder)/\(name).weft"
    for path in [workFolder, folder] where mkdir(path, 0o700) != 0 && errno != EEXIST { return nil }
    // By name, for an archive that was damaged is replaced by another file.
    var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let length = readlink(file, &target, Int(PATH_MAX))
    if length > 0, strcmp(target, resolved) == 0 { return file }
    if unlink(file) != 0 && errno != ENOENT { return nil }
    return symlink(resolved, file) == 0 || errno == EEXIST ? file : nil
  }

  // MARK: Signatures

  /// What is wrong with the keys that a proxy's settings trust.
  private static func checkKeys(_ proxy: ProxyResource) -> [Diagnostic] {
    let files = proxy.trustedKeys.filter { $0.path != nil }
    if !files.isEmpty {
      return files.map {
        $0.origin.error("a path means nothing to a control plane: write the key itself, its PEM text")
      }
    }
    do {
      _ = try BundleTrust(proxy)
      return []
    } catch { return error.diagnostics }
  }

  /// Versions of bundles that the settings of the whole mesh refuse. What the settings of one proxy say, that proxy looks
  /// at: here it is not known which bundles it runs.
  private func unsigned(_ bundles: [FilterBundleResource], _ settings: [ProxyResource]) -> [Diagnostic] {
    let ofMesh = settings.first {
      $0.metadata.namespace == PolicyScope.rootNamespace && $0.metadata.name == "default"
    }
    guard let ofMesh, ofMesh.requireSignature == .always, Self.checkKeys(ofMesh).isEmpty,
      let trust = try? BundleTrust(ofMesh)
    else { return [] }
    return bundles.flatMap { bundle in
      let spec = bundle.origin.path.appending("spec")
      var fields = [(bundle.digest, spec.appending("digest"))]
      if let rollout = bundle.rollout {
        fields.append((rollout.candidate, spec.appending("rollout").appending("candidate")))
      }
      return fields.compactMap { digest, path in
        refusal(digest, trust).map { Diagnostic(at: bundle.origin.location, path: path, $0) }
      }
    }
  }

  private func refusal(_ text: String, _ trust: BundleTrust) -> String? {
    // Of an archive that is not there something else is said.
    guard let digest = SHA256Digest(text), let blob = blobs.path(of: text), access(blob, R_OK) == 0 else { return nil }
    do {
      let bytes = try blobs.signatures(text)
      let signatures = try bytes.map { try BundleSignatures($0, path: "its signatures") }
      if let signatures, signatures.digest == digest, !trust.signers(signatures).isEmpty { return nil }
      return trust.refusal(of: text, digest: digest, signatures).description
    } catch let error as ConfigError {
      return error.diagnostics.first.map { "\($0)" } ?? "its signatures cannot be read"
    } catch {
      return "its signatures cannot be read: \(error)"
    }
  }
}
