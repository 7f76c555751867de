import WeftIO

/// Hashes over eight bytes at a time. What is hashed is configuration, which an attacker cannot choose, so that no
/// secret is needed: requests only look up.
enum WordHash {
  private static var ones: UInt64 { 0x0101_0101_0101_0101 }
  private static var high: UInt64 { 0x8080_8080_8080_8080 }
  /// The first byte of a word is its lowest, whatever the machine's order.
  @inline(__always)
  static func load(_ p: BytePointer) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(p).loadUnaligned(as: UInt64.self))
  }

  /// High bits of the bytes of `x` that equal `c`. Only the lowest is sure to be right, as a borrow can mark the next.
  @inline(__always)
  static func equal(_ x: UInt64, _ c: UInt8) -> UInt64 {
    let d = x ^ (ones &* UInt64(c))
    return (d &- ones) & ~d & high
  }

  /// ASCII letters in lower case, all other bytes as they are.
  @inline(__always)
  static func lower(_ x: UInt64) -> UInt64 {
    let low = x & ~high
    let atLeastA = low &+ ones &* (0x80 - 0x41)
    let beyondZ = low &+ ones &* (0x80 - 0x5b)
    return x | ((atLeastA & ~beyondZ & ~x & high) &>> 2)
  }

  @inline(__always)
  static func mix(_ h: UInt64, _ word: UInt64) -> UInt64 {
    let product = (h ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return product.high ^ product.low
  }

  @inline(__always)
  static func seed(_ value: Int) -> UInt64 {
    (UInt64(truncatingIfNeeded: value) &+ 1) &* 0xd6e8_feb8_6659_fd93
  }

  /// Hash of `count` bytes, behind which seven zero bytes must be readable.
  @inline(__always)
  static func padded(_ p: BytePointer, _ count: Int) -> UInt64 {
    var h = seed(count)
    var i = 0
    while i < count {
      h = mix(h, load(p + i))
      i &+= 8
    }
    return h
  }

  /// The element of `path` that starts at `start`: where it ends (at the next slash, or at the path's end) and its
  /// hash.
  @inline(__always)
  static func element(_ path: Bytes, _ start: Int, seed: UInt64) -> (end: Int, hash: UInt64) {
    let n = path.count
    var h = seed
    var i = start
    while i &+ 8 <= n {
      let word = load(path.base + i)
      let slash = equal(word, 0x2f)
      if slash != 0 { return cut(word, i, slash, h) }
      h = mix(h, word)
      i &+= 8
    }
    if i == n { return (i, mix(h, 0)) }
    if n >= 8 {
      // The last eight bytes of the path, with those before `i` shifted out.
      let word = load(path.base + (n &- 8)) &>> UInt64(truncatingIfNeeded: 64 &- 8 &* (n &- i))
      let slash = equal(word, 0x2f)
      return slash != 0 ? cut(word, i, slash, h) : (n, mix(h, word))
    }
    var word: UInt64 = 0
    var shift: UInt64 = 0
    while i < n && path[i] != 0x2f {
      word |= UInt64(path[i]) &<< shift
      shift &+= 8
      i &+= 1
    }
    return (i, mix(h, word))
  }

  /// The end of an element in `word`, which was read at `at`, and whose first slash is the lowest mark of `slash`.
  @inline(__always)
  private static func cut(_ word: UInt64, _ at: Int, _ slash: UInt64, _ h: UInt64) -> (end: Int, hash: UInt64) {
    let bits = slash.trailingZeroBitCount & ~7
    let mask = (1 as UInt64) &<< UInt64(truncatingIfNeeded: bits) &- 1
    return (at &+ bits &>> 3, mix(h, word & mask))
  }
}
