import CLuaHost
import Logging
import WeftBundle
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// Runs a script's functions for one use of a program in the configuration, on one worker.
///
/// A call that ends at once leaves nothing behind. One that waits leaves its coroutine with the exchange, in a
/// `WaitingCalls`, until what it waits for has come or the exchange ends.
///
/// What a call costs others is bounded in two ways, both by the filter and its worker alone: it trips when the script keeps
/// failing (`LuaTrip`), and waits a while after a call that took long (`LuaPace`).
final class LuaFilter: HTTPFilter {
  let type: LuaFilterUse
  /// Another one once this one is given up: see `LuaSuccession`.
  private(set) var state: LuaState
  /// Where the filter's worker counts.
  let shard: MetricsShard
  let series: LuaCounters
  /// Keeps those of `series` that only this version has.
  private let lease: MetricsLease
  let own: UnsafeMutablePointer<Own>
  private let bodyLimit: Int
  private let clearsRoute: Bool
  let pacesCalls: Bool
  /// Failures of this version of a bundle, while another takes its place.
  var failures: Counter?
  /// Where else times of calls are counted.
  var timings: Histogram?
  /// The script has asked for a service that it may not call.
  var hasMissedService = false

  /// What changes. Behind a pointer, where access needs no exclusivity check.
  struct Own {
    /// The state's.
    var host: OpaquePointer
    /// The settings' table, made by the first call, because a state is touched on its worker's thread only.
    var settings: Int32 = LUA_NOREF
    var isPrepared = false
    /// A call must ask first whether it may be made.
    var isGated = false
    /// Calls. The first one is one of those that are timed, so that it comes by `startSlowly`.
    var calls: UInt32 = LuaMetrics.sampling - 1
    var trip = LuaTrip()
    var pace = LuaPace()
    /// Exchanges that are held back.
    var held = 0
  }

  /// - Parameter pacesCalls: whether it waits after a call that took long.
  init(_ type: LuaFilterUse, _ state: LuaState, _ worker: WorkerContext, pacesCalls: Bool = true) {
    self.type = type
    self.state = state
    shard = worker.metrics
    lease = worker.metrics.registry.makeLease()
    series = LuaCounters(type.metrics, worker.metrics, type, lease: lease)
    bodyLimit = type.program.limits.body
    clearsRoute = type.clearsRoute
    self.pacesCalls = pacesCalls
    own = .allocate(capacity: 1)
    own.initialize(to: Own(host: state.host))
  }

  deinit {
    if own.pointee.settings != LUA_NOREF { state.release(settings: own.pointee.settings) }
    own.deallocate()
  }

  override var phases: FilterPhases {
    var phases: FilterPhases = []
    if state.hasOnRequest { phases.insert(.request) }
    if state.hasOnResponse { phases.insert(.response) }
    if state.hasOnLog { phases.insert(.log) }
    return phases
  }

  override func onStart() {
    state.environment.services.merge(type.services) { known, _ in known }
    state.background?.start()
    state.succession?.join(self)
  }

  override func onStop() {
    state.background?.stop()
    state.succession?.leave(self)
    if own.pointee.trip.isTripped { series.tripped.sub() }
    own.pointee.trip = LuaTrip()
    own.pointee.isGated = false
  }

  /// Goes on with another state, the present one being given up. Calls that wait in that one end there.
  func adopt(_ next: LuaState) {
    let former = state
    onStop()
    state = next
    next.succeed(former)
    own.pointee.host = next.host
    own.pointee.settings = LUA_NOREF
    own.pointee.isPrepared = false
    own.pointee.calls = LuaMetrics.sampling - 1
    own.pointee.pace = LuaPace()
    own.pointee.isGated = own.pointee.held > 0
    onStart()
  }

  // MARK: Phases

  override func onRequest(_ x: Exchange) -> FilterVerdict {
    var slot: UnsafeMutablePointer<wl_slot>?
    if clearsRoute { x.clearRoute() }
    let outcome = start(Int32(WL_ON_REQUEST), x, &slot)
    return outcome == WL_DONE ? .next : verdict(x, outcome, slot)
  }

  override func onResponse(_ x: Exchange) -> FilterVerdict {
    var slot: UnsafeMutablePointer<wl_slot>?
    let outcome = start(Int32(WL_ON_RESPONSE), x, &slot)
    return outcome == WL_DONE ? .next : verdict(x, outcome, slot)
  }

  override func onLog(_ x: Exchange) {
    var slot: UnsafeMutablePointer<wl_slot>?
    let outcome = start(Int32(WL_ON_LOG), x, &slot)
    if outcome != WL_DONE { endOfLog(x, outcome) }
  }

