import WeftBundle
import WeftConfig
import WeftFilter
import WeftTelemetry

/// What a Filter's `config` says besides naming a script: the same for every version of the script that runs under it.
struct LuaConfiguration {
  private let context: FilterTypeContext
  private let limits: (BundleLimits) -> BundleLimits?
  private let onError: LuaFilterType.ErrorPolicy
  private let trip: LuaTripPolicy
  private let clearsRoute: Bool
  private let settings: ConfigNode
  private let metrics: LuaMetrics

  init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    self.context = context
    limits = { defaults in reader.optional("limits") { try BundleLimits($0, defaults: defaults) } }
    onError = reader.enumeration("onError", default: .deny)
    let policy = onError
    trip = reader.optional("trip") { try LuaTripPolicy($0, policy) } ?? LuaTripPolicy(policy)
    clearsRoute = reader.bool("clearRouteCache", default: false)
    settings =
      reader.rawNode("settings")
      ?? .empty(at: reader.location(of: "settings"), path: reader.node.path.appending("settings"))
    metrics = try LuaMetrics(context.metrics)
  }

  var registry: MetricsRegistry { context.metrics }

  /// The use of a script, after it was tried with the settings.
  /// - Parameter isShadow: it runs without effect: with metrics and shared dictionaries of its own, without services.
  func use(of source: LuaSource, _ reader: ObjectReader, isShadow: Bool = false) throws -> LuaFilterUse {
    let limits = limits(source.limits) ?? source.limits
    let values = try source.settings(settings)
    let services = try source.services(reader, context)
    // What runs without effect counts nowhere, and shares its dictionaries with nobody.
    let registry = isShadow ? MetricsRegistry() : context.metrics
    let metrics = isShadow ? try LuaMetrics(registry) : metrics
    let shared = SharedSpace.of(source.name, in: registry)
    shared.resize(source.sharedSizes)
    let made = LuaProgram(
      name: source.name, entry: source.entry, sources: source.files,
      digest: source.digest, limits: limits, namespace: source.namespace,
      surroundings: LuaSurroundings(
        shared: shared, sharedSizes: source.sharedSizes, registry: registry, metrics: metrics,
        logger: context.logger))
    let known = LuaPrograms.find(made)
    let program = known?.program ?? made
    var tape: ValueTape?
    if let values {
      var written = ValueTape()
      written.append(values)
      tape = written
    }
    let use = LuaFilterUse(
      program: program, settings: tape, onError: onError, trip: trip, clearsRoute: clearsRoute,
      services: isShadow ? [:] : services, filterName: context.name, logger: context.logger, metrics: metrics)

    // As an editor leaves it between emptying a file and writing it.
    if source.files.contains(where: { $0.path == source.entry && $0.text.isEmpty }) {
      throw reader.node.error("\(source.place): \(source.entry) is empty")
    }
    // What another filter uses has been tried; its settings are this one's.
    if let known, !known.checksSettings { return use }
    let trial: LuaState
    do {
      trial = try LuaState(program)
    } catch {
      throw source.diagnostic(error)
    }
    if trial.checksSettings { try Self.check(tape, settings, in: trial) }
    if known != nil { return use }
    LuaPrograms.add(program, checksSettings: trial.checksSettings)
    if !trial.hasOnRequest && !trial.hasOnResponse && !trial.hasOnLog {
      reader.warn(nil, "\(source.name) defines none of on_request, on_response and on_log, so that it does nothing")
    }
    return use
  }

  /// Asks the script about the settings.
  private static func check(_ settings: ValueTape?, _ node: ConfigNode, in state: LuaState) throws {
    do {
      if let problem = try state.check(settings) { throw problem.diagnostic(node) }
    } catch let failure as LuaFailure {
      throw SettingsProblem(failure).diagnostic(node)
    }
  }
}
