import CLinux
import Glibc
import Logging
import WeftFilter
import WeftHTTP
import WeftIO
import WeftRegex
import WeftTelemetry

/// One event loop with everything it owns: listeners, connections, pools, filters, counters. It shares nothing mutable
/// with another worker; what other threads want of it comes through its mailbox, between two events.
final class Worker {
  let index: Int
  let count: Int
  let control: WorkerControl
  let context: ProxyWorkerContext
  let families: ProxyMetrics
  let log: Logger

  var reactor: Reactor
  let wheel: UnsafeMutablePointer<TimerWheel>
  let clock: UnsafeMutablePointer<WorkerClock>
  let pool = BufferPool(bufferSize: Worker.bufferSize, keep: 512)
  let scratch = MutableBytePointer.allocate(capacity: Worker.scratchSize)
  let bodyScratch = UnsafeMutablePointer<BodyScratch>.allocate(capacity: 1)
  var tokens = TokenCache()
  let routing = UnsafeMutablePointer<RouteScratch>.allocate(capacity: 1)
  var reserve = DescriptorReserve()
  let pipes = SplicePipes(limit: Worker.pipeLimit, keep: Worker.pipesKept)

  let clients = Slab<ClientConnection>()
  /// Stands for the HTTP/2 part of connections that have none; nobody writes it.
  let unusedStream = UnsafeMutablePointer<ClientStream>.allocate(capacity: 1)
  let upstreams = Slab<UpstreamConnection>()
  let exchanges = Slab<ProxyExchange>()
  var listeners: ContiguousArray<ListenerRef?> = []

  /// The present snapshot; nil until the first one has come.
  var snapshot: SnapshotRef?
  var settings = ProxySettings()
  /// This worker's share of the limit on client connections.
  var maxClients = 65_536
  var services: [String: ServiceRef] = [:]

  /// HTTP/2 connections that have something to send, and streams to which something has happened.
  var dirty: ContiguousArray<Token> = []
  var dirtySpare: ContiguousArray<Token> = []
  let gathering: UnsafeMutablePointer<WriteGathering>
  /// When what `dirty` connections have to say is written at the latest, in the clock's nanoseconds; 0: nothing waits.
  private var holdsWritesUntil: UInt64 = 0
  let http2Memory = HTTP2Memory()
  var noticed: ContiguousArray<Token> = []
  var noticedUpstreams: ContiguousArray<Token> = []
  var fieldList = HTTP2FieldList()
  /// Streams under way, which have slots among `clients`.
  var streamsActive = 0
  /// Streams to endpoints, which have slots among `upstreams`.
  var upstreamStreams = 0

  /// Exchanges that wait for a service of the mesh to become known; stale references are skipped.
  var awaiting: ContiguousArray<ExchangeReference> = []

  /// Exchanges and connections to go on with after the present batch of events.
  var deferred: ContiguousArray<Deferred> = []
  var deferredSpare: ContiguousArray<Deferred> = []
  /// `.serveQueues` is among them.
  var queuesDeferred = false

  /// Clients whose TLS handshake is not complete.
  var handshakes = 0
  var isDraining = false
  var isStopped = false
  /// Calls of the proxy's own under way: mirrors, calls of filters.
  var callsActive = 0

  let metrics: WorkerMetrics
  /// Of requests that no route took.
  private(set) lazy var noRoute = RouteMetrics(families, context.metrics, route: "none", lease: nil)
  /// CPU time that `metrics` has been told of, in nanoseconds.
  var sampledBusy: UInt64 = 0

  /// The present configuration's access logs.
  var accessLog: WorkerAccessLog?
  var dateText = DateText()

  static let bufferSize = 32 * 1024
  static let scratchSize = 192 * 1024
  /// Body bytes sent together with a head rather than on their own.
  static let inlineBody = 48 * 1024
  /// Rounds of reading and writing that one connection may do before others get their turn.
  static let pumpBudget = 16

