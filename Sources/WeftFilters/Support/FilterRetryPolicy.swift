import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// The decisions of a `retry` filter on one worker.
final class FilterRetryPolicy: RetryPolicy {
  let share: RetryBudgetShare
  private let retry: Retry
  private let worker: WorkerContext
  private let retried: Counter
  private let exhausted: Counter
  private let noBudget: Counter
  private let notIdempotent: Counter
  private let retryAfter: Counter

  private static let retryAfterField = HeaderName("retry-after")
  private static let resetFields = [HeaderName("x-ratelimit-reset"), HeaderName("ratelimit-reset")]

  init(_ retry: Retry, _ worker: WorkerContext) {
    self.retry = retry
    self.worker = worker
    share = retry.budget.share(of: worker)
    retried = retry.series.counter(worker, "retried")
    exhausted = retry.series.counter(worker, "exhausted")
    noBudget = retry.series.counter(worker, "no_budget")
    notIdempotent = retry.series.counter(worker, "not_idempotent")
    retryAfter = retry.series.counter(worker, "retry_after")
    super.init(replayLimit: retry.maxBodyBytes, perTryTimeout: retry.perTryTimeout)
  }

  override func backoff(_ exchange: Exchange, after outcome: AttemptOutcome) -> UInt32? {
    switch retry.conditions.decide(exchange, outcome) {
    case .final: return nil
    case .notIdempotent:
      notIdempotent.add()
      return nil
    case .repeatable: break
    }
    if exchange.attempts > retry.attempts {
      exhausted.add()
      if retry.attempts > 0 { exchange.addFlags(.upstreamRetryLimitExceeded) }
      return nil
    }
    var wait: UInt32?
    if case .response = outcome, !retry.maxRetryAfter.isZero, let wanted = wantedPause(exchange) {
      if wanted > UInt64(clamping: retry.maxRetryAfter.milliseconds) {
        retryAfter.add()
        return nil
      }
      wait = UInt32(clamping: wanted) &+ retry.backoff.jitter(&worker.random)
    }
    if !share.takeRetry(now: exchange.now) {
      noBudget.add()
      return nil
    }
    retried.add()
    return wait ?? retry.backoff.pause(before: exchange.attempts, &worker.random)
  }

  /// Milliseconds that the upstream asks to wait (RFC 9110 10.2.3), or until it says that its rate limit resets; nil when
  /// it says nothing.
  private func wantedPause(_ exchange: Exchange) -> UInt64? {
    let wall = worker.clock.pointee.wall / 1_000_000_000
    if let value = exchange.response.headers.value(Self.retryAfterField) {
      if let seconds = value.decimal { return Self.milliseconds(seconds) }
      if let date = HTTPDate.seconds(value) { return Self.milliseconds(date > wall ? date &- wall : 0) }
    }
    if exchange.response.status != 429 { return nil }
    for name in Self.resetFields {
      guard let seconds = exchange.response.headers.value(name)?.decimal else { continue }
      // Some say when, in seconds since 1970, and some in how many seconds.
      if seconds < 1_000_000_000 { return Self.milliseconds(seconds) }
      return Self.milliseconds(seconds > wall ? seconds &- wall : 0)
    }
    return nil
  }

  private static func milliseconds(_ seconds: UInt64) -> UInt64 { min(seconds, 1 << 40) &* 1000 }
}
