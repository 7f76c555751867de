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
  var program: LuaProgram { use.program }
  public let fingerprint: String
  public let watchedPaths: [String]
  public let bundle: BundleSummary?

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    reader.exactlyOne(of: "bundle", "script", "file")
    let source = try LuaSource(reader, context)
    let limits = reader.optional("limits") { try BundleLimits($0, defaults: source.limits) }
    let onError: ErrorPolicy = reader.enumeration("onError", default: .deny)
    let trip = reader.optional("trip") { try LuaTripPolicy($0, onError) } ?? LuaTripPolicy(onError)
    let clearsRoute = reader.bool("clearRouteCache", default: false)
    let given = reader.rawNode("settings")
    let empty = ConfigNode.empty(at: reader.location(of: "settings"), path: reader.node.path.appending("settings"))
    let values = try source.settings(given ?? empty)
    let services = try source.services(reader, context)

    let metrics = try LuaMetrics(context.metrics)
    let shared = SharedSpace.of(source.name, in: context.metrics)
    shared.resize(source.sharedSizes)
    let made = LuaProgram(
      name: source.name, entry: source.entry, sources: source.files, digest: source.digest,
      limits: limits ?? source.limits,
      surroundings: LuaSurroundings(
        shared: shared, sharedSizes: source.sharedSizes, registry: context.metrics, metrics: metrics,
        logger: context.logger))
    let known = LuaPrograms.find(made)
    let program = known?.program ?? made
    var tape: ValueTape?
    if let values {
      var written = ValueTape()
      written.append(values)
      tape = written
    }
    use = LuaFilterUse(
      program: program, settings: tape, onError: onError, trip: trip, clearsRoute: clearsRoute, services: services,
      filterName: context.name, logger: context.logger, metrics: metrics)
    fingerprint = program.key
    watchedPaths = [source.place]
    bundle = source.summary

    // As an editor leaves it between emptying a file and writing it.
    if source.files.contains(where: { $0.path == source.entry && $0.text.isEmpty }) {
      throw reader.node.error("\(source.place): \(source.entry) is empty")
    }
    // What another filter uses has been tried; its settings are this one's.
    if let known, !known.checksSettings { return }
    let trial: LuaState
    do {
      trial = try LuaState(program)
    } catch {
      throw source.diagnostic(error)
    }
    if trial.checksSettings { try Self.check(tape, given ?? empty, in: trial) }
    if known != nil { return }
    LuaPrograms.add(program, checksSettings: trial.checksSettings)
    if !trial.hasOnRequest && !trial.hasOnResponse && !trial.hasOnLog {
      reader.warn(nil, "\(source.name) defines none of on_request, on_response and on_log, so that it does nothing")
    }
  }

  /// Asks the script about the settings.
  private static func check(_ settings: ValueTape?, _ node: ConfigNode, in state: LuaState) throws {
    do {
      if let problem = try state.check(settings) { throw problem.diagnostic(node) }
    } catch let failure as LuaFailure {
      throw SettingsProblem(failure).diagnostic(node)
    }
  }

  public func makeFilter(_ worker: WorkerContext) throws -> HTTPFilter {
    LuaFilter(use, try LuaStates.state(for: use.program, on: worker), worker)
  }
}
