import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// `retry`: repeats attempts that failed, within a budget.
public struct Retry: FilterType {
  public static let name = "retry"

  let conditions: RetryConditions
  /// Attempts after the first one.
  let attempts: Int
  let backoff: RetryBackoff
  /// Milliseconds; 0: none.
  let perTryTimeout: UInt32
  let maxBodyBytes: Int
  /// The longest Retry-After that is waited for; zero: it is not looked at.
  let maxRetryAfter: ConfigDuration
  let budget: RetryBudget
  let series: FilterSeries

  static let defaultBodyBytes = 64 * 1024
  static let defaultRetryAfter = ConfigDuration.seconds(5)

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    attempts = reader.int("attempts", in: 0...100, default: 1)
    conditions = RetryConditions(reader)
    backoff = reader.optionalObject("backoff") { RetryBackoff($0) } ?? RetryBackoff()
    let timeout = reader.duration("perTryTimeout", in: .zero...(.seconds(86_400)), default: .zero)
    perTryTimeout = UInt32(clamping: timeout.milliseconds)
    maxBodyBytes = reader.bytes("maxBodyBytes", in: 0...(16 << 20), default: Retry.defaultBodyBytes)
    maxRetryAfter = reader.duration("maxRetryAfter", in: .zero...(.seconds(3600)), default: Retry.defaultRetryAfter)
    budget = reader.optionalObject("budget") { RetryBudget($0) } ?? RetryBudget()
    series = try Retry.series(context)
  }

  /// A route rule's `retry`: connection errors, and responses with the codes that it names, whatever the method. What
  /// may have reached the backend and is not idempotent is repeated for such a response only.
  public init(_ retry: HTTPRoute.Retry, _ context: FilterTypeContext) throws {
    attempts = retry.attempts ?? 1
    conditions = RetryConditions(routeCodes: retry.codes)
    backoff = RetryBackoff(atLeast: retry.backoff ?? .zero)
    perTryTimeout = 0
    maxBodyBytes = Retry.defaultBodyBytes
    maxRetryAfter = Retry.defaultRetryAfter
    budget = RetryBudget()
    series = try Retry.series(context)
  }

  private static func series(_ context: FilterTypeContext) throws -> FilterSeries {
    try FilterSeries(
      context, "weft_filter_retries_total",
      help: "Failed attempts by what became of them: retried, exhausted, no_budget, not_idempotent, retry_after.",
      label: "result")
  }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter { RetryFilter(FilterRetryPolicy(self, worker)) }
}

final class RetryFilter: HTTPFilter {
  private let policy: FilterRetryPolicy

  init(_ policy: FilterRetryPolicy) { self.policy = policy }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    policy.share.countRequest(now: exchange.now)
    exchange.setRetryPolicy(policy)
    return .next
  }
}