  enum Deferred {
    case resume(ExchangeReference)
    case pumpResponse(Token)
    case pumpRequest(ExchangeReference)
    case pumpTunnel(Token)
    case serveQueues
    case readHTTP2(Token)
    case readUpstreamHTTP2(Token)
  }

  init(_ start: WorkerStart) throws {
    index = start.index
    count = start.count
    control = start.control
    families = start.families
    log = start.log
    context = start.context
    metrics = WorkerMetrics(start.families, start.context.metrics, worker: start.index)
    clock = start.context.clock
    unusedStream.initialize(to: ClientStream())
    reactor = try Reactor(batch: 512)
    routing.initialize(to: try RouteScratch())
    wheel = .allocate(capacity: 1)
    gathering = .allocate(capacity: 1)
    gathering.initialize(to: WriteGathering())
    bodyScratch.initialize(to: BodyScratch())
    context.owner = Unmanaged.passUnretained(self)
    try reactor.addLevelTriggered(control.mailbox.descriptor, Token(kind: Owner.mailbox, slot: 0, generation: 0))
    updateClock()
    wheel.initialize(to: TimerWheel(now: clock.pointee.milliseconds))
  }

  deinit {
    unusedStream.deinitialize(count: 1)
    unusedStream.deallocate()
    gathering.deallocate()
    wheel.deinitialize(count: 1)
    wheel.deallocate()
    routing.deinitialize(count: 1)
    routing.deallocate()
    scratch.deallocate()
    bodyScratch.deinitialize(count: 1)
    bodyScratch.deallocate()
  }

  // MARK: The loop

  /// Runs until told to stop, or until drained.
  func run() {
    while !isStopped {
      let n = wait()
      updateClock()
      control.beat(clock.pointee.now)
      var i = 0
      while i < n {
        let token = reactor.token(i)
        let readiness = reactor.readiness(i)
        i &+= 1
        dispatch(token, readiness)
      }
      let now = clock.pointee.milliseconds
      while let node = wheel.pointee.expire(dueBy: now) { fire(node) }
      if !deferred.isEmpty { runDeferred() }
      if !dirty.isEmpty {
        if holdsWritesUntil == 0 {
          holdsWritesUntil = clock.pointee.now &+ gathering.pointee.hold
        }
        // With nothing more to be read, or after the time.
        if n == 0 || clock.pointee.now >= holdsWritesUntil {
          holdsWritesUntil = 0
          flushDirty()
        }
      }
      if isDraining && clients.live == 0 && callsActive == 0 { isStopped = true }
    }
    shutDown()
  }

  /// Waits for events: until a timer is due, or as long as HTTP/2 sessions wait for more to write.
  @inline(__always)
  private func wait() -> Int {
    if !deferred.isEmpty { return reactor.wait(milliseconds: 0) }
    if dirty.isEmpty { return reactor.wait(milliseconds: wheel.pointee.timeout(now: clock.pointee.milliseconds)) }
    let now = clock.pointee.now
    if holdsWritesUntil <= now { return reactor.wait(milliseconds: 0) }
    return reactor.rest(nanoseconds: holdsWritesUntil &- now)
  }

  @inline(__always)
  private func dispatch(_ token: Token, _ readiness: Readiness) {
    switch token.kind {
    case Owner.client:
      let c = clients[token.slot]
      if c.pointee.generation == token.generation { clientEvent(c, readiness) }
    case Owner.upstream:
      let u = upstreams[token.slot]
      if u.pointee.generation == token.generation { upstreamEvent(u, readiness) }
    case Owner.listener:
      if token.slot < listeners.count, let l = listeners[token.slot] { acceptAll(l) }
    default:
      readMailbox()
    }
  }

