import Glibc

/// Processor time of the calling thread.
enum ThreadTime {
  static func nanoseconds() -> UInt64 {
    var time = timespec()
    // It fails for an unknown clock only.
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
