import Glibc
import Logging
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
      for bundle in loaded.resources.filterBundles.all {
        if let folder = folder(of: bundle) {
          folders.append(folder)
        } else {
          missing.append(
            Diagnostic(
              at: bundle.origin.location, path: bundle.origin.path.appending("spec").appending("digest"),
              "nobody has pushed a bundle of this digest; push it with weft bundle push"))
        }
      }
      return missing
        + Proxy.check(loaded, bundleFolders: folders + bundleFolders, registry: registry, log: quiet)
    }
  }

  private static func pathOfBundle(_ filter: FilterResource) -> Diagnostic? {
    guard let node = filter.config["bundle"], let text = node.stringValue,
      ["/", "./", "../"].contains(where: { text.hasPrefix($0) })
    else { return nil }
    return node.error("a path means nothing to a control plane: push the bundle (weft bundle push), and name it")
  }

  /// A folder in which the bundle is found by its name; nil when its archive is not there.
  private func folder(of bundle: FilterBundleResource) -> String? {
    guard let blob = blobs.path(of: bundle.digest), access(blob, R_OK) == 0 else { return nil }
    let folder = "\(workFolder)/\(bundle.digest.dropFirst("sha256:".count))"
    // The name is one of DNS, and the digest hexadecimal: neither leads anywhere else.
    let file = "\(folder)/\(bundle.name.name).weft"
    if access(file, R_OK) == 0 { return folder }
    for path in [workFolder, folder] where mkdir(path, 0o700) != 0 && errno != EEXIST { return nil }
    return link(blob, file) == 0 || errno == EEXIST ? folder : nil
  }
}
