import WeftBundle
import WeftConfig
import WeftTelemetry

/// Where a proxy's configuration comes from when it does not come from files: the agent of a mesh.
///
/// The supervisor calls the methods on its own thread; none may block.
public protocol ConfigurationFeed: AnyObject, Sendable {
  /// Called once, before anything else.
  /// - Parameter changed: to be called, from any thread, when there is a new set.
  func start(_ changed: @escaping @Sendable () -> Void)

  /// The newest set that has not been taken yet; nil when there is none.
  func take() -> ConfigurationSet?

  /// What became of a set. A set that was refused is followed by another one when the feed has one without what was
  /// wrong; until then the last good one stays in force.
  func finished(_ set: ConfigurationSet, _ outcome: ConfigurationOutcome)

  /// What is in force and does not work at present, such as keys that cannot be fetched. Each names by its location's file
  /// the source that it is about. Replaces what was said before.
  func troubled(_ diagnostics: [Diagnostic])

  /// Requests wait for services of the mesh that the configuration in force does not know. Called again as long as
  /// requests for them come.
  /// - Parameter hosts: as the requests named them, in lower case, without port; at most a few hundred.
  func wanted(_ hosts: Set<String>)

  /// The proxy serves: the first set is in force.
  func serving(_ proxy: RunningProxy)

  /// The proxy drains: no new connections come. Called before listeners close.
  /// - Parameter proceed: to be called, from any thread, once others know that no requests are wanted.
  func draining(_ proceed: @escaping @Sendable () -> Void)
}

/// All documents of one configuration.
public struct ConfigurationSet: Sendable {
  /// Counts up; the feed's own number.
  public let number: UInt64
  public let sources: [String]
  public let documents: [ConfigDocuments]
  /// The folder or archive of each FilterBundle, verified.
  public let bundles: [ResourceName: String]
  /// Moves of bundles to other versions, by FilterBundle.
  public let rollouts: [ResourceName: BundleRollout]
  /// Hosts of which the control plane says that no service is called so.
  public let absentHosts: Set<String>

  /// - Parameter documents: each under the name that its locations, and so diagnostics, give.
  public init(
    number: UInt64, documents: [(source: String, document: ConfigDocuments)], bundles: [ResourceName: String] = [:],
    rollouts: [ResourceName: BundleRollout] = [:], absentHosts: Set<String> = []
  ) {
    self.number = number
    sources = documents.map(\.source)
    self.documents = documents.map(\.document)
    self.bundles = bundles
    self.rollouts = rollouts
    self.absentHosts = absentHosts
  }
}

/// How the attempt to put a set into force ended.
public enum ConfigurationOutcome: Sendable {
  /// Handed to every worker, which runs it from its next event on. With warnings.
  case applied([Diagnostic])
  /// Each error names by its location's file the source that it is about; one that names none is about the whole.
  case refused([Diagnostic])
}

/// What an agent may ask of the proxy that runs, from any thread.
public struct RunningProxy: Sendable {
  /// All figures at this moment.
  public let metrics: @Sendable () -> MetricsSnapshot

  public init(metrics: @escaping @Sendable () -> MetricsSnapshot) { self.metrics = metrics }
}
