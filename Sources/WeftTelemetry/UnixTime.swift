import Glibc

/// The time of day, for timestamps; it may be set back. Durations are measured with `MonotonicTime`.
public enum UnixTime {
  /// Nanoseconds since the Unix epoch (CLOCK_REALTIME); 0 for a clock that stands before it.
  public static func nanoseconds() -> UInt64 {
    var time = timespec()
    guard clock_gettime(CLOCK_REALTIME, &time) == 0, time.tv_sec >= 0 else { return 0 }
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
