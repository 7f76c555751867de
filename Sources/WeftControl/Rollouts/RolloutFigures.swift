/// What one version of a bundle did.
public struct RolloutFigures: Sendable, Hashable, Codable {
  public var requests: UInt64 = 0
  /// Failures of its script.
  public var errors: UInt64 = 0
  /// Requests that were answered with a 5xx.
  public var failures: UInt64 = 0
  /// Shadow mode: calls in which it did the same as the present version, and did not.
  public var same: UInt64 = 0
  public var different: UInt64 = 0
  /// Calls of its script that were timed, and how long these took together: processor time.
  public var timedCalls: UInt64 = 0
  public var timedNanoseconds: UInt64 = 0
  /// Bucket i holds what took less than 0.1 ms × 2^i, the last one the rest.
  public var latency = [UInt64](repeating: 0, count: TelemetryAggregator.Limits.buckets)

  public init() {}

  init(_ counts: TelemetryAggregator.FilterCounts, isShadow: Bool) {
    same = counts.same
    different = counts.different
    timedCalls = counts.timedCalls
    timedNanoseconds = counts.timedNanoseconds
    // Beside the present version, a call that was compared is what a request is otherwise.
    requests = isShadow ? counts.same &+ counts.different : counts.calls
    errors = counts.errors
    failures = counts.failures
    if !counts.latency.isEmpty { latency = counts.latency }
  }

  mutating func add(_ other: RolloutFigures) {
    requests &+= other.requests
    errors &+= other.errors
    failures &+= other.failures
    same &+= other.same
    different &+= other.different
    timedCalls &+= other.timedCalls
    timedNanoseconds &+= other.timedNanoseconds
    for (i, count) in other.latency.enumerated() where i < latency.count { latency[i] &+= count }
  }

  /// What was added since; all of it when it has begun anew.
  func since(_ last: RolloutFigures) -> RolloutFigures {
    func added(_ new: UInt64, _ old: UInt64) -> UInt64 { new >= old ? new - old : new }
    var result = RolloutFigures()
    result.requests = added(requests, last.requests)
    result.errors = added(errors, last.errors)
    result.failures = added(failures, last.failures)
    result.same = added(same, last.same)
    result.different = added(different, last.different)
    result.timedCalls = added(timedCalls, last.timedCalls)
    result.timedNanoseconds = added(timedNanoseconds, last.timedNanoseconds)
    for i in latency.indices where i < last.latency.count { result.latency[i] = added(latency[i], last.latency[i]) }
    return result
  }

  // MARK: Rates

  /// Percent of its requests that were answered with a 5xx.
  public var errorRate: Double { requests == 0 ? 0 : Double(failures) / Double(requests) * 100 }
  /// Percent of its requests whose script failed.
  public var scriptErrorRate: Double { requests == 0 ? 0 : min(Double(errors) / Double(requests) * 100, 100) }

  /// Milliseconds of processor time that a call of its script takes on average; nil: none was timed.
  public var callTime: Double? { timedCalls == 0 ? nil : Double(timedNanoseconds) / Double(timedCalls) / 1e6 }

  /// Milliseconds below which a share of its requests ended, linear within a bucket; nil without requests.
  public func latency(quantile: Double) -> Double? {
    let total = latency.reduce(0, &+)
    if total == 0 { return nil }
    let rank = Double(total) * quantile
    var before = 0.0
    for (i, count) in latency.enumerated() where count > 0 {
      if before + Double(count) >= rank {
        let (low, high) = Self.bounds(i)
        return low + (high - low) * max(rank - before, 0) / Double(count)
      }
      before += Double(count)
    }
    return Self.bounds(latency.count - 1).high
  }

  /// Milliseconds that its requests took on average, as far as buckets tell; nil without requests.
  public var meanLatency: Double? {
    let total = latency.reduce(0, &+)
    if total == 0 { return nil }
    let sum = latency.enumerated().reduce(0.0) { sum, bucket in
      let (low, high) = Self.bounds(bucket.offset)
      return sum + Double(bucket.element) * (low + high) / 2
    }
    return sum / Double(total)
  }

  private static func bounds(_ bucket: Int) -> (low: Double, high: Double) {
    let high = 0.1 * Double(UInt64(1) << UInt64(min(bucket, 40)))
    return (bucket == 0 ? 0 : high / 2, high)
  }
}
