import Glibc
import Logging
import WeftBundle
import WeftCommand
import WeftConfig
import WeftControl
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
    return ResourceValidator { loaded in
      let quiet = Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
      // A path means a file of the machine that reads it. Nothing of this machine is opened for whoever may write
      // resources, so what is compiled has no such paths.
      let paths = loaded.resources.filters.all.compactMap(Self.pathOfBundle)
      if !paths.isEmpty { return paths }
      var missing: [Diagnostic] = []
      var folders: [String] = []
      var rollouts: [String: BundleRollout] = [:]
      for bundle in loaded.resources.filterBundles.all {
        let spec = bundle.origin.path.appending("spec")
        if let folder = folder(of: bundle.digest, as: bundle.name.name) {
          folders.append(folder)
        } else {
          missing.append(Self.missing(bundle, spec.appending("digest")))
        }
        guard let rollout = bundle.rollout else { continue }
        // Both versions are compiled, with the same settings.
        if let folder = folder(of: rollout.candidate, as: bundle.name.name) {
          rollouts[bundle.name.name] = BundleRollout(
            candidate: "\(folder)/\(bundle.name.name).weft", percent: 50, mode: .canary)
        } else {
          missing.append(Self.missing(bundle, spec.appending("rollout").appending("candidate")))
        }
      }
      return missing
        + Proxy.check(
          loaded, bundleFolders: folders + bundleFolders, rollouts: rollouts, registry: registry, log: quiet)
    }
  }

  private static func pathOfBundle(_ filter: FilterResource) -> Diagnostic? {
    guard let node = filter.config["bundle"], let text = node.stringValue,
      ["/", "./", "../"].contains(where: { text.hasPrefix($0) })
    else { return nil }
    return node.error("a path means nothing to a control plane: push the bundle (weft bundle push), and name it")
  }

  private static func missing(_ bundle: FilterBundleResource, _ path: FieldPath) -> Diagnostic {
    Diagnostic(
      at: bundle.origin.location, path: path,
      "nobody has pushed a bundle of this digest; push it with weft bundle push")
  }

  /// A folder in which the bundle is found by its name; nil when its archive is not there.
  private func folder(of digest: String, as name: String) -> String? {
    guard let blob = blobs.path(of: digest), access(blob, R_OK) == 0 else { return nil }
    let folder = "\(workFolder)/\(digest.dropFirst("sha256:".count))"
    // The name is one of DNS, and the digest hexadecimal: neither leads anywhere else.
    let file = "\(folder)/\(name).weft"
    if access(file, R_OK) == 0 { return folder }
    for path in [workFolder, folder] where mkdir(path, 0o700) != 0 && errno != EEXIST { return nil }
    return link(blob, file) == 0 || errno == EEXIST ? folder : nil
  }
}
