import WeftConfig
import WeftStore

/// Checks sets of resources as `weft check` does.
public struct ResourceValidator: Sendable {
  /// What only the data plane can check: the configurations of filters, route tables, certificates. Gives errors and
  /// warnings; their places are those of the resources that they are about. The settings are those of several proxies.
  public typealias DataPlaneCheck = @Sendable (LoadedConfiguration, _ settings: [ProxyResource]) -> [Diagnostic]

  private let dataPlane: DataPlaneCheck
  /// Each write is checked with everything, whatever it can concern: what others are compared with.
  var checksEverything = false

  public init(dataPlane: @escaping DataPlaneCheck = { _, _ in [] }) { self.dataPlane = dataPlane }

  /// Everything there is to say about a set of resources.
  func findings(_ documents: [ResourceKey: ConfigDocuments]) -> Set<ResourceFinding> {
    // Each proxy has its own settings: several of these resources may lie in a store, but no proxy reads more than one.
    let isSettings = { (key: ResourceKey) in key.kind == "Proxy" && key.group == "weft.dev" }
    let together = documents.filter { !isSettings($0.key) }.sorted { $0.key < $1.key }
    let loaded = ConfigLoader.load(documents: together.map(\.value), sources: together.map(\.key.source))
    var diagnostics = loaded.diagnostics
    var settings: [ProxyResource] = []
    for (key, document) in documents.filter({ isSettings($0.key) }) {
      let found = ConfigLoader.load(documents: [document], sources: [key.source])
      diagnostics += found.diagnostics
      if let proxy = found.resources.proxy { settings.append(proxy) }
    }
    diagnostics += dataPlane(loaded, settings)
    let keys = Dictionary(uniqueKeysWithValues: documents.keys.map { ($0.source, $0) })
    return Set(
      diagnostics.compactMap { diagnostic in
        // Whether sidecars are there at this moment is no matter of configuration, and Workloads are not looked at.
        // The same goes for the listeners of sidecars: routes of a Service run there.
        let isOfSidecars = ["Workload", "whose traffic no listener takes here"].contains {
          diagnostic.message.contains($0)
        }
        if diagnostic.severity == .warning, isOfSidecars { return nil }
        // A message may name the place of another resource; its line is of no use to anybody.
        return ResourceFinding(
          isError: diagnostic.severity == .error, resource: keys[diagnostic.location.file],
          path: diagnostic.path.description, diagnostic.message)
      })
  }
}
