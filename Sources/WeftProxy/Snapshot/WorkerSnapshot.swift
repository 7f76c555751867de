import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

typealias RuleRef = UnsafeMutablePointer<WorkerRule>
typealias BackendRef = UnsafeMutablePointer<WorkerBackend>
typealias SnapshotRef = Unmanaged<WorkerSnapshot>

/// One backend of a rule on one worker.
struct WorkerBackend: ~Copyable {
  let weight: UInt32
  /// Index in the snapshot's services; -1: the reference does not resolve and its share of requests gets 500.
  let service: Int
  /// The rule's filters, then the backend's own.
  let chain: Unmanaged<FilterChain>

  init(weight: UInt32, service: Int, chain: FilterChain) {
    self.weight = weight
    self.service = service
    self.chain = Unmanaged.passRetained(chain)
  }

  deinit { chain.release() }
}

/// A route rule on one worker.
struct WorkerRule: ~Copyable {
  let name: OwnedBytes
  let backends: BackendRef
  let backendCount: Int
  let totalWeight: UInt32
  /// Milliseconds for the whole exchange; 0: no limit.
  let requestTimeout: UInt32
  /// Milliseconds for one attempt; 0: the service's.
  let backendTimeout: UInt32
  let metrics: RouteMetrics
  let session: SessionSpec?
  let metadata: RouteMetadata?
  /// There is more to do than to run the chain: policies to ask, or a limit on the exchange's time.
  let isGuarded: Bool
  /// Policies have to be asked.
  let asksPolicies: Bool

  init(
    spec: RuleSpec, backends: [(weight: UInt32, service: Int, chain: FilterChain)], metrics: RouteMetrics,
    asksPolicies: Bool
  ) {
    self.asksPolicies = asksPolicies
    isGuarded = asksPolicies || spec.requestTimeout != 0
    name = spec.name
    requestTimeout = spec.requestTimeout
    backendTimeout = spec.backendTimeout
    session = spec.session
    metadata = spec.metadata
    self.metrics = metrics
    backendCount = backends.count
    totalWeight = backends.reduce(0) { $0 &+ $1.weight }
    self.backends = .allocate(capacity: max(backends.count, 1))
    for (i, b) in backends.enumerated() {
      (self.backends + i).initialize(to: WorkerBackend(weight: b.weight, service: b.service, chain: b.chain))
    }
  }

  deinit {
    backends.deinitialize(count: backendCount)
    backends.deallocate()
  }

  /// A backend drawn by weight; nil when no backend has any.
  @inline(__always)
  func pick(_ random: inout WorkerRandom) -> BackendRef? {
    if backendCount == 1 { return totalWeight > 0 ? backends : nil }
    if totalWeight == 0 { return nil }
    var at = random.below(totalWeight)
    var i = 0
    while i < backendCount {
      let weight = backends[i].weight
      if at < weight { return backends + i }
      at &-= weight
      i &+= 1
    }
    return nil
  }
}

/// A snapshot as one worker runs it: built off the worker's thread, handed over whole, given back when the last
/// exchange that started with it has ended.
final class WorkerSnapshot {
  let snapshot: Snapshot
  let rules: RuleRef
  let ruleCount: Int
  /// The route table of each listener.
  let tables: UnsafeMutablePointer<Unmanaged<RouteTable>>
  /// Filled in by the worker when it takes the snapshot over.
  let services: UnsafeMutablePointer<ServiceRef?>
  let serviceCount: Int
  /// The worker's filters by the key under which the next snapshot may take them over.
  let filters: [FilterKey: HTTPFilter]
  /// Exchanges that run on this snapshot, plus one while it is the worker's present one.
  var users = 0
  /// What its filters do by themselves has ended.
  var hasStoppedFilters = false

  private let lease: MetricsLease
  let accessLog: WorkerAccessLog
  let authorization: WorkerAuthorization?

  init(
    snapshot: Snapshot, rules: RuleRef, ruleCount: Int, filters: [FilterKey: HTTPFilter], lease: MetricsLease,
    accessLog: WorkerAccessLog, authorization: WorkerAuthorization?
  ) {
    self.authorization = authorization
    self.lease = lease
    self.accessLog = accessLog
    self.snapshot = snapshot
    self.rules = rules
    self.ruleCount = ruleCount
    self.filters = filters
    tables = .allocate(capacity: max(snapshot.listeners.count, 1))
    for (i, listener) in snapshot.listeners.enumerated() {
      (tables + i).initialize(to: Unmanaged.passUnretained(listener.routes))
    }
    serviceCount = snapshot.services.count
    services = .allocate(capacity: max(serviceCount, 1))
    services.initialize(repeating: nil, count: max(serviceCount, 1))
  }

  deinit {
    rules.deinitialize(count: ruleCount)
    rules.deallocate()
    tables.deallocate()
    services.deallocate()
  }
}
