import Glibc
import Logging
import WeftConfig
import WeftFilter
import WeftIO
import WeftTLS
import WeftTelemetry

/// The thread beside the workers: loads configurations and hands them out, watches files and signals, looks names up,
/// answers the admin endpoint, and notices a worker that is stuck.
final class Supervisor {
  let options: ProxyOptions
  let registry: FilterRegistry
  let log: Logger
  let processLog: ProcessLog
  let metrics = MetricsRegistry()
  let families: ProxyMetrics
  let status: StatusMetrics
  let writer: LogWriter
  let loop: EventLoop
  let mailbox: Mailbox<SupervisorMessage>
  /// Keys for session tickets, which outlive configurations, so that clients resume across them.
  private let tickets: TicketKeys
  private(set) var workers: [WorkerThread] = []

  private(set) var snapshot: Snapshot?
  private(set) var loaded: LoadedConfiguration?
  /// Services whose names have been resolved anew since the snapshot was made, by name.
  private var renewed: [String: ServiceSpec] = [:]
  private(set) var lastReload = ReloadStatus()
  private var version: UInt64 = 0
  private(set) var isDraining = false
  /// The workers drain.
  private var hasBegunDraining = false
  private(set) var isReady = false
  private var exitCode: Int32 = 0
  private let started = MonotonicTime.milliseconds()

  private var signals: SignalSource?
  private var watcher: FileWatcher?
  private var watchedPaths: [String] = []
  private var names: NameTable?
  private var troubles: [Diagnostic] = []
  private(set) var keySets: KeySetTable?
  let health: HealthMonitor
  private var admin: AdminServer?
  /// To be told of the first configuration of a feed.
  private var onReady: ((Supervisor) -> Void)?

  /// Milliseconds that the feed has to say elsewhere that this proxy drains.
  private static let withdrawalTime: UInt64 = 3_000

  /// A worker whose loop has not turned for this long is stuck.
  private static let stallTime: UInt64 = 3_000_000_000
  /// Milliseconds from the first configuration until everything that takes part in the start has run.
  private static let settledAfter: UInt64 = 500

  init(_ options: ProxyOptions, registry: FilterRegistry, writer: LogWriter, processLog: ProcessLog) throws {
    self.options = options
    self.registry = registry
    self.writer = writer
    self.processLog = processLog
    log = processLog.logger("weft")
    families = try ProxyMetrics(metrics)
    status = try StatusMetrics(metrics, version: options.version)
    try writer.register(in: metrics)
    loop = try EventLoop()
    tickets = try TicketKeys()
    health = HealthMonitor(loop: loop, log: log, status: status)
    mailbox = try Mailbox(capacity: 65_536)
  }

  // MARK: Running

  /// Runs until a signal ends it.
  /// - Returns: the exit code.
  func run(onReady: @escaping (Supervisor) -> Void) -> Int32 {
    do {
      // Before any thread starts, so that all of them leave the signals to this one.
      let signals = try SignalSource(Proxy.signals)
      self.signals = signals
      try loop.host(signals)
      signals.onSignal = { [unowned self] in handle(signal: $0) }
      if let limit = try? DescriptorLimit.raise() { log.debug("limit of open files: \(limit)") }
      try loop.add(mailbox.descriptor, readable: true) { [unowned self] _ in readMailbox() }
      let names = try NameTable(loop: loop, log: log, status: status) { [unowned self] in addressesChanged($0) }
      self.names = names
      keySets = KeySetTable(
        loop: loop, log: log, status: status, onKeys: { [unowned self] in give(keysAt: $0, $1) },
        onTrouble: { [unowned self] in tellTroubles() })
    } catch {
      log.critical("cannot start: \(error)")
      return 1
    }
    if let path = options.tlsKeyLog {
      do throws(SystemError) { try TLSKeyLog.enable(path: path) } catch {
        log.critical("cannot start: \(error)")
        return 1
      }
      log.warning("the secrets of all TLS connections are written to \(path): whoever reads it reads the traffic")
    }
    if let feed {
      do { try serveAdmin() } catch {
        log.critical("cannot start: \(error)")
        return 1
      }
      self.onReady = onReady
      defer { self.onReady = nil }
      feed.start { [mailbox] in _ = mailbox.send(.feedChanged) }
      loop.run()
    } else {
      // Before reading, so that a change meanwhile is not missed.
      if options.watchesFiles, case .paths(let paths) = options.source { watch(paths) }
      let first = load()
      guard let snapshot = first.snapshot else {
        for diagnostic in first.diagnostics { log.error("\(diagnostic)") }
        log.critical("the configuration has errors; nothing was started")
        return 1
      }
      do { try begin(snapshot, first) } catch {
        log.critical("cannot start: \(error)")
        stopNow()
        return 1
      }
      onReady(self)
      loop.run()
    }
    for worker in workers { worker.join() }
    writer.flush(timeout: 2_000_000_000)
    return exitCode
  }

