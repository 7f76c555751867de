import Logging
import WeftConfig
import WeftFilter
import WeftIO
import WeftTLS
import WeftTelemetry

/// Reading, validating and compiling a configuration: what `weft run`, a reload and `weft check` share.
struct ConfigurationLoad {
  let loaded: LoadedConfiguration
  /// nil when there was an error.
  let snapshot: Snapshot?
  /// Errors and warnings of all steps.
  let diagnostics: [Diagnostic]
  /// Names whose addresses are wanted.
  let names: [String: NameRefresh]
  /// What the route tables are made from.
  let routes: [ListenerPorts.Routes]
  /// When reading began, in milliseconds since 1970.
  let began: UInt64
  /// Files and folders to watch.
  let watchedPaths: [String]

  var errors: [Diagnostic] { diagnostics.filter { $0.severity == .error } }
  var warnings: [Diagnostic] { diagnostics.filter { $0.severity == .warning } }

  init(
    _ options: ProxyOptions, registry: FilterRegistry, metrics: MetricsRegistry, logger: Logger, version: UInt64 = 1,
    resolved: [String: [IPAddress]] = [:], previous: Snapshot? = nil, renewed: [String: ServiceSpec] = [:],
    tickets: TicketKeys? = nil, set: ConfigurationSet? = nil
  ) {
    began = UnixTime.nanoseconds() / 1_000_000
    switch options.source {
    case .paths(let paths): loaded = ConfigLoader.load(paths: paths)
    case .commandLine(let listen, let to, let filters):
      loaded = ConfigLoader.load(listen: listen, to: to, filters: filters)
    case .feed: loaded = ConfigLoader.load(documents: set?.documents ?? [], sources: set?.sources ?? [])
    }
    var found = loaded.diagnostics
    var compiler = ConfigurationCompiler(
      resources: loaded.resources, registry: registry, metrics: metrics, logger: logger,
      bundleFolders: options.bundleFolders, bundles: set?.bundles,
      rollouts: set?.rollouts ?? [:], resolved: resolved, previous: previous, renewed: renewed, tickets: tickets,
      labels: options.labels)
    // Compiled even when there are errors, so that one run reports everything.
    let compiled = compiler.compile(version: version, onDemand: set.map { MeshOnDemand(absent: $0.absentHosts) })
    found += compiler.diagnostics
    found += AccessLogs.check(loaded.resources.proxy?.accessLog ?? [])
    if options.isStrict {
      found = found.map { d in
        var d = d
        d.severity = .error
        return d
      }
    }
    var seen: Set<Diagnostic> = []
    diagnostics = found.filter { seen.insert($0).inserted }
    snapshot = diagnostics.contains { $0.severity == .error } ? nil : compiled
    names = compiler.names
    routes = compiler.routes
    var paths = loaded.files + loaded.folders + compiler.watchedPaths.sorted()
    if case .paths(let given) = options.source { paths += given }
    watchedPaths = Array(Set(paths)).sorted()
  }
}
