/// How long a worker rests before HTTP/2 sessions write what they have to say, so that what comes from many peers one by
/// one is read together and goes on together.
///
/// To be woken, to read and to write costs more than all else that a worker does for a small request. Where many requests
/// are under way, the next one is a matter of microseconds; to wait for it saves that at both ends. What is added is a
/// fraction of what requests take anyway, and nothing where the next one is not expected in time.
struct WriteGathering {
  /// At the most, in nanoseconds.
  private static let longest: UInt64 = 250_000
  /// Of the time that a request takes from its start to its response's head.
  private static let share: UInt64 = 32

  /// Running means, in nanoseconds: from one response's head to the next; from a request to its response's head.
  private var interval: UInt64 = 1_000_000
  private var latency: UInt64 = 0
  private var lastHead: UInt64 = 0

  /// A response's head passes at `now`, whose request began at `started`.
  @inline(__always)
  mutating func countHead(now: UInt64, started: UInt64) {
    let gap = min(now &- min(lastHead, now), 1_000_000)
    lastHead = now
    interval = (interval &* 15 &+ gap) / 16
    latency = (latency &* 15 &+ min(now &- min(started, now), 1_000_000_000)) / 16
  }

  /// How long to wait for more, in nanoseconds; 0: not at all.
  @inline(__always)
  var hold: UInt64 {
    let hold = min(latency / Self.share, Self.longest)
    return hold >= interval &* 2 ? hold : 0
  }
}
