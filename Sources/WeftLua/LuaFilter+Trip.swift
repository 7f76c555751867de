import CLuaHost
import Logging
import WeftFilter

/// Whether calls are made at all: not while the filter is tripped, and not at once after a call that took long.
extension LuaFilter {
  /// Outcomes of calls that were not made.
  static let held = -1
  static let refused = -2

  /// Whether a function is the first of those that the script defines.
  func isFirst(_ function: Int) -> Bool {
    switch function {
    case WL_ON_REQUEST: true
    case WL_ON_RESPONSE: !state.hasOnRequest
    default: !state.hasOnRequest && !state.hasOnResponse
    }
  }

  /// Whether it is the last of those that can still change what the client gets; `on_log` where there is no other.
  private func isLast(_ function: Int) -> Bool {
    switch function {
    case WL_ON_REQUEST: !state.hasOnResponse
    case WL_ON_RESPONSE: true
    default: isFirst(WL_ON_LOG)
    }
  }

  /// Asks whether a call may be made.
  /// - Returns: nil if so, else `held` or `refused`.
  func admit(_ function: Int32, _ x: Exchange) -> Int32? {
    let now = x.now
    if own.pointee.trip.isTripped {
      if own.pointee.trip.isOnTrial(x) { return nil }
      guard isFirst(Int(function)), own.pointee.trip.allowsTrial(x, now) else { return Int32(Self.refused) }
      own.pointee.trip.beginTrial(x, type.trip, now)
      return nil
    }
    if now < own.pointee.pace.until { return Int32(Self.held) }
    if own.pointee.held == 0 {
      own.pointee.isGated = false
      return nil
    }
    // Nobody overtakes those that are held back.
    let isNext = function == Int32(WL_ON_LOG) || WaitingCalls.of(x).map { $0.pointee.heldSince != 0 } ?? false
    return isNext ? nil : Int32(Self.held)
  }

  // MARK: Pace

  /// A call took long.
  func pace(_ spent: UInt64, hasFailed: Bool, _ now: UInt64) {
    if !pacesCalls { return }
    // The worker's clock was read before the call.
    own.pointee.pace.until = now &+ spent &+ LuaPace.pause(spent, hasFailed: hasFailed)
    own.pointee.isGated = true
  }

  /// Keeps an exchange until the filter calls its script again.
  func hold(_ x: Exchange) -> FilterVerdict {
    let waiting = WaitingCalls.make(x)
    if waiting.pointee.heldSince == 0 { waiting.pointee.heldSince = x.now }
    if x.now - waiting.pointee.heldSince > LuaPace.longestHold {
      WaitingCalls.end(x)
      series.timeouts.add()
      return type.onError == .skip ? .next : deny(x, details: "lua_held_back")
    }
    waiting.pointee.isHeld = true
    own.pointee.held += 1
    waiting.pointee.isSuspended = true
    series.suspended.add()
    let until = own.pointee.pace.until
    let wait = until > x.now ? (until - x.now) / 1_000_000 + 1 : 1
    x.worker.resume(x.reference, afterMilliseconds: UInt32(clamping: wait))
    return .suspend
  }

  // MARK: Tripping

  /// The script does not run for the exchange.
  func refuse(_ x: Exchange) -> FilterVerdict {
    if type.trip.mode == .open {
      if isFirst(WaitingCalls.isRequestSide(x.phase) ? WL_ON_REQUEST : WL_ON_RESPONSE) {
        series.skipped.add()
        own.pointee.trip.refused &+= 1
      }
      return .next
    }
    // What has been denied on the request's way comes by once more, as a response.
    if x.isLocalResponse && x.responseFlags.contains(.filterError) { return .next }
    series.denied.add()
    own.pointee.trip.refused &+= 1
    return deny(x, details: "lua_tripped")
  }

  func noteFailure(_ failure: LuaFailure, _ x: Exchange) {
    if own.pointee.trip.isTripped {
      guard own.pointee.trip.isOnTrial(x) else { return }
      own.pointee.trip.trialFailed(type.trip, x.now)
      series.trips.add()
      return
    }
    // Of a configuration that is in force no more.
    if uses == 0 { return }
    let functions = [state.hasOnRequest, state.hasOnResponse, state.hasOnLog].count { $0 }
    guard
      let failures = own.pointee.trip.fail(type.trip, calls: own.pointee.calls, functions: functions, now: x.now)
    else { return }
    own.pointee.isGated = true
    series.trips.add()
    series.tripped.add()
    let fate = type.trip.mode == .open ? "skip it" : "are denied"
    let error = failure.description.prefix { $0 != "\n" }
    type.logger.error(
      """
      the filter has tripped \(type.trip.mode.rawValue): \(failures) calls failed within \(type.trip.window), so that \
      requests \(fate) for \(type.trip.duration) at a time, until one that is tried succeeds. Correct the script, or go \
      back to a version that worked; it runs as soon as it is in place. The last error: \(error)
      """, metadata: metadata)
  }

  /// A function has come to its end well: if it was the last one of the exchange on trial, the filter runs again.
  func settleTrial(_ function: Int, _ x: Exchange) {
    guard own.pointee.trip.isTripped, own.pointee.trip.isOnTrial(x), isLast(function) else { return }
    let seconds = (x.now &- own.pointee.trip.trippedAt) / 1_000_000_000
    let refused = own.pointee.trip.refused
    own.pointee.trip = LuaTrip()
    own.pointee.isGated = x.now < own.pointee.pace.until
    series.tripped.sub()
    let fate = type.trip.mode == .open ? "skipped it" : "were denied"
    type.logger.notice(
      "the filter runs again, after \(seconds) s in which \(refused) requests \(fate)", metadata: metadata)
  }

  private var metadata: Logger.Metadata { ["filter": "\(type.filterName)", "bundle": "\(type.program.name)"] }
}
