import Logging
import WeftHTTP
import WeftIO
import WeftTelemetry

/// What a filter may ask of the worker that it runs on. Only to be used on that worker's thread.
///
/// The proxy's worker overrides the methods. As it stands, the class is a worker without a proxy, for tests of filters:
/// resuming and timers do nothing.
open class WorkerContext {
  /// 0, 1, ... below `count`.
  public let index: Int
  /// How many workers share the traffic.
  public let count: Int
  public let clock: UnsafeMutablePointer<WorkerClock>
  /// Where this worker counts.
  public let metrics: MetricsShard
  @usableFromInline let randomState: UnsafeMutablePointer<WorkerRandom>
  public let logger: Logger

  public init(index: Int, count: Int, metrics: MetricsShard, logger: Logger) {
    self.index = index
    self.count = count
    self.metrics = metrics
    self.logger = logger
    clock = .allocate(capacity: 1)
    clock.initialize(to: WorkerClock())
    randomState = .allocate(capacity: 1)
    randomState.initialize(to: WorkerRandom())
  }

  deinit {
    clock.deallocate()
    randomState.deallocate()
  }

  /// Random numbers, not for secrets.
  @inlinable public final var random: WorkerRandom {
    _read { yield randomState.pointee }
    _modify { yield &randomState.pointee }
  }

  /// Monotonic nanoseconds.
  @inlinable public final var now: UInt64 { clock.pointee.now }

  /// Lets a suspended exchange go on, soon: after the current event, on this worker.
  open func resume(_ exchange: ExchangeReference) {}

  /// Resumes a suspended exchange after `milliseconds` at the earliest. One timer an exchange: a later call replaces it.
  open func resume(_ exchange: ExchangeReference, afterMilliseconds milliseconds: UInt32) {}

  /// Takes a timer set by `resume(_:afterMilliseconds:)` back.
  open func cancelTimer(_ exchange: ExchangeReference) {}

  /// Calls a timer of a filter's own after `milliseconds` at the earliest; a later call replaces an earlier one.
  open func schedule(_ timer: WorkerTimer, afterMilliseconds milliseconds: UInt32) {}

  /// Takes `schedule` back.
  open func cancel(_ timer: WorkerTimer) {}

  /// The exchange of `reference`, unless it has ended.
  open func exchange(_ reference: ExchangeReference) -> Exchange? { nil }

  /// Closes the client's connection when the exchange has ended.
  open func drainConnection(_ exchange: ExchangeReference) {}

  /// Sends a request of the proxy's own to a service and hands the whole response to `completion`, on this worker.
  /// - Returns: false when too many calls are under way or the service does not exist; `completion` is then not called.
  open func call(_ request: ServiceCall, completion: @escaping (borrowing ServiceCallResult) -> Void) -> Bool { false }
}

/// Names an exchange without keeping it: safe to hold across events, and recognised as stale once it has ended.
@frozen
public struct ExchangeReference: Hashable, Sendable {
  package let slot: Int
  package let generation: UInt32

  package init(slot: Int, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }
}

/// A request of the proxy's own.
public struct ServiceCall: Sendable {
  public var service: ServiceReference
  public var method = "GET"
  /// Path and query.
  public var target = "/"
  public var authority: String
  public var headers: [(name: String, value: String)] = []
  public var body: [UInt8] = []
  /// Milliseconds for the whole call.
  public var timeout: UInt32 = 5_000
  /// Bytes of response body to take; more is a failure.
  public var responseLimit = 1024 * 1024
  /// The exchange for which the call is made: when that ends, the call is given up and its completion is not called.
  /// nil: it runs to its own end.
  public var owner: ExchangeReference?

  public init(service: ServiceReference, authority: String) {
    self.service = service
    self.authority = authority
  }
}

/// How a `ServiceCall` ended. Borrowed: valid during the completion only.
public struct ServiceCallResult: ~Copyable {
  /// 0 when no response came.
  public let status: Int
  public let body: Bytes
  /// Why no response came; empty when one did.
  public let failure: String
  /// No response came in time.
  public let isTimeout: Bool
  let head: UnsafeMutablePointer<MessageHead>?

  package init(
    status: Int, head: UnsafeMutablePointer<MessageHead>?, body: Bytes, failure: String, isTimeout: Bool = false
  ) {
    self.status = status
    self.head = head
    self.body = body
    self.failure = failure
    self.isTimeout = isTimeout
  }

  /// Calls `visit` for each field of the response.
  public func forEachHeader(_ visit: (_ name: Bytes, _ value: Bytes) -> Void) {
    guard let head else { return }
    for i in 0..<head.pointee.headers.count where !head.pointee.headers.isRemoved(i) {
      visit(head.pointee.headers.name(at: i), head.pointee.headers.value(at: i))
    }
  }
}
