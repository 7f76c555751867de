import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import Logging
import Synchronization
import WeftIO
import WeftIdentity
import WeftStore

/// The control plane as a whole: store, certificate authority, discovery; and whatever is served beside them.
public final class ControlPlane: Sendable {
  public struct Options: Sendable {
    public enum Storage: Sendable {
      /// SQLite in the data folder.
      case embedded
      /// - Parameter timeout: of each call to etcd.
      case etcd(endpoints: [String], tls: EtcdStore.TLS, timeout: Duration = .seconds(5))
    }

    /// For the embedded store, the key file and bundles.
    public var dataFolder: String
    public var storage = Storage.embedded
    /// Where proxies connect.
    public var discovery: ListenAddress
    /// Further names and addresses under which proxies reach it.
    public var advertised: [String] = []
    /// nil: `ca.key-file` in the data folder.
    public var keyFile: String?
    public var authority = Authority.Options()
    /// Tells replicas apart.
    public var replica = ProcessInfo.processInfo.hostName
    /// Of the program.
    public var version = ""

    public init(dataFolder: String, discovery: ListenAddress) {
      self.dataFolder = dataFolder
      self.discovery = discovery
    }
  }

  public let options: Options
  public let store: any Store
  public let authority: Authority
  public let telemetry: TelemetryAggregator
  public let blobs: BlobStore
  /// What was pushed.
  public let registry: BundleRegistry
  /// What is known of proxies, of all replicas.
  public var status: any MeshStatus { view }
  /// Where proxies connect, with the port that it got.
  public let discovery: ListenAddress
  let hub: DiscoveryHub
  private let view: ReplicaView
  private let bundles: BundleSource
  private let workloads: WorkloadRegistrar
  private let tls: ServerTLS
  private let server: GRPCServer<HTTP2ServerTransport.Posix>
  private let log: Logger
  private let stopping: AsyncStream<Void>
  private let stopper: AsyncStream<Void>.Continuation
  private let isStopping = Atomic(false)

  /// Opens the store and the authority, and binds the port. Nothing is served before `run`.
  /// - Throws: `IdentityError` or `StoreError`, each with what to do.
  public static func open(_ options: Options, log: Logger) async throws -> ControlPlane {
    var view = ReplicaView.Options()
    if case .etcd = options.storage { view.isShared = true }
    return try await open(
      options, hub: DiscoveryHub.Options(), workloads: WorkloadRegistrar.Options(), view: view, log: log)
  }

  static func open(
    _ options: Options, hub: DiscoveryHub.Options, workloads: WorkloadRegistrar.Options,
    view: ReplicaView.Options = ReplicaView.Options(), log: Logger
  ) async throws -> ControlPlane {
    try makeFolder(options.dataFolder)
    let socket = try ListeningSocket.open(options.discovery, for: "discovery (--discovery)")
    var owned = true
    defer { if owned { close(socket.descriptor) } }
    let store: any Store
    switch options.storage {
    case .embedded: store = try await SQLiteStore(folder: options.dataFolder, log: log)
    case .etcd(let endpoints, let tls, let timeout):
      store = try EtcdStore(endpoints: endpoints, tls: tls, timeout: timeout, log: log)
    }
    do {
      let plane = try await ControlPlane(
        options, store: store, socket: socket.descriptor, at: options.discovery.with(port: socket.port), hub: hub,
        workloads: workloads, view: view, log: log)
      owned = false
      return plane
    } catch {
      await store.close()
      throw error
    }
  }

