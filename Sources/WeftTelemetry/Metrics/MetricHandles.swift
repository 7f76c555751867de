import CLinux

// Handles into one shard's cells. Each wraps the address of its cells and nothing else: copying one is free, and using
// one is a plain load, add and store, which is right because a shard has one writing thread. Scrapes read the same cells
// with relaxed loads. A handle is valid while its registry lives and, where its series belongs to a lease, while that
// lease lives.

/// A series that only grows.
@frozen
public struct Counter {
  @usableFromInline let cell: UnsafeMutablePointer<UInt64>

  @inlinable @inline(__always)
  init(cell: UnsafeMutablePointer<UInt64>) { self.cell = cell }

  /// Adds `amount`, in the family's unit (bytes, nanoseconds or things).
  @inlinable @inline(__always)
  public func add(_ amount: UInt64 = 1) { cl_add(cell, amount) }

  /// What this shard has counted.
  @inlinable @inline(__always)
  public var value: UInt64 { cl_load(cell) }
}

/// A series that goes up and down. A scrape sums it over the shards, so that each worker sets its own part.
@frozen
public struct Gauge {
  @usableFromInline let cell: UnsafeMutablePointer<UInt64>

  @inlinable @inline(__always)
  init(cell: UnsafeMutablePointer<UInt64>) { self.cell = cell }

  @inlinable @inline(__always)
  public func set(_ value: Int) { cl_store(cell, UInt64(bitPattern: Int64(value))) }

  @inlinable @inline(__always)
  public func add(_ amount: Int = 1) { cl_add(cell, UInt64(bitPattern: Int64(amount))) }

  @inlinable @inline(__always)
  public func sub(_ amount: Int = 1) { cl_add(cell, UInt64(bitPattern: Int64(0 &- amount))) }

  /// What this shard has set.
  @inlinable @inline(__always)
  public var value: Int { Int(Int64(bitPattern: cl_load(cell))) }
}

/// A series that counts observations in buckets.
@frozen
public struct Histogram {
  /// The sum, then one cell a bucket.
  @usableFromInline let cells: UnsafeMutablePointer<UInt64>
  /// The bounds with a sentinel behind them.
  @usableFromInline let bounds: UnsafePointer<UInt64>
  /// By the number of a value's significant bits: the first bucket that it can fall into.
  @usableFromInline let first: UnsafePointer<UInt8>

  @inlinable @inline(__always)
  init(cells: UnsafeMutablePointer<UInt64>, bounds: UnsafePointer<UInt64>, first: UnsafePointer<UInt8>) {
    self.cells = cells
    self.bounds = bounds
    self.first = first
  }

  /// Counts `value`, in the family's unit, in the first bucket whose bound is not below it.
  @inlinable @inline(__always)
  public func observe(_ value: UInt64) {
    var i = Int(first[64 &- value.leadingZeroBitCount])
    while value > bounds[i] { i &+= 1 }
    cl_add(cells, value)
    cl_add(cells + 1 + i, 1)
  }

  /// Counts a duration; what a clock's step made negative counts as 0.
  @inlinable @inline(__always)
  public func observe(nanoseconds: Int64) { observe(nanoseconds < 0 ? 0 : UInt64(bitPattern: nanoseconds)) }
}

/// A registered family of counters.
public struct CounterFamily: Sendable { let id: MetricFamilyID }
/// A registered family of gauges.
public struct GaugeFamily: Sendable { let id: MetricFamilyID }
/// A registered family of histograms.
public struct HistogramFamily: Sendable { let id: MetricFamilyID }

/// A family's place in its registry.
struct MetricFamilyID: Sendable {
  let registry: ObjectIdentifier
  let index: Int
}
