import CLuaHost
import Logging
import WeftFilter
import WeftIO
import WeftTelemetry

/// The work of one state that belongs to no exchange: its `on_load`, and what it has given to `weft.every`.
///
/// Used on the worker's thread alone, from when a configuration that uses the state is in force until none is.
final class LuaBackground {
  private unowned let state: LuaState
  private let worker: WorkerContext
  private let series: Series?
  private var works: [LuaWork] = []
  private var users = 0
  private var hasLoaded = false
  /// In milliseconds: no run begins before, because the last one took long.
  fileprivate var pausedUntil: UInt64 = 0

  /// What became of runs.
  private struct Series {
    let done: Counter
    let errors: Counter
    let limits: Counter
  }

  init(_ state: LuaState, _ worker: WorkerContext) {
    self.state = state
    self.worker = worker
    guard let metrics = state.program.surroundings?.metrics else {
      series = nil
      return
    }
    let bundle = state.program.name
    series = Series(
      done: worker.metrics.counter(metrics.backgroundRuns, [bundle, "done"]),
      errors: worker.metrics.counter(metrics.backgroundRuns, [bundle, LuaFailure.Reason.error.rawValue]),
      limits: worker.metrics.counter(metrics.backgroundRuns, [bundle, LuaFailure.Reason.limit.rawValue]))
  }

  /// A filter that uses the state is in force.
  func start() {
    users += 1
    if users > 1 { return }
    if !hasLoaded && wl_has_on_load(state.host) != 0 { works.append(LuaWork(self, .onLoad)) }
    hasLoaded = true
    for timer in 0..<wl_timer_count(state.host) {
      // One worker does what one worker is to do.
      if wl_timer_is_each(state.host, timer) == 0 && worker.index != 0 { continue }
      works.append(LuaWork(self, .every(timer, UInt64(wl_timer_interval(state.host, timer)))))
    }
    for work in works { work.begin() }
  }

  /// One such filter is in force no more.
  func stop() {
    users -= 1
    if users > 0 { return }
    for work in works { work.cancel() }
    works = []
  }

  // MARK: For the works

  fileprivate var host: OpaquePointer { state.host }
  fileprivate var now: UInt64 { worker.now / 1_000_000 }

  fileprivate func schedule(_ timer: WorkerTimer, at milliseconds: UInt64) {
    worker.schedule(timer, afterMilliseconds: UInt32(clamping: milliseconds > now ? milliseconds - now : 1))
  }

  fileprivate func cancel(_ timer: WorkerTimer) { worker.cancel(timer) }

  /// A run has ended, or waits.
  fileprivate func pace(_ outcome: Int32) {
    let spent = wl_take_spent(state.host)
    if spent == 0 { return }
    let pause = spent &+ LuaPace.pause(spent, hasFailed: outcome >= WL_FAILED)
    pausedUntil = now + pause / 1_000_000 + 1
  }

  fileprivate func count(_ outcome: Int32) {
    if outcome == WL_DONE || outcome == WL_DONE_SLOWLY {
      series?.done.add()
      return
    }
    let failure = state.failure(outcome)
    if failure.reason == .limit { series?.limits.add() } else { series?.errors.add() }
    if state.isGivenUp { state.succession?.begin() }
    guard let logger = state.program.surroundings?.logger, let suppressed = state.errorLog.take(now: worker.now) else {
      return
    }
    var metadata: Logger.Metadata = ["bundle": "\(state.program.name)"]
    if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
    logger.error("\(failure)", metadata: metadata)
  }
}

/// One function that runs in the background. It never overlaps with itself: its timer is for the next run, or while one
/// waits, for that.
final class LuaWork {
  enum Kind {
    case onLoad
    /// The number of the host's timer, and milliseconds.
    case every(Int32, UInt64)
  }

  /// Milliseconds.
  private static let longestDelay: UInt64 = 60_000

  private unowned let background: LuaBackground
  private let kind: Kind
  /// The coroutine of a run that waits.
  private var slot: UnsafeMutablePointer<wl_slot>?
  private var next: UInt64 = 0
  /// Runs in a row that broke a limit.
  private var brokenLimits: UInt64 = 0
  private lazy var timer = WorkerTimer { [unowned self] in fire() }

  fileprivate init(_ background: LuaBackground, _ kind: Kind) {
    self.background = background
    self.kind = kind
  }

  fileprivate func begin() {
    switch kind {
    case .onLoad: run()
    case .every(_, let interval):
      next = background.now + interval
      background.schedule(timer, at: next)
    }
  }

  fileprivate func cancel() {
    background.cancel(timer)
    if let slot { wl_cancel(slot) }
    slot = nil
  }

  /// An answer has come. It is read after the present event, which may be in the middle of that answer.
  func wake() { background.schedule(timer, at: 0) }

  private func fire() {
    guard let waiting = slot else {
      if background.now < background.pausedUntil { return background.schedule(timer, at: background.pausedUntil) }
      return run()
    }
    slot = nil
    settle(wl_resume(waiting, nil, nil), waiting)
  }

  private func run() {
    let number: Int32 =
      switch kind {
      case .onLoad: -1
      case .every(let timer, _): timer
      }
    var made: UnsafeMutablePointer<wl_slot>?
    settle(wl_start_work(background.host, number, Unmanaged.passUnretained(self).toOpaque(), &made), made)
  }

  private func settle(_ outcome: Int32, _ waiting: UnsafeMutablePointer<wl_slot>?) {
    background.pace(outcome)
    switch Int(outcome) {
    case WL_SLEEP, WL_WAIT_EVENTS:
      guard let waiting else { return }
      slot = waiting
      // Without a time, what it waits for calls `wake`.
      let milliseconds = waiting.pointee.milliseconds
      if outcome == WL_SLEEP || milliseconds > 0 {
        background.schedule(timer, at: background.now + UInt64(milliseconds))
      }
    default:
      background.count(outcome)
      guard case .every(_, let interval) = kind else { return }
      // What was missed while a run took too long is not made up for.
      next = max(next + interval, background.now + 1)
      // One that breaks a limit each time is tried ever more rarely.
      brokenLimits = outcome == WL_FAILED_CPU || outcome == WL_FAILED_MEMORY ? min(brokenLimits + 1, 16) : 0
      if brokenLimits > 0 { next = max(next, background.now + min(interval << brokenLimits, Self.longestDelay)) }
      background.schedule(timer, at: next)
    }
  }
}
