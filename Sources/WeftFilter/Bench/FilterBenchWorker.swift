import Logging
import WeftHTTP
import WeftIO
import WeftTelemetry

/// The worker of a `FilterBench`: its clock is moved by hand, and calls to services are answered by the test.
public final class FilterBenchWorker: WorkerContext {
  /// A call that a filter has made and that nobody has answered yet.
  struct PendingCall {
    let id: Int
    let call: ServiceCall
    let completion: (borrowing ServiceCallResult) -> Void
  }

  var live: [Int: WeakExchange] = [:]
  private var resumed: [ExchangeReference] = []
  private var timers: [ExchangeReference: UInt64] = [:]
  private var filterTimers: [(timer: WorkerTimer, due: UInt64)] = []
  private var pending: [PendingCall] = []
  private var callCount = 0
  private var isRunning = false
  /// Whether the next calls to services are refused.
  public var refusesCalls = false

  init(index: Int, count: Int, metrics: MetricsShard) {
    var logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .trace
    super.init(index: index, count: count, metrics: metrics, logger: logger)
    clock.pointee.now = 1_000_000_000_000
    clock.pointee.wall = 1_700_000_000_000_000_000
  }

  // MARK: What filters ask

  public override func resume(_ exchange: ExchangeReference) { resumed.append(exchange) }

  public override func resume(_ exchange: ExchangeReference, afterMilliseconds milliseconds: UInt32) {
    timers[exchange] = now &+ UInt64(milliseconds) &* 1_000_000
  }

  public override func cancelTimer(_ exchange: ExchangeReference) { timers[exchange] = nil }

  public override func schedule(_ timer: WorkerTimer, afterMilliseconds milliseconds: UInt32) {
    cancel(timer)
    filterTimers.append((timer, now &+ UInt64(max(milliseconds, 1)) &* 1_000_000))
  }

  public override func cancel(_ timer: WorkerTimer) { filterTimers.removeAll { $0.timer === timer } }

  public override func exchange(_ reference: ExchangeReference) -> Exchange? {
    guard let found = live[reference.slot]?.exchange, found.isCurrent(reference) else { return nil }
    return found.handle
  }

  public override func call(
    _ request: ServiceCall, completion: @escaping (borrowing ServiceCallResult) -> Void
  ) -> Bool {
    if refusesCalls { return false }
    callCount += 1
    pending.append(PendingCall(id: callCount, call: request, completion: completion))
    return true
  }

  // MARK: What a test does

  /// Calls to services that wait for an answer, the oldest first.
  public var calls: [ServiceCall] { pending.map(\.call) }

  /// The same with the numbers by which `answerCall(id:_:_:body:failure:)` knows them: 1, 2, ... in the order in which
  /// they were made.
  public var numberedCalls: [(id: Int, call: ServiceCall)] { pending.map { ($0.id, $0.call) } }

  /// Nanoseconds until the next timer that is set; nil when there is none.
  public var nextTimer: UInt64? {
    (Array(timers.values) + filterTimers.map(\.due)).min().map { $0 > now ? $0 - now : 0 }
  }

  /// Milliseconds until each timer that is set; at most one an exchange.
  public var timerDelays: [UInt64] { timers.values.map { ($0 &- now) / 1_000_000 }.sorted() }

  /// Answers the oldest call.
  /// - Parameter status: 0: no response came.
  public func answerCall(_ status: Int, _ headers: [String] = [], body: String = "", failure: String = "") {
    if let first = pending.first { answerCall(id: first.id, status, headers, body: Array(body.utf8), failure: failure) }
  }

  /// Answers one call, whatever its age; nothing happens when it has been answered.
  // The optimiser of Swift 6.3.1 aborts when it inlines this into the other one.
  @inline(never)
  public func answerCall(id: Int, _ status: Int, _ headers: [String] = [], body: [UInt8], failure: String = "") {
    guard let i = pending.firstIndex(where: { $0.id == id }) else { return }
    let next = pending.remove(at: i)
    let head = UnsafeMutablePointer<MessageHead>.allocate(capacity: 1)
    head.initialize(to: MessageHead())
    defer {
      head.deinitialize(count: 1)
      head.deallocate()
    }
    for line in headers {
      let field = FilterBenchMessage.Field(line: line)
      guard let name = HeaderName(field.name) else { continue }
      let value = OwnedBytes(field.value)
      head.pointee.headers.add(name, value.bytes)
      withExtendedLifetime(value) {}
    }
    let bytes = OwnedBytes(body)
    next.completion(
      ServiceCallResult(status: status, head: status == 0 ? nil : head, body: bytes.bytes, failure: failure))
    withExtendedLifetime(bytes) {}
    runResumed()
  }

  func advance(nanoseconds: UInt64) {
    clock.pointee.now &+= nanoseconds
    clock.pointee.wall &+= nanoseconds
    let due = timers.filter { $0.value <= now }.sorted { $0.value < $1.value }.map(\.key)
    for reference in due {
      timers[reference] = nil
      resumed.append(reference)
    }
    fireTimers()
    runResumed()
  }

  /// Timers of filters that are due, each once.
  private func fireTimers() {
    let due = filterTimers.filter { $0.due <= now }.sorted { $0.due < $1.due }.map(\.timer)
    for timer in due where filterTimers.contains(where: { $0.timer === timer && $0.due <= now }) {
      cancel(timer)
      timer.fire()
    }
  }

  /// Resumes what filters asked to be resumed, after the event that the test has caused.
  func runResumed() {
    if isRunning { return }
    isRunning = true
    defer { isRunning = false }
    // A filter that resumes its exchange for ever would hang a test without a word.
    for _ in 0..<100_000 {
      if resumed.isEmpty { return }
      let reference = resumed.removeFirst()
      resumed.removeAll { $0 == reference }
      if let found = live[reference.slot]?.exchange, found.isCurrent(reference) { found.resume() }
    }
    resumed = []
  }

  func forget(_ reference: ExchangeReference) {
    timers[reference] = nil
    live[reference.slot] = nil
  }
}

final class WeakExchange {
  weak var exchange: FilterBenchExchange?
  init(_ exchange: FilterBenchExchange) { self.exchange = exchange }
}