  /// Puts the first configuration into force.
  private func begin(_ snapshot: Snapshot, _ first: ConfigurationLoad) throws {
    for warning in first.warnings { log.warning("\(warning)") }
    if workers.isEmpty { try startWorkers() }
    try apply(snapshot, first)
    try serveAdmin()
    if options.watchesFiles { watch(first.watchedPaths, since: first.began) }
    isReady = true
    scheduleWatchdog()
    scheduleTicketRotation()
    // Not at once: workers start on their threads, and the first requests would wait for pages to come back.
    loop.after(Self.settledAfter) { ProcessMemory.releaseStartPages() }
  }

  private func serveAdmin() throws {
    if admin == nil, let address = options.admin { admin = try AdminServer(address, supervisor: self) }
  }

  private func startWorkers() throws {
    let cpus = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    let count = options.workers > 0 ? options.workers : cpus
    let limited = RateLimitedLog(log)
    for index in 0..<count {
      let control = try WorkerControl(index: index, supervisor: mailbox, log: limited)
      let context = ProxyWorkerContext(index: index, count: count, metrics: metrics.makeShard(), logger: log)
      let start = WorkerStart(
        index: index, count: count, control: control, context: context, families: families, log: log)
      workers.append(try WorkerThread(start, cpu: options.pinsWorkers ? index % cpus : nil))
    }
  }

  // MARK: Configuration

  private var feed: (any ConfigurationFeed)? {
    if case .feed(let feed) = options.source { feed } else { nil }
  }

  /// Takes the feed's newest set and puts it into force, or tells the feed why not.
  private func takeSet() {
    guard let feed, !isDraining, let set = feed.take() else { return }
    let load = load(set)
    guard let new = load.snapshot else {
      for error in load.errors.prefix(20) { log.error("\(error)") }
      refuse(load.errors.map(\.description))
      return feed.finished(set, .refused(load.errors))
    }
    let isFirst = !isReady
    do {
      if isFirst { try begin(new, load) } else { try apply(new, load) }
    } catch {
      refuse(["\(error)"])
      let diagnostic = error as? Diagnostic ?? Diagnostic(at: SourceLocation(file: ""), "\(error)")
      return feed.finished(set, .refused([diagnostic]))
    }
    log.info("configuration \(new.version) applied: \(new.summary)")
    feed.finished(set, .applied(load.warnings))
    guard isFirst else { return }
    onReady?(self)
    feed.serving(RunningProxy(metrics: { [metrics] in metrics.snapshot() }))
  }

  private func load(_ set: ConfigurationSet? = nil) -> ConfigurationLoad {
    version += 1
    let load = ConfigurationLoad(
      options, registry: registry, metrics: metrics, logger: log, version: version, resolved: names?.addresses ?? [:],
      previous: snapshot, renewed: renewed, tickets: tickets, set: set)
    return load
  }

  /// Reads the configuration again and puts it into force, or says why not and keeps the one that runs.
  @discardableResult
  func reload(reason: String) -> Bool {
    if isDraining || feed != nil { return false }
    let load = load()
    for warning in load.warnings { log.warning("\(warning)") }
    guard let new = load.snapshot else {
      for error in load.errors { log.error("\(error)") }
      refuse(load.errors.map(\.description))
      // What is wrong may be mended in a file that the configuration in force does not know.
      if options.watchesFiles { watch(Array(Set(watchedPaths + load.watchedPaths)).sorted(), since: load.began) }
      return false
    }
    do { try apply(new, load) } catch {
      log.error("\(error)")
      refuse(["\(error)"])
      return false
    }
    log.notice("configuration \(new.version) applied (\(reason)): \(new.summary)")
    if options.watchesFiles { watch(load.watchedPaths, since: load.began) }
    return true
  }

