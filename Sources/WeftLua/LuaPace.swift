/// Makes a filter wait after calls that took long, so that its worker serves others in between however many of its own
/// requests are there.
struct LuaPace {
  /// Monotonic nanoseconds.
  var until: UInt64 = 0

  private static let longest: UInt64 = 1_000_000_000

  /// Nanoseconds to wait after a call that took `spent` nanoseconds of processor time: four times as long if it failed, a
  /// quarter if it did what it was made for.
  static func pause(_ spent: UInt64, hasFailed: Bool) -> UInt64 {
    if !hasFailed { return min(spent / 4, longest) }
    return spent < longest / 4 ? spent * 4 : longest
  }

  /// Nanoseconds for which an exchange is held back at the most; after that, it is a failure.
  static let longestHold: UInt64 = 10_000_000_000
}
