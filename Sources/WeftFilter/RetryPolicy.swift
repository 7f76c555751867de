/// Why an attempt at an upstream did not bring a response that could be passed on, or what it brought.
@frozen
public enum AttemptOutcome: Equatable, Sendable {
  /// No connection could be made.
  case connectFailure
  /// The upstream closed or reset before it sent a response's head.
  case reset
  /// The upstream refused the request unprocessed (HTTP/2 REFUSED_STREAM).
  case refused
  /// No response in the time given to one attempt.
  case timeout
  /// A response's head has come, with this status.
  case response(Int)
}

/// Decides whether and when a failed attempt is repeated. A filter puts one on the exchange (`Exchange.setRetryPolicy`) in
/// `onRequest`; the worker asks it after each attempt. One instance per worker, so it may keep a budget.
open class RetryPolicy {
  /// Request body bytes kept for a repetition; a request that has sent more is not repeated.
  public let replayLimit: Int
  /// Milliseconds for one attempt, from the request sent to the response's head; 0: no limit of its own.
  public let perTryTimeout: UInt32

  public init(replayLimit: Int, perTryTimeout: UInt32) {
    self.replayLimit = replayLimit
    self.perTryTimeout = perTryTimeout
  }

  /// - Returns: milliseconds to wait before the next attempt, or nil to take the outcome as final.
  ///   `exchange.attempts` counts the attempts so far.
  open func backoff(_ exchange: Exchange, after outcome: AttemptOutcome) -> UInt32? { nil }

  /// The exchange that took retries under this policy has ended; for budgets.
  open func finished(_ exchange: Exchange) {}
}