  func updateClock() {
    var ts = timespec()
    clock_gettime(CLOCK_MONOTONIC, &ts)
    clock.pointee.now = UInt64(ts.tv_sec) &* 1_000_000_000 &+ UInt64(ts.tv_nsec)
    clock_gettime(CLOCK_REALTIME, &ts)
    clock.pointee.wall = UInt64(ts.tv_sec) &* 1_000_000_000 &+ UInt64(ts.tv_nsec)
  }

  private func runDeferred() {
    // Two arrays in turn: what runs now may defer again.
    swap(&deferred, &deferredSpare)
    var i = 0
    while i < deferredSpare.count {
      let entry = deferredSpare[i]
      i &+= 1
      switch entry {
      case .resume(let reference):
        // Not if it has gone on meanwhile, perhaps to wait for something else.
        if let x = exchange(reference), x.pointee.resumeQueued { resume(x) }
      case .pumpResponse(let token):
        let u = upstreams[token.slot]
        if u.pointee.generation == token.generation, u.pointee.phase == .active { pumpResponse(u) }
      case .pumpRequest(let reference):
        if let x = exchange(reference) { pumpRequest(x) }
      case .pumpTunnel(let token):
        let u = upstreams[token.slot]
        if u.pointee.generation == token.generation, u.pointee.phase == .tunnel { pumpTunnel(u) }
      case .serveQueues: serveQueues()
      case .readHTTP2(let token):
        let c = clients[token.slot]
        if c.pointee.generation == token.generation, c.pointee.phase == .http2 { readHTTP2(c) }
      case .readUpstreamHTTP2(let token):
        let u = upstreams[token.slot]
        if u.pointee.generation == token.generation, u.pointee.phase == .http2 { readUpstreamHTTP2(u) }
      }
    }
    deferredSpare.removeAll(keepingCapacity: true)
  }

  @inline(__always)
  func exchange(_ reference: ExchangeReference) -> ExchangeRef? {
    guard exchanges.contains(reference.slot) else { return nil }
    let x = exchanges[reference.slot]
    return x.pointee.generation == reference.generation && x.pointee.stage != .done ? x : nil
  }

  // MARK: Timers

  /// Milliseconds of the worker's clock, `delay` from now; nil for 0, which means no limit.
  @inline(__always)
  func deadline(_ delay: UInt32) -> UInt64 { clock.pointee.milliseconds &+ UInt64(delay) }

  private func fire(_ node: UnsafeMutablePointer<TimerNode>) {
    let token = Token(raw: node.pointee.token)
    switch token.kind {
    case Owner.filterTimer: WorkerTimer.of(node).fire()
    case Owner.client:
      let c = clients[token.slot]
      if c.pointee.phase != .closed { clientTimedOut(c) }
    case Owner.upstream:
      let u = upstreams[token.slot]
      if u.pointee.phase != .closed { upstreamTimedOut(u) }
    case Owner.listener:
      if token.slot < listeners.count, let l = listeners[token.slot] { cutOff(l) }
    case Owner.exchangeDeadline:
      let x = exchanges[token.slot]
      if x.pointee.stage != .done { requestTimedOut(x) }
    case Owner.exchangeWake:
      let x = exchanges[token.slot]
      if x.pointee.stage != .done { wake(x) }
    default: break
    }
  }

  // MARK: The end

  private func shutDown() {
    for l in listeners { if let l { closeListener(l) } }
    stopFilters()
    for i in 0..<clients.capacity {
      let c = clients[i]
      if c.pointee.phase == .closed { continue }
      if c.pointee.phase == .exchange, let x = c.pointee.exchange { resetIfUnframed(x, c) }
      closeClient(c)
    }
    dropAllCalls()
    for i in 0..<upstreams.capacity {
      let u = upstreams[i]
      if u.pointee.phase != .closed { closeUpstream(u) }
    }
    accessLog?.flush()
    for l in listeners { if let l { freeListener(l) } }
    if let last = snapshot {
      snapshot = nil
      leave(last)
    }
    control.stopped()
  }
}
