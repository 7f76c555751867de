import Logging
import WeftBundle
import WeftConfig
import WeftFilter

/// The filter type `lua`: runs a bundle, or a script that stands in the configuration or in a file of its own.
///
/// ```yaml
/// type: lua
/// config:
///   bundle: tenant-tag            # or ./path/to/folder; or script: |...; or file: ./tag.lua
///   settings: {header: x-tenant}  # what the bundle's schema allows
///   onError: deny                 # or skip
///   trip: {failures: 20, percent: 50, window: 30s, for: 10s, mode: closed}
///   limits: {cpu: 10ms}           # instead of what the bundle asks for
///   services: [users]             # services that it may call, besides those that the bundle itself lists
///   clearRouteCache: false        # true: find the route anew after on_request, as Envoy's filter does
/// ```
public struct LuaFilterType: FilterType {
  public static let name = "lua"

  /// What happens to an exchange for which the script fails.
  public enum ErrorPolicy: String, Sendable, CaseIterable {
    /// It is answered with 500.
    case deny
    /// It goes on as if the filter were not there.
    case skip
  }

  let use: LuaFilterUse
  /// The bundle's move to another version.
  let rollout: LuaRollout?
  var program: LuaProgram { use.program }
  public let fingerprint: String
  public let watchedPaths: [String]
  public let bundle: BundleSummary?

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    reader.exactlyOne(of: "bundle", "script", "file")
    let source = try LuaSource(reader, context)
    let configuration = try LuaConfiguration(reader, context)
    let use = try configuration.use(of: source, reader)
    self.use = use
    rollout = try source.rollout.map { try LuaRollout($0, configuration, stable: source, reader) }
    fingerprint = rollout.map { "\(use.program.key) \($0.fingerprint)" } ?? use.program.key
    watchedPaths = [source.place]
    bundle = source.summary
  }

  public func makeFilter(_ worker: WorkerContext) throws -> HTTPFilter {
    let filter = LuaFilter(use, try LuaStates.state(for: use.program, on: worker), worker)
    guard let rollout else { return filter }
    return try rollout.makeFilter(filter, worker)
  }
}