  private func refuse(_ errors: [String]) {
    log.error(
      snapshot.map { "the new configuration was refused; configuration \($0.version) stays in force" }
        ?? "the first configuration was refused")
    lastReload = ReloadStatus(succeeded: false, errors: errors, at: wallClock())
    status.reloaded("rejected", ok: false)
  }

  private func apply(_ new: Snapshot, _ load: ConfigurationLoad) throws {
    let logs = try AccessLogs(load.loaded.resources.proxy?.accessLog ?? [], writer)
    let builder = WorkerSnapshotBuilder(families: families, lease: metrics.makeLease(), accessLogs: logs)
    let built = try workers.map { try builder.build(new, for: $0.context, previous: $0.filters) }
    let descriptors = try openListeners(new)
    for (i, worker) in workers.enumerated() {
      worker.filters = built[i].filters
      if !worker.control.mailbox.send(.snapshot(SnapshotDelivery(built[i], descriptors: descriptors[i]))) {
        log.critical("worker \(i) takes no messages; it keeps its old configuration")
        for fd in descriptors[i].values { Socket.close(fd) }
      }
    }
    let before = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for service in new.services { service.health?.enter(replacing: before[service.name]?.health) }
    snapshot = new
    renewed = [:]
    health.watch(services)
    loaded = load.loaded
    lastReload = ReloadStatus(
      succeeded: true, errors: [], warnings: load.warnings.map(\.description), at: wallClock())
    status.reloaded("applied", ok: true)
    let servers = NameTable.servers(load.loaded.resources.proxy?.dns)
    names?.want(load.names, servers: servers)
    keySets?.want(new.authorization?.remoteKeySets ?? [], servers: servers)
  }

  /// The services in force, with the addresses that their names have now.
  var services: [ServiceSpec] { (snapshot?.services ?? []).map { renewed[$0.name] ?? $0 } }

  private func addressesChanged(_ resolved: [String: [IPAddress]]) {
    guard let loaded else { return }
    let previous = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    defer { health.watch(services) }
    for spec in ConfigurationCompiler.namedServices(loaded.resources, resolved: resolved, previous: previous) {
      guard let known = snapshot?.services.first(where: { $0.name == spec.name }), !known.isUnusable else { continue }
      let secured = known.tls.map { spec.with($0) } ?? spec
      secured.health?.enter(replacing: previous[spec.name]?.health)
      renewed[spec.name] = secured
      for worker in workers { _ = worker.control.mailbox.send(.endpoints(secured)) }
    }
  }

  private func give(keysAt uri: String, _ keys: [TokenKey]) {
    for worker in workers {
      if !worker.control.mailbox.send(.keys(at: uri, keys)) {
        log.critical("worker \(worker.control.index) takes no messages; it keeps the old keys of \(uri)")
      }
    }
  }

  /// What is wrong now with what is in force, where it has changed.
  private func tellTroubles() {
    let present = keySets?.troubles ?? []
    if present == troubles { return }
    troubles = present
    feed?.troubled(present)
  }

  private func watch(_ paths: [String], since: UInt64 = .max) {
    watchedPaths = paths
    do {
      if watcher == nil {
        let made = try FileWatcher()
        try loop.host(made)
        made.onChange = { [unowned self] _ in reload(reason: "files changed") }
        watcher = made
      }
      watcher?.watch(paths, since: since)
      if let problem = watcher?.problem { log.warning("\(problem)") }
    } catch {
      log.warning("cannot watch the configuration for changes: \(error); send SIGHUP to reload")
    }
  }

  // MARK: Workers

  private func readMailbox() {
    var wanted: Set<String> = []
    var hasSet = false
    mailbox.drain { message in
      switch message {
      case .wants(let host): wanted.insert(host)
      case .misses(let uri): keySets?.miss(uri)
      case .feedChanged: hasSet = true
      case .drainNow: drainNow()
      case .applied, .dispose: break  // a disposed snapshot is freed with the message
      case .stopped(let index):
        workers[index].isStopped = true
        if !isDraining {
          log.critical("worker \(index) has ended; the proxy stops")
          exitCode = 1
          stopNow()
        }
        if workers.allSatisfy(\.isStopped) { loop.stop() }
      }
    }
    if hasSet { takeSet() }
    if !wanted.isEmpty { feed?.wanted(wanted) }
  }

