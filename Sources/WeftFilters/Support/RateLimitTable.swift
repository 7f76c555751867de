import Glibc
import Synchronization

/// Token buckets by key, shared by all workers without a lock: a rate holds for the whole process, however unevenly its
/// requests fall on the workers.
///
/// A bucket is one number, the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371): the moment at
/// which it is full again. A request moves it on by one emission interval, in one compare-and-exchange, unless that
/// would put it further into the future than the burst allows. A bucket whose time has passed is full, which is what a
/// new key's bucket is as well; so forgetting it loses nothing, and the table needs no clean-up.
///
/// Keys are 64-bit hashes under a secret key. Each may stand in two groups of eight places, and a new one goes into the
/// emptier, which lets the table fill to some 70 % before a key finds no place that is empty or full again. Then the
/// bucket that would be full soonest is taken.
///
/// Races cost a token at most: two workers that place keys at the same moment may charge one request to the wrong
/// bucket. That needs no stronger ordering than each number's own.
final class RateLimitTable: @unchecked Sendable {
  /// What became of a request.
  struct Decision {
    let isAllowed: Bool
    /// Requests that would be allowed right now.
    let remaining: UInt64
    /// Nanoseconds: until the next request would be allowed if this one is not, otherwise until the bucket is full.
    let wait: UInt64
    /// Whether a key in use was forgotten for this one.
    let hasEvicted: Bool
  }

  private static let ways = 8
  /// Times are kept in sixteenths of a nanosecond, so that intervals of high rates are exact enough.
  static let ticks: UInt64 = 16
  /// Exchanges of a contended bucket that are tried.
  private static let tries = 1000

  /// Groups of eight hashes, one cache line, each followed by the line of their times: a key's time is `ways` behind it.
  private let memory: UnsafeMutablePointer<Atomic<UInt64>>
  private let byteCount: Int
  private let groupMask: UInt64
  /// Ticks between two requests at the rate.
  private let interval: UInt64
  /// Ticks that a bucket may be ahead of now: the burst.
  private let tolerance: UInt64

  /// Keys that the table holds.
  var capacity: Int { Int(groupMask + 1) * Self.ways }

  /// - Parameters:
  ///   - interval: ticks between two requests at the rate, at least 1.
  ///   - burst: requests that a full bucket allows at once; `interval * burst` must fit.
  ///   - keys: rounded up to eight times a power of two. Memory is 16 bytes a key, taken as keys come.
  init(interval: UInt64, burst: UInt64, keys: Int) throws(InvalidFilterValue) {
    var groups: UInt64 = 1
    while groups * UInt64(Self.ways) < UInt64(clamping: keys) { groups <<= 1 }
    groupMask = groups - 1
    byteCount = Int(groups) * Self.ways * 2 * MemoryLayout<UInt64>.size
    self.interval = interval
    tolerance = interval &* burst
    // Fresh pages are zero and cost nothing until they are touched; and they begin at a cache line.
    let pages = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED else {
      throw InvalidFilterValue("no memory for \(keys) keys: \(String(cString: strerror(errno)))")
    }
    memory = pages.bindMemory(to: Atomic<UInt64>.self, capacity: Int(groups) * Self.ways * 2)
  }

  deinit {
    // It has nothing to fail at for a whole mapping (munmap(2)).
    munmap(UnsafeMutableRawPointer(memory), byteCount)
  }

  /// Asks for a token.
  /// - Parameters:
  ///   - hash: of the key.
  ///   - now: monotonic nanoseconds.
  func take(_ hash: UInt64, now: UInt64) -> Decision {
    let now = now &* Self.ticks
    var hasEvicted = false
    let time = find(hash == 0 ? 1 : hash, now, &hasEvicted) + Self.ways

    var old = time.pointee.load(ordering: .relaxed)
    for _ in 0..<Self.tries {
      let next = max(old, now) &+ interval
      let ahead = next &- now
      if ahead > tolerance {
        return Decision(
          isAllowed: false, remaining: 0, wait: Self.nanoseconds(ahead &- tolerance), hasEvicted: hasEvicted)
      }
      let (exchanged, found) = time.pointee.compareExchange(expected: old, desired: next, ordering: .relaxed)
      if exchanged {
        return Decision(
          isAllowed: true, remaining: (tolerance &- ahead) / interval, wait: Self.nanoseconds(ahead),
          hasEvicted: hasEvicted)
      }
      old = found
    }
    // Others have won a thousand times in a row. The request is charged all the same, and the next one pays for it.
    time.pointee.add(interval, ordering: .relaxed)
    return Decision(isAllowed: true, remaining: 0, wait: 0, hasEvicted: hasEvicted)
  }

