/// Bucket bounds that suit most uses, and the memory that lets `Histogram.observe` find a bucket in a few instructions.
public enum HistogramBuckets {
  /// For request and connect durations: 0.5 ms to 60 s, in nanoseconds.
  public static let durations: [UInt64] = [
    500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000,
    500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000, 30_000_000_000, 60_000_000_000,
  ]

  /// For work inside the process: 1 µs to 1 s, in nanoseconds.
  public static let shortDurations: [UInt64] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 50_000_000, 250_000_000, 1_000_000_000,
  ]

  /// For bodies: 256 bytes to 1 GiB.
  public static let sizes: [UInt64] = [
    256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20, 1 << 30,
  ]
}

/// Bounds laid out for the search: the bounds, a sentinel that no value exceeds, then 65 bytes that map the number of
/// significant bits of a value to the first bucket that it can fall into. Between two powers of two stand few bounds,
/// so the search that follows takes a step or two.
///
/// Owned by the registry for as long as it lives.
struct HistogramLayout: @unchecked Sendable {
  let base: UnsafeMutablePointer<UInt64>
  let bounds: [UInt64]
  /// Cells of one series: the sum, then the buckets with +Inf.
  var cellCount: Int { bounds.count + 2 }
  /// Words before the table of first buckets.
  var wordCount: Int { bounds.count + 1 }

  init(bounds: [UInt64]) {
    self.bounds = bounds
    let words = bounds.count + 1
    base = .allocate(capacity: words + 9)
    base.initialize(repeating: 0, count: words + 9)
    for (i, bound) in bounds.enumerated() { base[i] = bound }
    base[bounds.count] = .max
    let first = UnsafeMutableRawPointer(base + words).assumingMemoryBound(to: UInt8.self)
    for bits in 0...64 {
      let smallest: UInt64 = bits == 0 ? 0 : 1 << UInt64(bits - 1)
      first[bits] = UInt8(bounds.firstIndex { smallest <= $0 } ?? bounds.count)
    }
  }

  func free() { base.deallocate() }
}
