import CLuaHost
import WeftFilter

/// The calls of one exchange that wait: one on the request's way, one on the response's. Kept as the filter's state of
/// the exchange, and made only for a call that waits.
struct WaitingCalls {
  var request: UnsafeMutablePointer<wl_slot>?
  var response: UnsafeMutablePointer<wl_slot>?
  /// The exchange stands still for one of them.
  var isSuspended = false
  /// It stands still before the script's function has been called, because earlier calls took long.
  var isHeld = false
  /// When it first did, in monotonic nanoseconds; 0: never.
  var heldSince: UInt64 = 0
  /// The answer to the call of a service for which it stands still.
  var answer: LuaCallAnswer?

  /// The call on the side of that phase.
  subscript(phase: ExchangePhase) -> UnsafeMutablePointer<wl_slot>? {
    get { Self.isRequestSide(phase) ? request : response }
    set {
      if Self.isRequestSide(phase) { request = newValue } else { response = newValue }
    }
  }

  static func isRequestSide(_ phase: ExchangePhase) -> Bool {
    switch phase {
    case .request, .requestBody, .requestTrailers: true
    case .response, .responseBody, .responseTrailers, .ended: false
    }
  }

  static func of(_ x: Exchange) -> UnsafeMutablePointer<WaitingCalls>? {
    x.filterState?.assumingMemoryBound(to: WaitingCalls.self)
  }

  static func make(_ x: Exchange) -> UnsafeMutablePointer<WaitingCalls> {
    if let known = of(x) { return known }
    let made = UnsafeMutablePointer<WaitingCalls>.allocate(capacity: 1)
    made.initialize(to: WaitingCalls())
    x.filterState = UnsafeMutableRawPointer(made)
    return made
  }

  /// The call on the present side has ended.
  static func end(_ x: Exchange) {
    guard let waiting = of(x) else { return }
    waiting.pointee[x.phase] = nil
    if waiting.pointee.request == nil && waiting.pointee.response == nil { drop(x) }
  }

  static func drop(_ x: Exchange) {
    guard let waiting = of(x) else { return }
    x.filterState = nil
    waiting.deinitialize(count: 1)
    waiting.deallocate()
  }
}