  private init(
    _ options: Options, store: any Store, socket: Int32, at address: ListenAddress,
    hub hubOptions: DiscoveryHub.Options,
    workloads workloadOptions: WorkloadRegistrar.Options, view viewOptions: ReplicaView.Options, log: Logger
  ) async throws {
    self.options = options
    self.store = store
    self.log = log
    discovery = address
    let isNew = try await store.get(AuthorityRecord.key, at: nil) == nil
    let sealing = try KeyFile.open(options.keyFile ?? "\(options.dataFolder)/ca.key-file", isNew: isNew)
    authority = try await Authority(store, sealing: sealing, options: options.authority, log: log)
    telemetry = TelemetryAggregator()
    blobs = BlobStore(folder: "\(options.dataFolder)/blobs")
    // Other replicas of the same store need the archives, too.
    let shared: SharedBlobs? =
      if case .etcd = options.storage { SharedBlobs(store: store, blobs: blobs, log: log) } else { nil }
    registry = BundleRegistry(store, blobs: blobs, shared: shared)
    bundles = BundleSource(registry)
    workloads = WorkloadRegistrar(store, options: workloadOptions, log: log)
    var discovery = hubOptions
    discovery.replica = options.replica
    discovery.version = options.version
    hub = DiscoveryHub(
      store, trustDomain: authority.trustDomain, workloads: workloads, telemetry: telemetry, options: discovery,
      log: log)
    view = ReplicaView(hub, store, replica: options.replica, options: viewOptions, log: log)
    let names = ServerNames(listening: options.discovery, advertised: options.advertised)
    tls = try await ServerTLS(authority, names: names.dns, addresses: names.addresses, log: log)
    let hub = hub
    let audit = IdentityAudit(store, log: log)
    await authority.setRevocationHandler { await hub.cut(namespace: $0, name: $1, since: $2) }
    server = GRPCServer(
      transport: DiscoveryTransport.make(socket, tls),
      services: [
        DiscoveryService(hub: hub, authority: authority, bundles: bundles, audit: audit),
        IdentityService(
          authority: authority, store: store, audit: audit, log: log,
          report: { await hub.report($0, $1, $2, $3) }),
      ])
    (stopping, stopper) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  private static func makeFolder(_ path: String) throws(IdentityError) {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      // The library's own words hide which of the system's reasons it was.
      let reason = mkdir(path, 0o700) == 0 || errno == EEXIST ? "\(error)" : String(cString: strerror(errno))
      throw IdentityError(
        "cannot make the data folder \(path): \(reason); name another with --data")
    }
    guard access(path, W_OK | X_OK) == 0 else {
      throw IdentityError("the data folder \(path) cannot be written to; name another with --data, or change its owner")
    }
  }

  /// Serves until `stop`.
  /// - Parameter others: services beside discovery. When one ends or fails, all end.
  public func run(with others: [@Sendable (ControlPlane) async throws -> Void] = []) async throws {
    var parts = [
      ServiceSet.Part("discovery's view of the store") { await self.hub.follow() },
      ServiceSet.Part("workloads' leases") { await self.workloads.run() },
      ServiceSet.Part("the view of other replicas") { await self.view.run() },
      ServiceSet.Part("the certificate authority") { await self.authority.run() },
      ServiceSet.Part("the server's certificate") { await self.tls.run() },
      ServiceSet.Part("the sweeper") { await self.sweep() },
      ServiceSet.Part("discovery's server") { try await self.serve() },
      ServiceSet.Part("the goodbye") { await self.end() },
    ]
    if let shared = registry.shared { parts.append(ServiceSet.Part("shared archives") { await shared.run() }) }
    for other in others { parts.append(ServiceSet.Part("the API and rollouts") { try await other(self) }) }
    let result = await ServiceSet(parts, patience: Self.patience, log: log).run()
    // What it has acknowledged lies on disk: nothing is lost when it cannot be closed in order.
    let closing = [
      ServiceSet.Part("the store") { await self.store.close() },
      ServiceSet.Part("waiting for it") { try await Task.sleep(for: Self.patience) },
    ]
    _ = await ServiceSet(closing, patience: .seconds(1), log: log).run()
    try result.get()
  }

  /// How long whatever has been told to end may take. A request, a call or a store that hangs holds up nothing for longer.
  private static let patience = Duration.seconds(10)

  /// Says goodbye to proxies, which connect to another replica or come back later, and ends.
  public func stop() {
    isStopping.store(true, ordering: .relaxed)
    stopper.finish()
  }

  private func serve() async throws {
    do { try await server.serve() } catch {
      // Told to end before it had begun.
      if !isStopping.load(ordering: .relaxed) { throw error }
    }
  }

  /// Waits for `stop`, and then for streams to end, not for long.
  private func end() async {
    for await _ in stopping {}
    await hub.shutDown("the control plane stops")
    for _ in 0..<50 {
      if await hub.figures.streams == 0 { break }
      do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
    }
    // Told to end while it takes its socket over, the library closes the socket and then goes on to serve it, which an
    // assertion of its own forbids. `serve` has been started with this task and answers in any case.
    _ = try? await server.transport.listeningAddress
    server.beginGracefulShutdown()
    // The server ends when its last call has, and takes everything with it; calls that hang are cut then.
    try? await Task.sleep(for: .seconds(3))
  }

  private func sweep() async {
    var (opened, quiet, sinceRelease): (UInt64, Int, Int) = (0, 0, 0)
    while !Task.isCancelled {
      do { try await Task.sleep(for: .seconds(1)) } catch { return }
      await hub.sweep()
      // Proxies that connect, and changes that go to all of them, need memory for a moment.
      let now = await hub.opened
      quiet = now == opened ? quiet + 1 : 0
      opened = now
      sinceRelease += 1
      if opened > 0, quiet == 5 || quiet > 5 && sinceRelease >= 15 {
        sinceRelease = 0
        ProcessMemory.releaseStartPages()
      }
    }
  }
}
