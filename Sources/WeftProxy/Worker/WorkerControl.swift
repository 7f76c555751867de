import Logging
import Synchronization
import WeftFilter
import WeftIO
import WeftTelemetry

/// What is said to a worker from outside.
enum WorkerMessage: Sendable {
  case snapshot(SnapshotDelivery)
  /// A service's endpoints have changed.
  case endpoints(ServiceSpec)
  /// Other keys are in use of those that are fetched from an address; none: they are wanted no more.
  case keys(at: String, [TokenKey])
  case drain
  /// Once a second: the heart beats, logs are handed over.
  case tick
  case stop
}

/// A worker's snapshot on its way to the worker, or back to be freed.
///
/// Unchecked: the one who sends it keeps no access to what is inside.
final class SnapshotDelivery: @unchecked Sendable {
  let snapshot: WorkerSnapshot
  /// Listening sockets for the worker, by index in the snapshot's listeners; only for addresses that are new.
  let descriptors: [Int: Int32]

  init(_ snapshot: WorkerSnapshot, descriptors: [Int: Int32]) {
    self.snapshot = snapshot
    self.descriptors = descriptors
  }
}

/// The side of a worker that other threads see.
final class WorkerControl: Sendable {
  let index: Int
  let mailbox: Mailbox<WorkerMessage>
  /// Where snapshots go to be freed, and where the worker reports that it has stopped.
  private let supervisor: Mailbox<SupervisorMessage>
  let limitedLog: RateLimitedLog
  private let lastBeat = Atomic<UInt64>(0)
  private let version = Atomic<UInt64>(0)

  init(index: Int, supervisor: Mailbox<SupervisorMessage>, log: RateLimitedLog) throws(SystemError) {
    self.index = index
    self.supervisor = supervisor
    limitedLog = log
    mailbox = try Mailbox(capacity: 4096)
  }

  /// The worker is alive: called once a round of its loop.
  @inline(__always)
  func beat(_ now: UInt64) { lastBeat.store(now, ordering: .relaxed) }

  /// Monotonic nanoseconds of the last round.
  var lastHeartbeat: UInt64 { lastBeat.load(ordering: .relaxed) }

  func applied(_ version: UInt64) {
    self.version.store(version, ordering: .releasing)
    _ = supervisor.send(.applied(worker: index, version: version))
  }

  /// The version of the snapshot that the worker runs.
  var appliedVersion: UInt64 { version.load(ordering: .acquiring) }

  /// Frees a snapshot on the supervisor's thread; here, should its mailbox be full.
  func dispose(_ delivery: SnapshotDelivery) { _ = supervisor.send(.dispose(delivery)) }

  /// A request asks for a service that the configuration does not know.
  func wants(host: String) { _ = supervisor.send(.wants(host: host)) }

  /// A token was signed by none of the keys that were fetched from this address.
  func misses(keysAt uri: String) { _ = supervisor.send(.misses(keysAt: uri)) }

  func stopped() { _ = supervisor.send(.stopped(worker: index)) }
}

/// What workers tell the supervisor.
enum SupervisorMessage: Sendable {
  case applied(worker: Int, version: UInt64)
  case dispose(SnapshotDelivery)
  case stopped(worker: Int)
  /// Requests wait for the service of this host to become known.
  case wants(host: String)
  /// A token was signed by a key that its issuer may have published meanwhile.
  case misses(keysAt: String)
  /// The feed has a new set.
  case feedChanged
  /// Others know that the proxy drains.
  case drainNow
}

/// Everything that a worker is started with. Handed to its thread, which alone uses it from then on.
struct WorkerStart {
  let index: Int
  let count: Int
  let control: WorkerControl
  let context: ProxyWorkerContext
  let families: ProxyMetrics
  let log: Logger
}

/// The worker as filters see it.
final class ProxyWorkerContext: WorkerContext {
  /// Set by the worker when it starts, before any filter runs.
  var owner: Unmanaged<Worker>?

  private func with<T>(_ fallback: T, _ body: (Worker) -> T) -> T {
    guard let owner else { return fallback }
    return owner._withUnsafeGuaranteedRef(body)
  }

  override func resume(_ exchange: ExchangeReference) {
    with(()) { worker in
      guard let x = worker.exchange(exchange), !x.pointee.resumeQueued else { return }
      x.pointee.resumeQueued = true
      worker.deferred.append(.resume(exchange))
    }
  }

  override func resume(_ exchange: ExchangeReference, afterMilliseconds milliseconds: UInt32) {
    with(()) { worker in
      guard let x = worker.exchange(exchange) else { return }
      worker.setWake(x, max(milliseconds, 1))
    }
  }

  override func cancelTimer(_ exchange: ExchangeReference) {
    with(()) { worker in
      guard let x = worker.exchange(exchange) else { return }
      worker.wheel.pointee.cancel(&x.pointee.wakeTimer)
    }
  }

  override func schedule(_ timer: WorkerTimer, afterMilliseconds milliseconds: UInt32) {
    with(()) { worker in
      timer.box.pointee.node.token = Token(kind: Owner.filterTimer, slot: 0, generation: 0).raw
      worker.wheel.pointee.schedule(&timer.box.pointee.node, at: worker.deadline(max(milliseconds, 1)))
    }
  }

  override func cancel(_ timer: WorkerTimer) {
    with(()) { $0.wheel.pointee.cancel(&timer.box.pointee.node) }
  }

  override func drainConnection(_ exchange: ExchangeReference) {
    with(()) { $0.exchange(exchange)?.pointee.client?.pointee.closeAfter = true }
  }

  override func exchange(_ reference: ExchangeReference) -> Exchange? {
    with(nil) { $0.exchange(reference).map { $0.pointee.handle } }
  }

  override func call(
    _ request: ServiceCall, completion: @escaping (borrowing ServiceCallResult) -> Void
  ) -> Bool {
    with(false) { $0.startCall(request, completion: completion) }
  }
}