  override func onRequestBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    guard let waiting = WaitingCalls.of(x), let slot = waiting.pointee.request else { return .next }
    return show(&chunk, to: slot, x)
  }

  override func onResponseBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    guard let waiting = WaitingCalls.of(x), let slot = waiting.pointee.response else { return .next }
    return show(&chunk, to: slot, x)
  }

  override func onResume(_ x: Exchange) -> FilterVerdict {
    guard let waiting = WaitingCalls.of(x) else { return .next }
    if waiting.pointee.isSuspended {
      waiting.pointee.isSuspended = false
      series.suspended.sub()
      // An answer may have come before the time that it would have waited for.
      if let slot = waiting.pointee[x.phase], slot.pointee.wait == WL_WAIT_EVENTS, slot.pointee.milliseconds > 0 {
        x.worker.cancelTimer(x.reference)
      }
    }
    if waiting.pointee.isHeld {
      waiting.pointee.isHeld = false
      own.pointee.held -= 1
      return WaitingCalls.isRequestSide(x.phase) ? onRequest(x) : onResponse(x)
    }
    switch x.phase {
    case .request, .response, .ended:
      guard let slot = waiting.pointee[x.phase] else { return .next }
      return resume(slot, x, nil)
    case .requestBody, .requestTrailers, .responseBody, .responseTrailers:
      guard let slot = waiting.pointee[x.phase] else { return .next }
      var held = LuaChunk(current: nil)
      return withUnsafeMutablePointer(to: &held) { resume(slot, x, $0) }
    }
  }

  override func onEnd(_ x: Exchange) {
    guard let waiting = WaitingCalls.of(x) else { return }
    if waiting.pointee.isSuspended { series.suspended.sub() }
    if waiting.pointee.isHeld { own.pointee.held -= 1 }
    if let slot = waiting.pointee.request { wl_cancel(slot) }
    if let slot = waiting.pointee.response { wl_cancel(slot) }
    WaitingCalls.drop(x)
    state.releaseFormers()
  }

  // MARK: Calls

  @inline(__always)
  func start(
    _ function: Int32, _ x: Exchange, _ slot: inout UnsafeMutablePointer<wl_slot>?
  ) -> Int32 {
    if own.pointee.isGated { return startGated(function, x, &slot) }
    series.calls.add()
    own.pointee.calls &+= 1
    if own.pointee.calls & (LuaMetrics.sampling - 1) == 0 { return startSlowly(function, x, &slot) }
    return wl_start(
      own.pointee.host, function, x.state, Unmanaged.passUnretained(self).toOpaque(), own.pointee.settings, &slot)
  }

  /// A call that must ask first.
  @inline(never)
  private func startGated(
    _ function: Int32, _ x: Exchange, _ slot: inout UnsafeMutablePointer<wl_slot>?
  ) -> Int32 {
    if let refusal = admit(function, x) { return refusal }
    series.calls.add()
    own.pointee.calls &+= 1
    let outcome = startSlowly(function, x, &slot)
    if outcome == WL_DONE { settleTrial(Int(function), x) }
    return outcome
  }

  /// The first call, and those that are timed.
  @inline(never)
  private func startSlowly(
    _ function: Int32, _ x: Exchange, _ slot: inout UnsafeMutablePointer<wl_slot>?
  ) -> Int32 {
    if !own.pointee.isPrepared {
      if let tape = type.settings {
        guard let settings = state.makeSettings(tape) else {
          own.pointee.calls = LuaMetrics.sampling - 1
          return Int32(WL_FAILED_MEMORY)
        }
        own.pointee.settings = settings
      }
      own.pointee.isPrepared = true
    }
    let before = ThreadClock.now
    let outcome = wl_start(
      own.pointee.host, function, x.state, Unmanaged.passUnretained(self).toOpaque(), own.pointee.settings, &slot)
    let spent = ThreadClock.now - before
    series.durations.observe(nanoseconds: spent)
    timings?.observe(nanoseconds: spent)
    return outcome
  }

  /// Lets a call that waits for a piece of the body, or for its end, have it.
  private func show(_ chunk: inout BodyChunk, to slot: UnsafeMutablePointer<wl_slot>, _ x: Exchange) -> FilterVerdict {
    if chunk.isLast { slot.pointee.body_ended = 1 }
    if slot.pointee.wait == WL_WAIT_TRAILERS && !chunk.isLast { return .next }
    guard slot.pointee.wait == WL_WAIT_CHUNK || slot.pointee.wait == WL_WAIT_TRAILERS else { return .next }
    return withUnsafeMutablePointer(to: &chunk) { current in
      var shown = LuaChunk(current: current)
      return withUnsafeMutablePointer(to: &shown) { resume(slot, x, $0) }
    }
  }

  /// Lets a call that waits go on.
  private func resume(
    _ slot: UnsafeMutablePointer<wl_slot>, _ x: Exchange, _ chunk: UnsafeMutableRawPointer?
  ) -> FilterVerdict {
    if slot.pointee.host == own.pointee.host { return verdict(x, wl_resume(slot, x.state, chunk), slot) }
    // It began in a state that has been given up since, and ends with it.
    wl_cancel(slot)
    WaitingCalls.end(x)
    state.releaseFormers()
    series.limits.add()
    failures?.add()
    return type.onError == .skip ? .next : deny(x, details: "lua_error")
  }

  // MARK: What comes of a call

  private func verdict(_ x: Exchange, _ outcome: Int32, _ slot: UnsafeMutablePointer<wl_slot>?) -> FilterVerdict {
    let spent = wl_take_spent(own.pointee.host)
    if spent > 0 { pace(spent, hasFailed: outcome >= WL_FAILED, x.now) }
    switch Int(outcome) {
    case WL_DONE, WL_DONE_SLOWLY:
      WaitingCalls.end(x)
      settleTrial(WaitingCalls.isRequestSide(x.phase) ? WL_ON_REQUEST : WL_ON_RESPONSE, x)
      return .next
    case WL_WAIT_BODY:
      suspend(x, slot)
      if x.phase == .request { return x.bufferRequestBody(limit: bodyLimit) }
      return x.bufferResponseBody(limit: bodyLimit)
    case WL_WAIT_CHUNK, WL_WAIT_TRAILERS:
      WaitingCalls.make(x).pointee[x.phase] = slot
      if WaitingCalls.isRequestSide(x.phase) { x.watchRequestBody() } else { x.watchResponseBody() }
      return .next
    case WL_SLEEP:
      suspend(x, slot)
      x.worker.resume(x.reference, afterMilliseconds: slot?.pointee.milliseconds ?? 0)
      return .suspend
    case WL_WAIT_CALL:
      suspend(x, slot)
      return .suspend
    case WL_WAIT_EVENTS:
      suspend(x, slot)
      let milliseconds = slot?.pointee.milliseconds ?? 0
      if milliseconds > 0 { x.worker.resume(x.reference, afterMilliseconds: milliseconds) }
      return .suspend
    case WL_RESPONDED:
      WaitingCalls.end(x)
      settleTrial(WaitingCalls.isRequestSide(x.phase) ? WL_ON_REQUEST : WL_ON_RESPONSE, x)
      return .respond
    case Self.held: return hold(x)
    case Self.refused:
      WaitingCalls.end(x)
      return refuse(x)
    default:
      WaitingCalls.end(x)
      return failed(x, outcome)
    }
  }

  private func suspend(_ x: Exchange, _ slot: UnsafeMutablePointer<wl_slot>?) {
    let waiting = WaitingCalls.make(x)
    waiting.pointee[x.phase] = slot
    waiting.pointee.isSuspended = true
    series.suspended.add()
  }

  private func failed(_ x: Exchange, _ outcome: Int32) -> FilterVerdict {
    report(outcome, x)
    return type.onError == .skip ? .next : deny(x, details: "lua_error")
  }

  func deny(_ x: Exchange, details: StaticString) -> FilterVerdict {
    x.respond(500, body: Bytes("a filter failed\n"), details: details)
    x.addFlags(.filterError)
    return .respond
  }

  private func endOfLog(_ x: Exchange, _ outcome: Int32) {
    let spent = wl_take_spent(own.pointee.host)
    if spent > 0 { pace(spent, hasFailed: outcome >= WL_FAILED, x.now) }
    switch Int(outcome) {
    case WL_DONE_SLOWLY: settleTrial(WL_ON_LOG, x)
    case Self.held: break
    case Self.refused: if isFirst(WL_ON_LOG) { series.skipped.add() }
    default: report(outcome, x)
    }
  }

  private func report(_ outcome: Int32, _ x: Exchange) {
    let failure = state.failure(outcome)
    if failure.reason == .limit { series.limits.add() } else { series.errors.add() }
    failures?.add()
    noteFailure(failure, x)
    if state.isGivenUp { state.succession?.begin() }
    guard let suppressed = state.errorLog.take(now: x.now) else { return }
    var metadata: Logger.Metadata = [
      "filter": "\(type.filterName)", "bundle": "\(type.program.name)", "reason": "\(failure.reason.rawValue)",
    ]
    if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
    type.logger.error("\(failure)", metadata: metadata)
  }
}
