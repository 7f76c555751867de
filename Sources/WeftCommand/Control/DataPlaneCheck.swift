import Logging
import WeftConfig
import WeftControl
import WeftProxy

/// What a control plane lets the data plane's compiler check before anything is stored: the same as `weft check`.
enum DataPlaneCheck {
  /// - Parameter bundleFolders: where bundles are looked up by name.
  static func make(bundleFolders: [String]) -> ResourceValidator {
    let registry = WeftCommandLine.registry
    return ResourceValidator { loaded in
      let quiet = Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
      // A path means a file of the machine that reads it. Nothing of this machine is opened for whoever may write
      // resources, so what is compiled has no such paths.
      let paths = loaded.resources.filters.all.compactMap(pathOfBundle)
      if !paths.isEmpty { return paths }
      return Proxy.check(loaded, bundleFolders: bundleFolders, registry: registry, log: quiet)
    }
  }

  private static func pathOfBundle(_ filter: FilterResource) -> Diagnostic? {
    guard let node = filter.config["bundle"], let text = node.stringValue,
      ["/", "./", "../"].contains(where: { text.hasPrefix($0) })
    else { return nil }
    return node.error(
      "a path means nothing to a control plane: push the bundle (weft bundle push), and name it")
  }
}
