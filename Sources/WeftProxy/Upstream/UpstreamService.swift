import WeftFilter
import WeftHTTP
import WeftIO
import WeftTLS

typealias ServiceRef = UnsafeMutablePointer<UpstreamService>

/// A service on one worker: its endpoints, their connections, the requests that wait for one. Lives on from one
/// snapshot to the next as long as its name does.
struct UpstreamService: ~Copyable {
  let name: OwnedBytes
  private(set) var spec: ServiceSpec
  /// Snapshots that list the service.
  var references = 0
  var metrics: ServiceMetrics

  private(set) var endpoints: ContiguousArray<EndpointRef> = []
  private var cursor = 0
  private var numbers = 0
  private var weighted = false
  private var totalWeight: UInt32 = 0
  /// The endpoint that is being chosen must be available.
  private var leavesOut = false

  // A worker's share of the limits.
  private(set) var maxConnections = 0
  private(set) var maxPending = 0
  private(set) var maxIdle = 0
  /// 0: no limit.
  private(set) var maxRequests = 0
  private(set) var maxRetries = 0
  var connections = 0
  /// Requests under way.
  var active = 0
  /// Retries under way.
  var retries = 0

  // Exchanges that wait for a connection, first come first served. Stale references are skipped.
  private var pending: ContiguousArray<ExchangeReference> = []
  private var pendingHead = 0

  init(_ spec: ServiceSpec, metrics: ServiceMetrics) {
    self.spec = spec
    self.metrics = metrics
    name = OwnedBytes(spec.name)
  }

  var loadBalancing: LoadBalancing { spec.loadBalancing }
  /// Exchanges that wait for a connection.
  private(set) var pendingCount = 0
  @inline(__always) var timeouts: ServiceSpec.Timeouts { spec.timeouts }
  @inline(__always) var tls: TLSClientContext? { spec.tls }
  /// The number of the TLS context; 0: connections are plain.
  private(set) var tlsOwner: UInt64 = 0
  var keepAlive: ServiceSpec.KeepAlive { spec.keepAlive }
  private(set) var isHTTP2 = false
  /// Its endpoints choose the version of HTTP in the TLS handshake.
  private(set) var negotiates = false
  /// Connections begin with such a header, and none of them is used for another client.
  private(set) var proxyProtocol: ProxyProtocolHeader.Version?
  /// Kept alive by `spec`.
  private var health: Unmanaged<ServiceHealth>?
  /// How answers judge endpoints; nil: they do not.
  private(set) var outlier: OutlierDetection?
  @inline(__always) var maxRequestsPerConnection: Int { spec.limits.maxRequestsPerConnection }

  /// Takes over a new specification.
  /// - Returns: endpoints that are no longer in it; the caller closes their idle connections and frees them once their
  ///   last connection is gone.
  mutating func update(_ new: ServiceSpec, service: ServiceRef, workers: Int) -> [EndpointRef] {
    spec = new
    isHTTP2 = new.isHTTP2
    negotiates = new.negotiates && new.tls != nil
    proxyProtocol = new.proxyProtocol
    tlsOwner = new.tls?.number ?? 0
    maxConnections = max(1, (new.limits.maxConnections + workers - 1) / workers)
    maxPending =
      new.limits.maxPendingRequests == 0 ? 0 : max(1, (new.limits.maxPendingRequests + workers - 1) / workers)
    maxIdle = max(1, (new.limits.maxIdleConnections + workers - 1) / workers)
    maxRequests = (new.limits.maxRequests + workers - 1) / workers
    maxRetries = (new.limits.maxRetries + workers - 1) / workers
    health = new.health.map(Unmanaged.passUnretained)
    outlier = new.health?.outlier
    var old: [SocketAddress: EndpointRef] = [:]
    for e in endpoints { old[e.pointee.address] = e }
    endpoints.removeAll(keepingCapacity: true)
    for (i, a) in new.addresses.enumerated() {
      defer {
        let health = new.health.flatMap { i < $0.endpoints.count ? $0.endpoints[i] : nil }
        if let last = endpoints.last, last.pointee.address == a.address { last.pointee.setHealth(health) }
      }
      if let known = old.removeValue(forKey: a.address) {
        known.pointee.weight = a.weight
        known.pointee.secure(isPlain: a.isPlain, owner: tlsOwner)
        endpoints.append(known)
      } else if !endpoints.contains(where: { $0.pointee.address == a.address }) {
        let e = EndpointRef.allocate(capacity: 1)
        e.initialize(
          to: Endpoint(
            address: a.address, weight: a.weight, number: numbers,
            id: SessionToken.id(service: name.bytes, address: a.address), service: service))
        e.pointee.secure(isPlain: a.isPlain, owner: tlsOwner)
        numbers += 1
        endpoints.append(e)
      }
    }
    totalWeight = endpoints.reduce(0) { $0 &+ $1.pointee.weight }
    weighted = endpoints.contains { $0.pointee.weight != endpoints[0].pointee.weight }
    cursor = 0
    for e in old.values { e.pointee.isRemoved = true }
    return Array(old.values)
  }

