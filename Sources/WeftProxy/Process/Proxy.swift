import Glibc
import Logging
import WeftBundle
import WeftConfig
import WeftFilter
import WeftIO
import WeftTelemetry

/// A proxy process: what `weft run` starts. One a process, for it takes the process's signals.
public enum Proxy {
  /// What a start has led to, to be shown to the user.
  public struct Summary: Sendable {
    public var listeners: [(name: String, address: String)]
    public var rules: Int
    public var filters: [(name: String, type: String)]
    public var services: [(name: String, endpoints: Int)]
    public var workers: Int
    public var admin: String?
  }

  /// The signals that a proxy takes.
  static let signals = [SIGTERM, SIGINT, SIGHUP, SIGUSR1]

  /// To be called first by a program that starts threads of its own before `run`, on the thread that will run the proxy:
  /// a signal that reached one of them would end the process at once.
  public static func reserveSignals() throws { try SignalSource.block(signals) }

  /// Runs until SIGTERM or SIGINT.
  /// - Parameter onReady: called once traffic is served.
  /// - Returns: the exit code: 0 after a drain, 1 when it could not start or a worker failed.
  /// - Throws: `SystemError` when the system has nothing to run on.
  public static func run(
    _ options: ProxyOptions, registry: FilterRegistry, writer: LogWriter, log: ProcessLog,
    onReady: @escaping (Summary) -> Void
  ) throws -> Int32 {
    let supervisor = try Supervisor(options, registry: registry, writer: writer, processLog: log)
    return supervisor.run { onReady($0.startSummary) }
  }

  /// Reads and compiles a configuration without running it.
  public static func check(
    _ options: ProxyOptions, registry: FilterRegistry, log: Logger
  ) -> (diagnostics: [Diagnostic], summary: String) {
    let load = ConfigurationLoad(options, registry: registry, metrics: MetricsRegistry(), logger: log)
    return (load.diagnostics, load.snapshot?.summary ?? "")
  }

  /// Compiles what was read elsewhere, and gives what only compiling finds: mistakes in the configurations of filters,
  /// in certificates and routes.
  /// - Parameters:
  ///   - bundles: the archive of each FilterBundle; nil: in no mesh.
  ///   - rollouts: moves to other versions, by FilterBundle.
  public static func check(
    _ loaded: LoadedConfiguration, bundleFolders: [String], bundles: [ResourceName: String]? = nil,
    rollouts: [ResourceName: BundleRollout] = [:],
    registry: FilterRegistry, log: Logger
  ) -> [Diagnostic] {
    var compiler = ConfigurationCompiler(
      resources: loaded.resources, registry: registry, metrics: MetricsRegistry(), logger: log,
      bundleFolders: bundleFolders, bundles: bundles, rollouts: rollouts)
    _ = compiler.compile(version: 1)
    return compiler.diagnostics + AccessLogs.check(loaded.resources.proxy?.accessLog ?? [])
  }
}

extension Snapshot {
  /// What it holds, in a line.
  var summary: String {
    func count(_ n: Int, _ noun: String) -> String { "\(n) \(noun)\(n == 1 ? "" : "s")" }
    return [
      count(listeners.count, "listener"), count(rules.count, "route rule"), count(filters.count, "filter"),
      count(services.count, "service"),
    ].joined(separator: ", ")
  }
}

extension Supervisor {
  var startSummary: Proxy.Summary {
    let s = snapshot
    return Proxy.Summary(
      listeners: s?.listeners.map { ($0.name.bytes.string, $0.address.description) } ?? [],
      rules: s?.rules.count ?? 0,
      filters: s?.filters.map { ($0.key.name, $0.key.type) } ?? [],
      services: s?.services.map { ($0.name, $0.addresses.count) } ?? [], workers: workers.count,
      admin: adminAddress?.description)
  }
}
