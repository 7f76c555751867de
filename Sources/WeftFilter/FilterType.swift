import Logging
import WeftBundle
import WeftConfig
import WeftIO
import WeftTelemetry

/// A kind of filter: decodes its configuration once, off the data path, and makes the filters that run.
///
/// ```swift
/// struct Stamp: FilterType {
///   static let name = "stamp"
///   let value: OwnedBytes
///
///   init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
///     value = OwnedBytes(reader.string("value"))
///   }
///
///   func makeFilter(_ worker: WorkerContext) -> HTTPFilter { StampFilter(self) }
/// }
/// ```
public protocol FilterType: Sendable {
  /// What `spec.type` of a Filter resource says: lower case, words joined by hyphens.
  static var name: String { get }

  /// Decodes the `config` of a Filter resource. Mistakes are recorded in the reader, or thrown with their place; fields
  /// that nobody reads are reported by the caller.
  init(_ reader: ObjectReader, _ context: FilterTypeContext) throws

  /// A filter for one worker. Called off the worker's thread, before the configuration is put into force; an error
  /// refuses the configuration.
  func makeFilter(_ worker: WorkerContext) throws -> HTTPFilter

  /// What besides the configuration's text decides how the filter behaves, such as the digest of a file that it names:
  /// running filters are carried over to a new configuration as long as neither changes.
  var fingerprint: String { get }

  /// Files and folders that the filter was read from, to be watched for changes.
  var watchedPaths: [String] { get }

  /// The bundle that the filter runs, for the admin endpoint; nil when it runs none.
  var bundle: BundleSummary? { get }
}

extension FilterType {
  public var fingerprint: String { "" }
  public var watchedPaths: [String] { [] }
  public var bundle: BundleSummary? { nil }
}

/// What a filter type may ask while it decodes its configuration.
public struct FilterTypeContext: Sendable {
  /// `namespace/name` of the Filter resource, or the place in the route of a filter that has none.
  public let name: String
  public let namespace: String
  /// Where filters register their metrics.
  public let metrics: MetricsRegistry
  public let logger: Logger
  /// Finds the bundles that a configuration names.
  public let bundles: BundleCatalog
  /// Names that `service(_:port:)` may find; nil: any.
  private let findService: @Sendable (_ namespace: String, _ name: String, _ port: Int?) -> ServiceReference?

  public init(
    name: String, namespace: String = "default", metrics: MetricsRegistry, logger: Logger,
    bundles: BundleCatalog = BundleCatalog(),
    findService: @escaping @Sendable (_ namespace: String, _ name: String, _ port: Int?) -> ServiceReference? = {
      ServiceReference("\($0)/\($1)" + ($2.map { ":\($0)" } ?? ""))
    }
  ) {
    self.name = name
    self.namespace = namespace
    self.metrics = metrics
    self.logger = logger
    self.bundles = bundles
    self.findService = findService
  }

  /// The service of that name and port; nil when configuration has none.
  /// - Parameter namespace: nil: the filter's own.
  public func service(_ name: String, namespace: String? = nil, port: Int? = nil) -> ServiceReference? {
    findService(namespace ?? self.namespace, name, port)
  }
}
