import CLuaHost
import Glibc
import Logging
import WeftFilter
import WeftIO
import WeftRegex

/// What the libraries of one state stand on: its worker's clocks and random numbers, memory for regular expressions.
///
/// Nothing here goes past the worker, so that whoever gives a state another worker (a test runner) decides on the time.
final class LuaEnvironment {
  let program: LuaProgram
  /// nil for a state that only shows whether a script can be loaded. Outlives the state's use.
  unowned let worker: WorkerContext?

  /// What work in the background may call: the services of the filters that use the state.
  var services: [String: ServiceReference] = [:]
  var requests = LuaRequests()
  private var scriptLog: LogBudget

  /// The bundle's own metrics; nil where there is nothing to count in. Made for the first of them.
  private(set) lazy var userMetrics: LuaUserMetrics? = program.surroundings.map {
    LuaUserMetrics(bundle: program.name, registry: $0.registry, shard: worker?.metrics)
  }

  private var random = WorkerRandom()
  private var lent: UnsafeMutableBufferPointer<UInt8>?
  /// Made for the first match.
  private var scratch: UnsafeMutablePointer<PatternScratch>?

  init(_ program: LuaProgram, _ worker: WorkerContext?) {
    self.program = program
    self.worker = worker
    scriptLog = LogBudget(linesPerSecond: program.limits.logLines)
  }

  deinit {
    lent?.deallocate()
    scratch?.deinitialize(count: 1)
    scratch?.deallocate()
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> LuaEnvironment? {
    context.map { Unmanaged<LuaEnvironment>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Time and chance

  /// The state's files are being run, on another thread than the worker's: nothing of the worker's may be touched.
  var isLoading = true

  /// Nanoseconds since 1970.
  var wall: UInt64 {
    guard let worker, !isLoading else { return Self.system(CLOCK_REALTIME) }
    return worker.clock.pointee.wall
  }

  /// Nanoseconds of a clock that does not go back.
  var monotonic: UInt64 {
    guard let worker, !isLoading else { return Self.system(CLOCK_MONOTONIC) }
    return worker.now
  }

  private static func system(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // It fails for an unknown clock only.
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  func nextRandom() -> UInt64 {
    if let worker, !isLoading { return worker.random.next() }
    return random.next()
  }

  // MARK: What is lent to the host

  /// Longest memory for lending that is kept.
  private static let keptBytes = 64 << 10

  /// A copy of bytes that is valid until the next call.
  func lend(_ bytes: Bytes) -> wl_text {
    if lent == nil || bytes.count > lent?.count ?? 0 || lent?.count ?? 0 > Self.keptBytes {
      lent?.deallocate()
      lent = .allocate(capacity: max(bytes.count, 256))
    }
    guard let base = lent?.baseAddress else { return .none }
    base.update(from: bytes.base, count: bytes.count)
    return wl_text(base: base, count: bytes.count)
  }

  func lend(_ text: String) -> wl_text {
    var text = text
    return text.withUTF8 { lend($0.borrowed) }
  }

  func lend(_ tape: ValueTape) -> wl_text {
    tape.bytes.withUnsafeBufferPointer { lend($0.borrowed) }
  }

  // MARK: Shared dictionaries and logs

  /// The bundle's shared dictionary of that name; nil when it has too many.
  func sharedDictionary(_ name: String) -> SharedDictionary? {
    guard let surroundings = program.surroundings else {
      return ownSpace.dictionary(name, bytes: SharedDictionary.defaultBytes)
    }
    return surroundings.shared.dictionary(
      name, bytes: surroundings.sharedSizes[name] ?? SharedDictionary.defaultBytes)
  }

  private lazy var ownSpace = SharedSpace()

  func isLogged(_ level: Int32) -> Bool {
    guard let logger = program.surroundings?.logger else { return false }
    return logger.logLevel <= LuaFilter.level(level)
  }

  /// Logs a message of work that belongs to no exchange, within the bundle's budget of lines.
  func log(_ level: Int32, _ message: Bytes) {
    guard let logger = program.surroundings?.logger, isLogged(level), let suppressed = scriptLog.take(now: monotonic)
    else { return }
    var metadata: Logger.Metadata = ["bundle": "\(program.name)"]
    if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
    logger.log(
      level: LuaFilter.level(level), "\(message.slice(0, LuaFilter.messageLimit).string)", metadata: metadata)
  }

  /// Calls `body` with memory for matching. nil: there is none.
  func withScratch<R>(_ body: (borrowing PatternScratch) -> R) -> R? {
    if let scratch { return body(scratch.pointee) }
    guard let made = try? PatternScratch() else { return nil }
    let place = UnsafeMutablePointer<PatternScratch>.allocate(capacity: 1)
    place.initialize(to: made)
    scratch = place
    return body(place.pointee)
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// The same as borrowed bytes.
  var borrowed: Bytes { baseAddress.map { Bytes($0, count) } ?? Bytes() }
}
