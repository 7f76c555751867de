import Foundation
import Logging
import WeftConfig
import WeftProtocol
import WeftProxy

/// What the agent knows and does, one event at a time: keeps up with the control plane, hands the proxy one set after
/// the other, and tells the control plane what became of each.
actor AgentLoop {
  let options: MeshOptions
  let folder: StateFolder
  let log: Logger
  let feed: AgentFeed
  let bundles: BundleStore
  let tell: @Sendable (AgentEvent) -> Void

  var identity: MeshIdentity?
  var held = HeldResources()
  var demand: ServiceDemand
  var revision: UInt64 = 0

  // The stream.
  var stream = 0
  var outgoing: OutgoingMessages?
  var subscribed: Set<Interest> = []
  var answered: Set<Interest> = []
  /// Everything that is wanted has been answered on this stream, or comes from the cache.
  var isComplete = false
  var nonces = DeltaNonces()

  // The proxy.
  var attempt: SetAttempt?
  private var setNumber: UInt64 = 0
  /// What has come since the present attempt was begun is still to be tried.
  private var isStale = false
  /// The Gateway or Service that this proxy is for does not exist.
  private var wasAbsent = false
  var isSettling = false
  var lastGood: [ResourceKey: HeldResource] = [:]
  var rejections: [ResourceKey: ResourceRejection] = [:]
  /// What is in force and does not work at present.
  var troubles: [Diagnostic] = []
  var revisionInForce: UInt64 = 0
  var proxy: RunningProxy?
  var telemetry = TelemetryCollector()
  var telemetryInterval: UInt32 = 0
  /// Versions of bundles that the control plane was told of on this stream, by FilterBundle.
  var reportedBundles: [String: String] = [:]
  /// When figures were sent last.
  var telemetrySent = ContinuousClock.now

  // The workload.
  var isAppHealthy: Bool?
  var appDetail = ""
  var isDraining = false
  var isSavingCache = false

  init(
    _ options: MeshOptions, folder: StateFolder, feed: AgentFeed, bundles: BundleStore, log: Logger,
    tell: @escaping @Sendable (AgentEvent) -> Void
  ) {
    self.options = options
    self.folder = folder
    self.feed = feed
    self.bundles = bundles
    self.log = log
    self.tell = tell
    demand = ServiceDemand(namespace: options.namespace)
    if options.workload?.check == .off { isAppHealthy = true }
  }

  func handle(_ event: AgentEvent) async {
    switch event {
    case .connected(let number, let outgoing): connected(number, outgoing)
    case .received(let number, let message): if number == stream { received(message) }
    case .disconnected(let number): if number == stream { disconnected() }
    case .identity(let new):
      identity = new
      if isComplete { settle() }
    case .settle:
      isSettling = false
      if isComplete { settle() }
    case .saveCache: saveCache()
    case .finished(let number, let outcome): finished(number, outcome)
    case .troubled(let diagnostics):
      troubles = diagnostics
      acknowledge()
    case .wanted(let hosts): if demand.add(hosts, holding: held) { update() }
    case .serving(let proxy):
      self.proxy = proxy
      reportWorkload()
    case .draining(let proceed): drain(proceed)
    case .appHealth(let isHealthy, let detail):
      if isAppHealthy == isHealthy && appDetail == detail { return }
      isAppHealthy = isHealthy
      appDetail = detail
      log.notice("the app is \(isHealthy ? "healthy" : "unhealthy: \(detail)")")
      reportWorkload()
    case .bundle(let fetched):
      bundles.finished(fetched)
      report(fetched)
      if fetched.problem != nil { retryBundlesLater() }
      if let failure = fetched.refreshFailure {
        log.warning("the signatures of the bundle \(fetched.want.name) cannot be fetched anew: \(failure)")
        retryBundlesLater()
      }
      update()
      if isComplete { settleSoon() }
    case .retryBundles:
      bundles.retry()
      if isComplete { settleSoon() }
    case .sendTelemetry(let number): if number == stream { sendTelemetry() }
    }
  }

  // MARK: Start

  /// Begins with what the last run left, if it left anything.
  func begin(_ identity: MeshIdentity?) {
    self.identity = identity
    guard identity != nil, let cache = AgentCache.load(folder) else { return }
    held = cache.held
    revision = cache.revision
    demand.restore(cache.demanded)
    bundles.restore(
      cache.bundles, earlier: cache.earlierBundles ?? [:], held.all(ResourceType.filterBundle), trust: trust)
    isComplete = true
    log.notice("starting from the last good configuration (revision \(cache.revision)) until the control plane answers")
    settle()
  }

  // MARK: Sets

  /// Changes come in bursts: waits a moment for the rest.
  func settleSoon() {
    if isSettling { return }
    isSettling = true
    let tell = tell
    Task {
      try? await Task.sleep(for: .milliseconds(20))
      tell(.settle)
    }
  }

  /// Whose signatures the proxy wants, as its settings say; empty: nobody's.
  private var trust: String {
    let spec = Closure.proxy(options, held)?.content["spec"]
    guard let keys = spec?["trustedKeys"] else { return "" }
    let value: JSONValue = ["keys": keys, "rule": spec?["requireSignature"] ?? .null]
    return value.text
  }

  /// Builds a set of what there is and gives it to the proxy.
  func settle() {
    guard let identity else { return }
    if attempt != nil {
      isStale = true
      return
    }
    if let missing = bundles.missing(held, trust: trust) { return bundles.fetch(missing, tell) }
    begin(SetAttempt(held, options: options), identity)
  }

  private func begin(_ new: SetAttempt, _ identity: MeshIdentity) {
    setNumber += 1
    var new = new
    new.number = setNumber
    new.revision = revision
    attempt = new
    let own = SidecarDocuments(
      options: options, peerAuthentication: PeerMode.resolve(options, new.resources.values.map { $0 }))
    let uses = bundles.uses(new.bundles, proxy: options.id)
    let set = ConfigurationSet(
      number: setNumber, documents: own.documents(identity: identity) + new.documents(own),
      bundles: uses.places, rollouts: uses.rollouts, absentHosts: demand.absent(held, answered: answered))
    feed.offer(set)
  }

  private func finished(_ number: UInt64, _ outcome: ConfigurationOutcome) {
    guard var present = attempt, present.number == number else { return }
    attempt = nil
    switch outcome {
    case .applied(let warnings):
      for warning in warnings.prefix(20) { log.debug("\(warning)") }
      lastGood = present.resources
      bundles.inForce(present.bundles)
      bundles.prune(present.bundles, held.all(ResourceType.filterBundle))
      rejections = present.rejections.merging(bundles.problems(present.bundles)) { refused, _ in refused }
      revisionInForce = present.revision
      warnOfAbsence()
      acknowledge()
      reportBundles()
      cacheSoon()
      reportWorkload()
    case .refused(let diagnostics):
      let own = diagnostics.filter { $0.location.file.hasPrefix(SidecarDocuments.sourcePrefix) }
      if !own.isEmpty { return refusedOwn(own) }
      if present.blame(diagnostics, lastGood: lastGood), let identity {
        return begin(present, identity)
      }
      rejections = present.rejections
      log.error("the control plane's configuration cannot be used, even without what is wrong with it")
      acknowledge()
    }
    if isStale {
      isStale = false
      settle()
    }
  }

  /// A proxy whose own resource is not there serves nothing, which looks like success: a typing error, mostly.
  private func warnOfAbsence() {
    let name = "\(options.namespace)/\(options.name)"
    let isGateway = options.kind == .gateway
    let types = isGateway ? [ResourceType.gateway] : [ResourceType.service, ResourceType.weftService]
    let isAbsent = !types.contains { held[$0, name] != nil }
    defer { wasAbsent = isAbsent }
    if !isAbsent || wasAbsent { return }
    let rest = isGateway ? "nothing is served until it is applied" : "nobody finds this instance until it is applied"
    log.warning("the control plane has no \(isGateway ? "Gateway" : "Service") \(name): \(rest)")
  }

  /// What the agent itself adds cannot be used, such as a port that is taken: nobody else's fault, and it may pass.
  private func refusedOwn(_ diagnostics: [Diagnostic]) {
    for diagnostic in diagnostics.prefix(20) { log.error("\(diagnostic); trying again in 5 s") }
    isStale = false
    let tell = tell
    Task {
      try? await Task.sleep(for: .seconds(5))
      tell(.settle)
    }
  }

  private func retryBundlesLater() {
    let tell = tell
    Task {
      try? await Task.sleep(for: .seconds(30))
      tell(.retryBundles)
    }
  }

  // MARK: Cache

  private func cacheSoon() {
    if isSavingCache { return }
    isSavingCache = true
    let tell = tell
    Task {
      try? await Task.sleep(for: .milliseconds(500))
      tell(.saveCache)
    }
  }

  func saveCache() {
    isSavingCache = false
    let resources = lastGood.values.sorted { ($0.type, $0.name) < ($1.type, $1.name) }
    let cache = AgentCache(
      revision: revisionInForce,
      resources: resources.map {
        .init(type: $0.type, name: $0.name, version: $0.version, body: String(decoding: $0.body, as: UTF8.self))
      },
      demanded: demand.names, bundles: bundles.known, earlierBundles: bundles.earlier)
    do { try cache.save(folder) } catch { log.error("the last good configuration cannot be kept: \(error)") }
  }
}
