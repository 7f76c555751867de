import WeftFilter
import WeftIO

/// Attempts that have failed, and what comes after them.
extension Worker {
  /// An attempt has failed, or brought a status that a retry policy may not want. The upstream connection is dealt with.
  func attemptFailed(_ x: ExchangeRef, _ outcome: AttemptOutcome, _ failure: Failure) {
    if x.pointee.responseHeadSent { return abort(x, failure) }
    if !retry(x, outcome) { fail(x, failure) }
  }

  /// Asks the retry policy; true when another attempt will be made.
  func retry(_ x: ExchangeRef, _ outcome: AttemptOutcome) -> Bool {
    let s = x.pointee.state
    guard let policy = s.pointee.retryPolicy, canRepeat(x) else { return false }
    // A failed connect is an attempt that was never sent.
    if outcome == .connectFailure { s.pointee.attempts &+= 1 }
    guard let pause = policy._withUnsafeGuaranteedRef({ $0.backoff(x.pointee.handle, after: outcome) }) else {
      return false
    }
    if let service = x.pointee.service {
      if !x.pointee.isRetried {
        if service.pointee.maxRetries != 0 && service.pointee.retries >= service.pointee.maxRetries {
          service.pointee.metrics.retryOverflows.add()
          return false
        }
        x.pointee.isRetried = true
        service.pointee.retries &+= 1
      }
      service.pointee.metrics.retries.add()
    }
    x.pointee.connectTries = 0
    x.pointee.stage = .connecting
    if pause == 0 {
      forward(x)
    } else {
      x.pointee.isBackingOff = true
      setWake(x, pause)
    }
    return true
  }

  /// The exchange ends, or goes to another service.
  func leaveRetries(_ x: ExchangeRef) {
    x.pointee.isRetried = false
    x.pointee.service?.pointee.retries &-= 1
  }

  /// Whether all of the body that has been sent can be sent again.
  func canRepeat(_ x: ExchangeRef) -> Bool { x.pointee.requestMode == .buffered || !x.pointee.replayLost }

  func setWake(_ x: ExchangeRef, _ milliseconds: UInt32) {
    x.pointee.wakeTimer.token = Token(kind: Owner.exchangeWake, slot: x.pointee.slot, generation: 0).raw
    wheel.pointee.schedule(&x.pointee.wakeTimer, at: deadline(milliseconds))
  }
}
