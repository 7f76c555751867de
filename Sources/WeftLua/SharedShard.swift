import Glibc
import WeftIO

/// A value of a shared dictionary.
enum SharedValue: Equatable {
  case boolean(Bool)
  case integer(Int64)
  case number(Double)
  case string(Bytes)

  static func == (a: SharedValue, b: SharedValue) -> Bool {
    switch (a, b) {
    case (.boolean(let a), .boolean(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.string(let a), .string(let b)): a == b
    default: false
    }
  }
}

/// A part of a shared dictionary under a lock of its own: a hash table with chains, its entries also in one list from the
/// one used last to the one used longest ago, which goes first when there is no more room.
struct SharedShard: ~Copyable {
  /// What an entry costs beside its key and value: its record, its place in the table, the allocator's own.
  static let overhead = 112

  private enum Kind: UInt8 { case boolean, integer, number, string }

  private struct Entry {
    var hash: Int
    /// In the table's chain; for a free entry, in the list of them. -1: none.
    var next: Int32
    var newer: Int32
    var older: Int32
    /// Milliseconds; 0: never.
    var expires: UInt64
    /// The key's bytes, then a string's.
    var block: UnsafeMutablePointer<UInt8>
    var keyCount: Int
    var valueCount: Int
    var bits: UInt64
    var kind: Kind
  }

  private var buckets: UnsafeMutableBufferPointer<Int32>
  private var entries: UnsafeMutableBufferPointer<Entry>
  /// Entries that have been used at some time.
  private var touched = 0
  private var free: Int32 = -1
  private var newest: Int32 = -1
  private var oldest: Int32 = -1
  private(set) var count = 0
  private(set) var used = 0
  var limit: Int

  /// - Parameter limit: bytes that keys and values may have, each entry with its overhead.
  init(limit: Int) {
    self.limit = limit
    buckets = .allocate(capacity: 16)
    buckets.initialize(repeating: -1)
    entries = .allocate(capacity: 16)
  }

  deinit {
    var i = newest
    while i >= 0 {
      entries[Int(i)].block.deallocate()
      i = entries[Int(i)].older
    }
    buckets.deallocate()
    entries.deallocate()
  }

  // MARK: Looking up

  private func find(_ key: Bytes, _ hash: Int) -> Int32 {
    var i = buckets[hash & (buckets.count - 1)]
    while i >= 0 {
      let e = entries.baseAddress.unsafelyUnwrapped + Int(i)
      if e.pointee.hash == hash && Bytes(e.pointee.block, e.pointee.keyCount) == key { return i }
      i = e.pointee.next
    }
    return -1
  }

  /// The entry of `key`, now the one used last; -1 when there is none or it has expired.
  private mutating func use(_ key: Bytes, _ hash: Int, _ now: UInt64) -> Int32 {
    let i = find(key, hash)
    if i < 0 { return i }
    if isExpired(i, now) {
      remove(i)
      return -1
    }
    if i != newest {
      unlink(i)
      linkNewest(i)
    }
    return i
  }

  private func isExpired(_ i: Int32, _ now: UInt64) -> Bool {
    let expires = entries[Int(i)].expires
    return expires != 0 && expires <= now
  }

  private func value(_ i: Int32) -> SharedValue {
    let e = entries[Int(i)]
    switch e.kind {
    case .boolean: return .boolean(e.bits != 0)
    case .integer: return .integer(Int64(bitPattern: e.bits))
    case .number: return .number(Double(bitPattern: e.bits))
    case .string: return .string(Bytes(e.block + e.keyCount, e.valueCount))
    }
  }

  /// The value of `key`; a string's bytes are valid until the next call.
  mutating func get(_ key: Bytes, _ hash: Int, now: UInt64) -> SharedValue? {
    let i = use(key, hash, now)
    return i < 0 ? nil : value(i)
  }

  /// Milliseconds that `key` has left; `.max` for ever, nil when it is not there.
  mutating func timeLeft(_ key: Bytes, _ hash: Int, now: UInt64) -> UInt64? {
    let i = use(key, hash, now)
    if i < 0 { return nil }
    let expires = entries[Int(i)].expires
    return expires == 0 ? .max : expires - now
  }

  /// Calls `visit` with keys that have not expired until it says false.
  func forEachKey(now: UInt64, _ visit: (Bytes) -> Bool) {
    var i = newest
    while i >= 0 {
      let e = entries[Int(i)]
      if !isExpired(i, now) && !visit(Bytes(e.block, e.keyCount)) { return }
      i = e.older
    }
  }

  // MARK: Changing

  enum Outcome { case stored, exists, missing, tooLarge }

  /// Stores a value.
  /// - Parameters:
  ///   - expires: milliseconds; 0: never.
  ///   - exists: what the key must be for that; nil: either.
  mutating func set(
    _ key: Bytes, _ hash: Int, _ value: SharedValue, expires: UInt64, now: UInt64, ifExists exists: Bool?
  ) -> Outcome {
    let known = use(key, hash, now)
    if let exists, exists != (known >= 0) { return known >= 0 ? .exists : .missing }
    let text: Bytes = if case .string(let bytes) = value { bytes } else { Bytes() }
    let cost = Self.overhead + key.count + text.count
    if cost > limit { return .tooLarge }
    if known >= 0 && entries[Int(known)].valueCount != text.count {
      remove(known)
    } else if known >= 0 {
      fill(known, value, text, expires)
      return .stored
    }
    // Those that have expired go before those that have not, as far as they are at hand.
    for _ in 0..<2 where oldest >= 0 && isExpired(oldest, now) { remove(oldest) }
    while oldest >= 0 && used + cost > limit { remove(oldest) }
    let i = take()
    let block = UnsafeMutablePointer<UInt8>.allocate(capacity: max(key.count + text.count, 1))
    block.update(from: key.base, count: key.count)
    (entries.baseAddress.unsafelyUnwrapped + Int(i)).initialize(
      to: Entry(
        hash: hash, next: -1, newer: -1, older: -1, expires: expires, block: block, keyCount: key.count,
        valueCount: text.count, bits: 0, kind: .boolean))
    fill(i, value, text, expires)
    let bucket = hash & (buckets.count - 1)
    entries[Int(i)].next = buckets[bucket]
    buckets[bucket] = i
    linkNewest(i)
    used += cost
    count += 1
    if count > buckets.count { grow() }
    return .stored
  }

