import Glibc

/// Time that never goes back, for timers and durations; not the time of day.
public enum MonotonicTime {
  /// Milliseconds since some moment in the past (CLOCK_MONOTONIC).
  @inlinable
  public static func milliseconds() -> UInt64 { nanoseconds() / 1_000_000 }

  /// Nanoseconds since the same moment.
  @inlinable
  public static func nanoseconds() -> UInt64 {
    var time = timespec()
    // It cannot fail for this clock and a valid pointer (clock_gettime(2)).
    _ = clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
  }
}
