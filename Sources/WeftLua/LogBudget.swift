/// So many log lines a second; counts those that are left out, to say so with the next one.
struct LogBudget {
  private let linesPerSecond: Int
  private var second: UInt64 = 0
  private var written = 0
  private var suppressed = 0

  init(linesPerSecond: Int) { self.linesPerSecond = linesPerSecond }

  /// Asks for a line.
  /// - Parameter now: nanoseconds of any clock that does not go back.
  /// - Returns: how many lines were left out before this one, or nil: leave this one out as well.
  mutating func take(now: UInt64) -> Int? {
    let present = now / 1_000_000_000
    if present != second {
      second = present
      written = 0
    }
    if written >= linesPerSecond {
      suppressed += 1
      return nil
    }
    written += 1
    defer { suppressed = 0 }
    return suppressed
  }
}