  /// Adds to a number; one that is not there begins with `initial`.
  /// - Returns: `.exists` when the value is no number, and the number that is there now.
  mutating func increment(
    _ key: Bytes, _ hash: Int, by amount: SharedValue, initial: SharedValue?, expires: UInt64, now: UInt64
  ) -> (Outcome, SharedValue?) {
    let i = use(key, hash, now)
    if i < 0 {
      guard let initial else { return (.missing, nil) }
      guard let sum = Self.sum(initial, amount) else { return (.exists, nil) }
      return (set(key, hash, sum, expires: expires, now: now, ifExists: nil), sum)
    }
    guard let sum = Self.sum(value(i), amount) else { return (.exists, nil) }
    fill(i, sum, Bytes(), entries[Int(i)].expires)
    return (.stored, sum)
  }

  /// An integer as long as both are and the sum fits.
  private static func sum(_ a: SharedValue, _ b: SharedValue) -> SharedValue? {
    switch (a, b) {
    case (.integer(let a), .integer(let b)):
      let (sum, overflows) = a.addingReportingOverflow(b)
      return overflows ? .number(Double(a) + Double(b)) : .integer(sum)
    case (.integer(let a), .number(let b)): return .number(Double(a) + b)
    case (.number(let a), .integer(let b)): return .number(a + Double(b))
    case (.number(let a), .number(let b)): return .number(a + b)
    default: return nil
    }
  }

  mutating func remove(_ key: Bytes, _ hash: Int, now: UInt64) -> Bool {
    let i = use(key, hash, now)
    if i >= 0 { remove(i) }
    return i >= 0
  }

  mutating func removeAll() { while oldest >= 0 { remove(oldest) } }

  /// Lets the oldest go until the rest fits `limit`.
  mutating func shrink() { while oldest >= 0 && used > limit { remove(oldest) } }

  private func fill(_ i: Int32, _ value: SharedValue, _ text: Bytes, _ expires: UInt64) {
    let e = entries.baseAddress.unsafelyUnwrapped + Int(i)
    e.pointee.expires = expires
    switch value {
    case .boolean(let flag):
      e.pointee.kind = .boolean
      e.pointee.bits = flag ? 1 : 0
    case .integer(let number):
      e.pointee.kind = .integer
      e.pointee.bits = UInt64(bitPattern: number)
    case .number(let number):
      e.pointee.kind = .number
      e.pointee.bits = number.bitPattern
    case .string:
      e.pointee.kind = .string
      (e.pointee.block + e.pointee.keyCount).update(from: text.base, count: text.count)
    }
  }

  // MARK: Lists

  private mutating func take() -> Int32 {
    if free >= 0 {
      let i = free
      free = entries[Int(i)].next
      return i
    }
    if touched == entries.count {
      let bigger = UnsafeMutableBufferPointer<Entry>.allocate(capacity: entries.count * 2)
      _ = bigger.moveInitialize(fromContentsOf: entries)
      entries.deallocate()
      entries = bigger
    }
    touched += 1
    return Int32(touched - 1)
  }

  private mutating func remove(_ i: Int32) {
    let e = entries[Int(i)]
    let bucket = e.hash & (buckets.count - 1)
    if buckets[bucket] == i {
      buckets[bucket] = e.next
    } else {
      var at = buckets[bucket]
      while entries[Int(at)].next != i { at = entries[Int(at)].next }
      entries[Int(at)].next = e.next
    }
    unlink(i)
    e.block.deallocate()
    used -= Self.overhead + e.keyCount + e.valueCount
    count -= 1
    entries[Int(i)].next = free
    free = i
  }

  private mutating func unlink(_ i: Int32) {
    let e = entries[Int(i)]
    if e.newer >= 0 { entries[Int(e.newer)].older = e.older } else { newest = e.older }
    if e.older >= 0 { entries[Int(e.older)].newer = e.newer } else { oldest = e.newer }
  }

  private mutating func linkNewest(_ i: Int32) {
    entries[Int(i)].newer = -1
    entries[Int(i)].older = newest
    if newest >= 0 { entries[Int(newest)].newer = i } else { oldest = i }
    newest = i
  }

  private mutating func grow() {
    let bigger = UnsafeMutableBufferPointer<Int32>.allocate(capacity: buckets.count * 2)
    bigger.initialize(repeating: -1)
    buckets.deallocate()
    buckets = bigger
    var i = newest
    while i >= 0 {
      let bucket = entries[Int(i)].hash & (buckets.count - 1)
      entries[Int(i)].next = buckets[bucket]
      buckets[bucket] = i
      i = entries[Int(i)].older
    }
  }
}