  private func scheduleWatchdog() {
    loop.after(1_000) { [weak self] in
      guard let self else { return }
      let now = MonotonicTime.nanoseconds()
      for worker in workers where !worker.isStopped {
        _ = worker.control.mailbox.send(.tick)
        let last = worker.control.lastHeartbeat
        let isStalled = last != 0 && now > last + Self.stallTime
        if isStalled && !worker.isStalled {
          status.stalled(worker.control.index)
          log.error(
            "worker \(worker.control.index) has not turned for \((now - last) / 1_000_000_000) s; a filter may block it"
          )
        } else if !isStalled && worker.isStalled {
          log.notice("worker \(worker.control.index) turns again")
        }
        worker.isStalled = isStalled
      }
      scheduleWatchdog()
    }
  }

  /// A key encrypts new tickets for an hour, and opens old ones for two more: longer than a ticket lives.
  private func scheduleTicketRotation() {
    loop.after(3_600_000) { [weak self] in
      guard let self else { return }
      do { try tickets.rotate() } catch { log.error("cannot make a new key for session tickets: \(error)") }
      scheduleTicketRotation()
    }
  }

  /// Every endpoint that is given by name has been looked up once, and every key set fetched, or has had its time.
  var namesAreKnown: Bool {
    (names?.isComplete ?? true) && (keySets?.isComplete ?? true) || uptime > 10_000
  }

  var adminAddress: SocketAddress? { admin?.address }

  var hasStalledWorker: Bool { workers.contains(where: \.isStalled) }

  // MARK: Signals and the end

  private func handle(signal: Int32) {
    switch signal {
    case SIGHUP:
      writer.reopen()
      reload(reason: "SIGHUP")
    case SIGUSR1:
      writer.reopen()
      log.notice("log files reopened")
    default:
      if isDraining {
        log.notice("stopping at once")
        stopNow()
      } else {
        drain(reason: signal == SIGINT ? "SIGINT" : "SIGTERM")
      }
    }
  }

  /// Stops accepting, lets what is under way end, then ends the process.
  func drain(reason: String) {
    if isDraining { return }
    isDraining = true
    let limit = snapshot?.settings.drainTimeout ?? 30_000
    log.notice("draining (\(reason)): no new connections, requests under way have \(limit / 1000) s")
    guard let feed else { return drainNow() }
    // Whoever sends requests here learns first that it must not.
    feed.draining { [mailbox] in _ = mailbox.send(.drainNow) }
    loop.after(Self.withdrawalTime) { [weak self] in self?.drainNow() }
  }

  private func drainNow() {
    if hasBegunDraining { return }
    hasBegunDraining = true
    if workers.allSatisfy(\.isStopped) { return loop.stop() }
    let limit = snapshot?.settings.drainTimeout ?? 30_000
    for worker in workers { _ = worker.control.mailbox.send(.drain) }
    loop.after(UInt64(max(limit, 1))) { [weak self] in
      guard let self, !workers.allSatisfy(\.isStopped) else { return }
      log.warning("drain time is over; closing what is left")
      stopNow()
    }
  }

  private func stopNow() {
    isDraining = true
    for worker in workers { _ = worker.control.mailbox.send(.stop) }
    if workers.allSatisfy(\.isStopped) { loop.stop() }
  }

  // MARK: Saying

  var uptime: UInt64 { MonotonicTime.milliseconds() - started }

  private func wallClock() -> UInt64 {
    var ts = timespec()
    clock_gettime(CLOCK_REALTIME, &ts)
    return UInt64(ts.tv_sec)
  }
}

/// How the last attempt to put a configuration into force ended.
struct ReloadStatus {
  var succeeded = true
  var errors: [String] = []
  /// Of the configuration that was applied.
  var warnings: [String] = []
  /// Seconds since 1970.
  var at: UInt64 = 0
}