  /// Gives up every endpoint, for a service that no snapshot lists any more.
  mutating func removeAll() -> [EndpointRef] {
    let all = Array(endpoints)
    endpoints.removeAll()
    for e in all { e.pointee.isRemoved = true }
    return all
  }

  // MARK: Load balancing

  /// An endpoint for a request; nil when the service has none.
  /// - Parameter tried: endpoints (bit `number & 63`) that this exchange has tried; others are preferred.
  @inline(__always)
  mutating func pick(tried: UInt64, now: UInt64, random: inout WorkerRandom) -> EndpointRef? {
    let n = endpoints.count
    if n == 0 { return nil }
    if let health { return pickHealthy(n, health, tried: tried, now: now, random: &random) }
    if n == 1 { return endpoints[0] }
    return pickAmong(n, tried: tried, now: now, random: &random)
  }

  private mutating func pickHealthy(
    _ n: Int, _ health: Unmanaged<ServiceHealth>, tried: UInt64, now: UInt64, random: inout WorkerRandom
  ) -> EndpointRef? {
    let unavailable = health._withUnsafeGuaranteedRef { $0.counts.unavailable.load(ordering: .relaxed) }
    if unavailable > 0 {
      let isPanic = health._withUnsafeGuaranteedRef { $0.isPanic(of: n) }
      if isPanic { metrics.panics.add() }
      leavesOut = !isPanic
    }
    defer { leavesOut = false }
    if n == 1 { return leavesOut && !endpoints[0].pointee.isAvailable ? nil : endpoints[0] }
    return pickAmong(n, tried: tried, now: now, random: &random)
  }

  private mutating func pickAmong(_ n: Int, tried: UInt64, now: UInt64, random: inout WorkerRandom) -> EndpointRef? {
    // Two rounds of strictness: neither tried nor avoided; then anything with a weight.
    for strict in [true, false] {
      var found: EndpointRef?
      switch spec.loadBalancing {
      case .roundRobin:
        found = weighted ? nextSmooth(strict, tried, now) : nextRound(strict, tried, now)
      case .leastRequest:
        found = leastOfTwo(strict, tried, now, &random)
      case .random:
        found = anyOf(strict, tried, now, &random)
      }
      if let found { return found }
    }
    return nil
  }

  @inline(__always)
  private func usable(_ e: EndpointRef, _ strict: Bool, _ tried: UInt64, _ now: UInt64) -> Bool {
    if e.pointee.weight == 0 || leavesOut && !e.pointee.isAvailable { return false }
    return !strict || (e.pointee.avoidedUntil <= now && tried & (1 &<< UInt64(e.pointee.number & 63)) == 0)
  }

