import WeftFilter

/// Whether a filter is tripped on its worker, and what counts towards that. Times are monotonic nanoseconds.
///
/// States: running; tripped, until a time; then, with one exchange on trial, half open.
struct LuaTrip {
  /// Failures since the window began, which is with the first of them, and the calls before that.
  private var failures = 0
  private var windowEnd: UInt64 = 0
  private var callsBefore: UInt32 = 0

  private(set) var isTripped = false
  /// When it tripped first, not having recovered since.
  private(set) var trippedAt: UInt64 = 0
  private var until: UInt64 = 0
  /// The exchange that is tried, and until when its end is waited for.
  private var trial: ExchangeReference?
  private var trialEnd: UInt64 = 0
  /// Requests for which the filter has not run since it tripped.
  var refused = 0

  /// Counts a failure of a filter that runs.
  /// - Parameters:
  ///   - calls: the filter's calls so far, this one included.
  ///   - functions: the functions that the script defines: about so many calls are made for a request.
  /// - Returns: how many there were if the filter has tripped with this one, else nil.
  mutating func fail(_ policy: LuaTripPolicy, calls: UInt32, functions: Int, now: UInt64) -> Int? {
    if policy.failures == 0 { return nil }
    if now >= windowEnd {
      failures = 0
      callsBefore = calls &- 1
      windowEnd = now &+ UInt64(clamping: policy.window.nanoseconds)
    }
    failures &+= 1
    let sinceThen = Int(calls &- callsBefore)
    if failures < policy.failures || failures &* functions &* 100 < sinceThen &* policy.percent { return nil }
    isTripped = true
    trippedAt = now
    until = now &+ UInt64(clamping: policy.duration.nanoseconds)
    trial = nil
    refused = 0
    return failures
  }

  func isOnTrial(_ x: Exchange) -> Bool { trial == x.reference }

  /// Whether an exchange may be tried: the time has come, and no other one is on trial.
  func allowsTrial(_ x: Exchange, _ now: UInt64) -> Bool {
    if now < until { return false }
    guard let trial, now < trialEnd else { return true }
    return x.worker.exchange(trial) == nil
  }

  mutating func beginTrial(_ x: Exchange, _ policy: LuaTripPolicy, _ now: UInt64) {
    trial = x.reference
    trialEnd = now &+ UInt64(clamping: policy.duration.nanoseconds)
  }

  /// The exchange on trial has failed.
  mutating func trialFailed(_ policy: LuaTripPolicy, _ now: UInt64) {
    trial = nil
    until = now &+ UInt64(clamping: policy.duration.nanoseconds)
  }
}
