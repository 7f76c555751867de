/// Counts of latencies in buckets that are at most 1/64 wide: percentiles are right to 1.6 %, whatever their size.
struct Histogram {
  private static let bits = 6
  private var counts = [UInt64](repeating: 0, count: (64 - bits + 1) << bits)
  private(set) var total: UInt64 = 0
  private(set) var longest: UInt64 = 0

  mutating func add(_ nanoseconds: UInt64) {
    counts[Self.index(nanoseconds)] += 1
    total += 1
    longest = max(longest, nanoseconds)
  }

  /// The latency that this share (0 to 1) of all stayed below or at; 0 when there are none.
  func percentile(_ share: Double) -> UInt64 {
    let wanted = max(1, UInt64((share * Double(total)).rounded(.up)))
    var seen: UInt64 = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if seen >= wanted { return min(Self.upperBound(index), longest) }
    }
    return longest
  }

  private static func index(_ value: UInt64) -> Int {
    let shift = max(0, 63 - value.leadingZeroBitCount - bits)
    return (shift << bits) + Int(value >> UInt64(shift))
  }

  private static func upperBound(_ index: Int) -> UInt64 {
    let shift = max(0, (index >> bits) - 1)
    return (UInt64(index - (shift << bits)) + 1) << UInt64(shift) - 1
  }
}