  private mutating func nextRound(_ strict: Bool, _ tried: UInt64, _ now: UInt64) -> EndpointRef? {
    for _ in 0..<endpoints.count {
      cursor = cursor &+ 1 < endpoints.count ? cursor &+ 1 : 0
      let e = endpoints[cursor]
      if usable(e, strict, tried, now) { return e }
    }
    return nil
  }

  /// Smooth weighted round-robin: each round every endpoint gains its weight, and the richest pays the round's sum.
  private mutating func nextSmooth(_ strict: Bool, _ tried: UInt64, _ now: UInt64) -> EndpointRef? {
    var best: EndpointRef?
    var sum: Int64 = 0
    for e in endpoints where usable(e, strict, tried, now) {
      e.pointee.currentWeight &+= Int64(e.pointee.weight)
      sum &+= Int64(e.pointee.weight)
      if let b = best, b.pointee.currentWeight >= e.pointee.currentWeight { continue }
      best = e
    }
    best?.pointee.currentWeight &-= sum
    return best
  }

  /// The power of two choices: of two endpoints drawn at random, by weight, the one with fewer requests per weight.
  /// Of two that idle it is the first, so that weights count once and not twice.
  private func leastOfTwo(
    _ strict: Bool, _ tried: UInt64, _ now: UInt64, _ random: inout WorkerRandom
  ) -> EndpointRef? {
    guard let a = anyOf(strict, tried, now, &random), let b = anyOf(strict, tried, now, &random) else { return nil }
    let loadA = UInt64(a.pointee.active) &* UInt64(max(b.pointee.weight, 1))
    let loadB = UInt64(b.pointee.active) &* UInt64(max(a.pointee.weight, 1))
    return loadB < loadA ? b : a
  }

  private func anyOf(_ strict: Bool, _ tried: UInt64, _ now: UInt64, _ random: inout WorkerRandom) -> EndpointRef? {
    let n = UInt32(truncatingIfNeeded: endpoints.count)
    if weighted && totalWeight > 0 {
      var at = random.below(totalWeight)
      var start = 0
      for (i, e) in endpoints.enumerated() {
        if at < e.pointee.weight {
          start = i
          break
        }
        at &-= e.pointee.weight
      }
      return firstUsable(from: start, strict, tried, now)
    }
    return firstUsable(from: Int(random.below(n)), strict, tried, now)
  }

  private func firstUsable(from start: Int, _ strict: Bool, _ tried: UInt64, _ now: UInt64) -> EndpointRef? {
    var i = start
    for _ in 0..<endpoints.count {
      let e = endpoints[i]
      if usable(e, strict, tried, now) { return e }
      i = i &+ 1 < endpoints.count ? i &+ 1 : 0
    }
    return nil
  }

  /// The endpoint at that address, if it is one of the service's.
  func endpoint(at address: SocketAddress) -> EndpointRef? { endpoints.first { $0.pointee.address == address } }

  /// The endpoint that sessions call so.
  func endpoint(id: UInt64) -> EndpointRef? { endpoints.first { $0.pointee.id == id } }

  // MARK: Waiting

  mutating func enqueue(_ x: ExchangeReference) {
    pending.append(x)
    pendingCount += 1
  }

  /// An exchange that was waiting waits no longer; its entry is skipped when its turn comes.
  mutating func leave() { pendingCount -= 1 }

  /// The next entry, which may be stale; nil when there is none.
  mutating func dequeue() -> ExchangeReference? {
    if pendingHead == pending.count { return nil }
    let x = pending[pendingHead]
    pendingHead += 1
    if pendingHead == pending.count || pendingHead > 1024 {
      pending.removeFirst(pendingHead)
      pendingHead = 0
    }
    return x
  }

  /// Entries, stale ones included, for the caller to compact the queue when most are.
  var queueLength: Int { pending.count - pendingHead }

  mutating func compactQueue(keep: (ExchangeReference) -> Bool) {
    pending = ContiguousArray(pending[pendingHead...].filter(keep))
    pendingHead = 0
  }
}
