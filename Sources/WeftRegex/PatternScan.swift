import CPCRE2
import Glibc
import WeftIO

/// Processor time of this thread since the first question. Reading it is a system call: a scan asks only now and then.
struct ScanClock {
  let limit: Int64
  private var start: Int64 = -1

  init(limit: Int64) { self.limit = limit }

  mutating func hasExpired() -> Bool {
    var time = timespec()
    if clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0 { return true }
    let now = Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    if start < 0 { start = now }
    return now &- start > limit
  }
}

extension Pattern {
  /// Finds a match that starts anywhere.
  ///
  /// PCRE2's own limit holds for each starting point anew, so that a hostile subject of `n` bytes would get `n` times
  /// as far. So the starting points are tried in windows, each with a share of the limit. A window that exceeds its share
  /// is tried again point by point, each with the whole limit, for one expensive point is no sign of hostility; and
  /// between any two tries the clock is asked.
  func scan(
    _ subject: Bytes, from: Int, _ scratch: borrowing PatternScratch, _ clock: inout ScanClock
  ) throws(PatternMatchError) -> Int {
    let limit = scratch.limits.stepLimit(subject.count)
    var start = from
    var width = 64
    while true {
      let last = min(start &+ width &- 1, subject.count)
      let result = run(
        subject, start, last, limit / UInt32(truncatingIfNeeded: width), scratch.data, scratch.scanning)
      if result > 0 { return Int(result) }
      if result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_DEPTHLIMIT {
        let n = try scanEach(subject, start, last, limit, scratch, &clock)
        if n > 0 { return n }
      } else {
        _ = try Pattern.setGroups(result)
      }
      if last >= subject.count { return 0 }
      if clock.hasExpired() { throw .timeLimit }
      start = last &+ 1
      width = min(width &* 2, 512)
    }
  }

  private func scanEach(
    _ subject: Bytes, _ first: Int, _ last: Int, _ limit: UInt32, _ scratch: borrowing PatternScratch,
    _ clock: inout ScanClock
  ) throws(PatternMatchError) -> Int {
    var start = first
    while start <= last {
      if clock.hasExpired() { throw .timeLimit }
      let n = try Pattern.setGroups(run(subject, start, start, limit, scratch.data, scratch.scanning))
      if n > 0 { return n }
      start &+= 1
    }
    return 0
  }

  @inline(__always)
  private func run(
    _ subject: Bytes, _ start: Int, _ last: Int, _ limit: UInt32, _ data: OpaquePointer, _ context: OpaquePointer
  ) -> Int32 {
    _ = pcre2_set_offset_limit_8(context, last)
    _ = pcre2_set_match_limit_8(context, limit)
    return run(subject, start, data, context)
  }
}