  /// The place of `key`, which is its own from here on.
  @inline(__always)
  private func find(_ key: UInt64, _ now: UInt64, _ hasEvicted: inout Bool) -> UnsafeMutablePointer<Atomic<UInt64>> {
    let first = group(key)
    for _ in 0..<4 {
      if let place = search(first, key) { return place }
      let second = group(key &>> 32)
      if let place = search(second, key) { return place }
      let place = better(choose(first, now), choose(second, now))
      let old = place.pointer.pointee.load(ordering: .relaxed)
      if old == key { return place.pointer }
      let (exchanged, _) = place.pointer.pointee.compareExchange(
        expected: old, desired: key, ordering: .sequentiallyConsistent)
      if !exchanged { continue }
      let time = place.pointer + Self.ways
      if time.pointee.load(ordering: .relaxed) > now {
        hasEvicted = true
        time.pointee.store(now, ordering: .relaxed)
      }
      return settle(key, settle(key, place.pointer, in: first), in: second)
    }
    // Others place keys in these groups as fast as this one looks: it shares a bucket for once.
    return first
  }

  /// Another worker may have placed the same key elsewhere meanwhile, and two places would mean twice the tokens. Of two
  /// that place a key at once, one at least sees the other's place: it gives the one further back up for both.
  /// - Parameter kept: the place of the key so far.
  private func settle(
    _ key: UInt64, _ kept: UnsafeMutablePointer<Atomic<UInt64>>,
    in group: UnsafeMutablePointer<Atomic<UInt64>>
  ) -> UnsafeMutablePointer<Atomic<UInt64>> {
    var kept = kept
    var i = 0
    while i < Self.ways {
      let other = group + i
      i &+= 1
      if other == kept || other.pointee.load(ordering: .sequentiallyConsistent) != key { continue }
      let given = max(other, kept)
      kept = min(other, kept)
      _ = given.pointee.compareExchange(expected: key, desired: 0, ordering: .sequentiallyConsistent)
    }
    return kept
  }

  @inline(__always)
  private func group(_ bits: UInt64) -> UnsafeMutablePointer<Atomic<UInt64>> {
    memory + Int(bits & groupMask) * Self.ways * 2
  }

  @inline(__always)
  private func search(
    _ group: UnsafeMutablePointer<Atomic<UInt64>>, _ key: UInt64
  ) -> UnsafeMutablePointer<Atomic<UInt64>>? {
    var i = 0
    while i < Self.ways {
      if group[i].load(ordering: .relaxed) == key { return group + i }
      i &+= 1
    }
    return nil
  }

  /// A place for a new key.
  private struct Place {
    let pointer: UnsafeMutablePointer<Atomic<UInt64>>
    /// When the bucket there is full; the soonest of its group.
    let time: UInt64
    /// Places of the group whose buckets are full, the empty ones among them.
    let free: Int
  }

  private func choose(_ group: UnsafeMutablePointer<Atomic<UInt64>>, _ now: UInt64) -> Place {
    var best = 0
    var bestTime = UInt64.max
    var free = 0
    var i = 0
    while i < Self.ways {
      let time = group[Self.ways &+ i].load(ordering: .relaxed)
      if time <= now { free &+= 1 }
      if time < bestTime {
        bestTime = time
        best = i
      }
      i &+= 1
    }
    return Place(pointer: group + best, time: bestTime, free: free)
  }

  private func better(_ one: Place, _ other: Place) -> Place {
    if one.free != other.free { return one.free > other.free ? one : other }
    return other.time < one.time ? other : one
  }

  private static func nanoseconds(_ ticks: UInt64) -> UInt64 { (ticks &+ (Self.ticks &- 1)) / Self.ticks }
}
