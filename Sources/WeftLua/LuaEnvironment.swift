import CLuaHost
import Glibc
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

  private var random = WorkerRandom()
  private var lent = OwnedBytes([])
  /// Made for the first match.
  private var scratch: UnsafeMutablePointer<PatternScratch>?

  init(_ program: LuaProgram, _ worker: WorkerContext?) {
    self.program = program
    self.worker = worker
  }

  deinit {
    scratch?.deinitialize(count: 1)
    scratch?.deallocate()
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> LuaEnvironment? {
    context.map { Unmanaged<LuaEnvironment>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Time and chance

  /// Nanoseconds since 1970.
  var wall: UInt64 { worker?.clock.pointee.wall ?? Self.system(CLOCK_REALTIME) }
  /// Nanoseconds of a clock that does not go back.
  var monotonic: UInt64 { worker?.now ?? Self.system(CLOCK_MONOTONIC) }

  private static func system(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // It fails for an unknown clock only.
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  func nextRandom() -> UInt64 {
    if let worker { return worker.random.next() }
    return random.next()
  }

  // MARK: What is lent to the host

  /// Bytes that are valid until the next call.
  func lend(_ text: String) -> wl_text {
    lent = OwnedBytes(text)
    return wl_text(lent.bytes)
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
