import Glibc

/// An event loop for what is not on the data path: supervision, administration. Handlers are closures, and it allocates
/// as it likes.
///
/// Everything happens on the thread that calls `run`; other threads reach it through `remote`. A handler may add, change
/// and remove anything, itself included.
public final class EventLoop {
  /// For other threads.
  public let remote: EventLoopRemote
  private let reactor: Reactor
  private let wheel: TimerWheel
  private var handlers: [Int32: Handler] = [:]
  private var timers: [UInt64: Timer] = [:]
  private var sources: [any LoopSource] = []
  private var lastGeneration: UInt32 = 0
  private var lastTimer: UInt64 = 0
  private var isStopping = false

  /// Names a timer, to cancel it.
  public struct TimerID: Hashable, Sendable { let number: UInt64 }

  private final class Handler {
    let generation: UInt32
    let call: (Readiness) -> Void
    init(generation: UInt32, call: @escaping (Readiness) -> Void) {
      self.generation = generation
      self.call = call
    }
  }

  private final class Timer {
    let node: UnsafeMutablePointer<TimerNode>
    let action: () -> Void
    init(number: UInt64, action: @escaping () -> Void) {
      node = .allocate(capacity: 1)
      node.initialize(to: TimerNode(token: number))
      self.action = action
    }
    deinit {
      node.deinitialize(count: 1)
      node.deallocate()
    }
  }

  public init() throws(SystemError) {
    reactor = try Reactor(batch: 64)
    wheel = TimerWheel(now: MonotonicTime.milliseconds())
    let mailbox = try Mailbox<EventLoopRemote.Message>(capacity: 65_536)
    remote = EventLoopRemote(mailbox)
    try add(mailbox.descriptor, readable: true) { [unowned self] _ in
      mailbox.drain { message in
        switch message {
        case .action(let action): action()
        case .stop: stop()
        }
      }
    }
  }

  // MARK: Running

  /// Handles events until `stop`. May be called again afterwards.
  public func run() {
    while !isStopping { turn() }
    isStopping = false
  }

  /// Ends `run` once the handlers of the present events are done; before `run`, the next one at once.
  public func stop() { isStopping = true }

  private func turn() {
    var now = MonotonicTime.milliseconds()
    wheel.advance(to: now) { node in
      if let timer = timers.removeValue(forKey: node.pointee.token) { timer.action() }
    }
    // A copy: a source may bring another one along.
    for source in sources {
      if let deadline = source.nextDeadline(now: now), deadline <= now { source.process(now: now) }
    }
    if isStopping { return }
    now = MonotonicTime.milliseconds()
    var timeout = wheel.timeout(now: now)
    for source in sources {
      guard let deadline = source.nextDeadline(now: now) else { continue }
      let wait = deadline <= now ? 0 : Int32(clamping: deadline - now)
      timeout = timeout < 0 ? wait : min(timeout, wait)
    }
    let count = reactor.wait(milliseconds: timeout)
    for i in 0..<count {
      let token = reactor.token(i)
      // An earlier event of the batch may have removed the descriptor, and its number may be another's by now.
      guard let handler = handlers[Int32(token.slot)], handler.generation == token.generation else { continue }
      handler.call(reactor.readiness(i))
    }
  }

  // MARK: Descriptors

  /// Calls `handler` whenever `fd` is ready, level-triggered. The caller keeps the descriptor open until `remove`.
  public func add(
    _ fd: Int32, readable: Bool, writable: Bool = false, handler: @escaping (Readiness) -> Void
  ) throws(SystemError) {
    lastGeneration &+= 1
    let token = Token(kind: 0, slot: Int(fd), generation: lastGeneration)
    try reactor.addLevelTriggered(fd, token, writable: writable)
    handlers[fd] = Handler(generation: lastGeneration, call: handler)
    if !readable { try update(fd, readable: false, writable: writable) }
  }

  /// Changes what `fd` is waited for.
  public func update(_ fd: Int32, readable: Bool, writable: Bool) throws(SystemError) {
    guard let handler = handlers[fd] else { throw SystemError(operation: "update descriptor \(fd)", errno: ENOENT) }
    let token = Token(kind: 0, slot: Int(fd), generation: handler.generation)
    try reactor.update(fd, token, readable: readable, writable: writable)
  }

  /// Forgets `fd`, which must still be open. Nothing happens when it is unknown.
  public func remove(_ fd: Int32) {
    if handlers.removeValue(forKey: fd) != nil { reactor.remove(fd) }
  }

  // MARK: Timers

  /// Calls `action` once, `milliseconds` from now.
  @discardableResult
  public func after(_ milliseconds: UInt64, _ action: @escaping () -> Void) -> TimerID {
    lastTimer &+= 1
    let timer = Timer(number: lastTimer, action: action)
    timers[lastTimer] = timer
    let (at, overflow) = MonotonicTime.milliseconds().addingReportingOverflow(milliseconds)
    wheel.schedule(timer.node, at: overflow ? .max : at)
    return TimerID(number: lastTimer)
  }

  /// Nothing happens when it has fired already.
  public func cancel(_ timer: TimerID) {
    if let timer = timers.removeValue(forKey: timer.number) { wheel.cancel(timer.node) }
  }

  // MARK: Sources

  /// Runs `source` on this loop, which keeps it until `unhost`.
  public func host(_ source: any LoopSource) throws(SystemError) {
    try add(source.descriptor, readable: true) { [unowned source] _ in
      source.process(now: MonotonicTime.milliseconds())
    }
    sources.append(source)
  }

  public func unhost(_ source: any LoopSource) {
    remove(source.descriptor)
    sources.removeAll { $0 === source }
  }
}

/// What other threads may do with an `EventLoop`.
public final class EventLoopRemote: Sendable {
  enum Message: Sendable {
    case action(@Sendable () -> Void)
    case stop
  }

  private let mailbox: Mailbox<Message>
  init(_ mailbox: Mailbox<Message>) { self.mailbox = mailbox }

  /// Has the loop's thread call `action`.
  /// - Returns: false when the loop's mailbox is full, or nobody runs the loop and takes anything out.
  @discardableResult
  public func post(_ action: @escaping @Sendable () -> Void) -> Bool { mailbox.send(.action(action)) }

  /// Ends the loop's `run`.
  /// - Returns: false when the loop's mailbox is full.
  @discardableResult
  public func stop() -> Bool { mailbox.send(.stop) }
}
