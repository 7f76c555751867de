/// The time as a worker knows it: read once for each batch of events, not once for each question.
@frozen
public struct WorkerClock: Sendable {
  /// Monotonic, in nanoseconds; for durations and deadlines.
  public var now: UInt64 = 0
  /// Since 1970, in nanoseconds; for logs and dates.
  public var wall: UInt64 = 0
  @inlinable public init() {}
  /// Monotonic milliseconds, the unit of timers.
  @inlinable public var milliseconds: UInt64 { now / 1_000_000 }
}

/// A fast generator of random numbers (xoshiro256**), one per worker. Not for secrets.
@frozen
public struct WorkerRandom: RandomNumberGenerator, Sendable {
  @usableFromInline var s0: UInt64
  @usableFromInline var s1: UInt64
  @usableFromInline var s2: UInt64
  @usableFromInline var s3: UInt64

  public init() {
    var system = SystemRandomNumberGenerator()
    s0 = system.next()
    s1 = system.next()
    s2 = system.next()
    s3 = system.next() | 1
  }

  @inlinable
  public mutating func next() -> UInt64 {
    let product = s1 &* 5
    let result = ((product &<< 7) | (product &>> 57)) &* 9
    let t = s1 &<< 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 &<< 45) | (s3 &>> 19)
    return result
  }

  /// A number in `0..<bound` without division; its bias is below 2^-32 for bounds below 2^32.
  @inlinable
  public mutating func below(_ bound: UInt32) -> UInt32 {
    UInt32(truncatingIfNeeded: (UInt64(UInt32(truncatingIfNeeded: next() &>> 32)) &* UInt64(bound)) &>> 32)
  }

  /// True in `numerator` of `denominator` cases.
  @inlinable
  public mutating func chance(_ numerator: UInt32, of denominator: UInt32) -> Bool {
    denominator > 0 && below(denominator) < numerator
  }
}
