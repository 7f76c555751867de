import WeftConfig
import WeftFilter

/// How long to wait before a further attempt: a random time up to a bound that doubles with each attempt, so that
/// clients of one failure do not come back together.
struct RetryBackoff: Sendable {
  /// Milliseconds that are waited in any case.
  private let floor: UInt32
  /// Milliseconds: the bound before the first retry.
  private let base: UInt32
  /// Milliseconds: what the bound grows to at most.
  private let max: UInt32

  static let defaultBase = ConfigDuration.milliseconds(25)

  init() {
    floor = 0
    base = UInt32(clamping: RetryBackoff.defaultBase.milliseconds)
    max = base * 10
  }

  /// - Parameter duration: never less than that.
  init(atLeast duration: ConfigDuration) {
    floor = UInt32(clamping: duration.milliseconds)
    base = floor == 0 ? UInt32(clamping: RetryBackoff.defaultBase.milliseconds) : floor
    max = UInt32(clamping: UInt64(base) * 10)
  }

  init(_ reader: ObjectReader) {
    let base = reader.duration("base", in: .milliseconds(1)...(.seconds(3600)), default: RetryBackoff.defaultBase)
    let tenfold = ConfigDuration(nanoseconds: base.nanoseconds * 10)
    let max = reader.duration("max", in: .milliseconds(1)...(.seconds(36_000)), default: tenfold)
    if max < base { reader.error("max", "\(max) is shorter than the base, \(base)") }
    floor = 0
    self.base = UInt32(clamping: base.milliseconds)
    self.max = UInt32(clamping: max.milliseconds)
  }

  /// Milliseconds before retry `number`, counted from 1.
  func pause(before number: Int, _ random: inout WorkerRandom) -> UInt32 {
    let doublings = UInt64(min(Swift.max(number - 1, 0), 31))
    let bound = min(UInt64(base) << doublings, UInt64(max))
    return floor &+ random.below(UInt32(clamping: bound + 1))
  }

  /// Up to one base, for a time that somebody else has set.
  func jitter(_ random: inout WorkerRandom) -> UInt32 { random.below(base) }
}
