import WeftIO

/// What a proxy process is started with.
public struct ProxyOptions: Sendable {
  public enum Source: Sendable {
    /// Files and folders.
    case paths([String])
    /// `weft run --listen ... --to ...`.
    case commandLine(listen: [String], to: [String], filters: [String])
    /// Sets of documents, one after the other; the proxy waits for the first.
    case feed(any ConfigurationFeed)
  }

  public var source: Source
  /// Event loops; 0: as many as the process has CPUs.
  public var workers = 0
  /// nil: no admin endpoint.
  public var admin: SocketAddress?
  /// Reload when files change.
  public var watchesFiles = true
  /// Warnings count as errors.
  public var isStrict = false
  /// Folders in which bundles are looked up by name.
  public var bundleFolders: [String] = []
  public var version = "0.0.0"
  /// A file for the secrets of all TLS connections; nil: none is written.
  public var tlsKeyLog: String?
  /// Labels of the workload that the proxy stands beside, by which policies select it.
  public var labels: [String: String] = [:]
  /// Keep each worker on a CPU of its own.
  public var pinsWorkers = false

  public init(source: Source) { self.source = source }
}
