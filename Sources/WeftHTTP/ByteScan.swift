import CLinux
import WeftIO

/// Searches that look at eight or sixteen bytes at a time.
///
/// Each test of eight marks the high bit of every byte that it means. A borrow can mark a byte wrongly, but only one
/// above a byte that is marked rightly, and only the lowest mark is used. Those of sixteen are exact.
enum ByteScan {
  private static var ones: UInt64 { 0x0101_0101_0101_0101 }
  private static var high: UInt64 { 0x8080_8080_8080_8080 }

  @inline(__always)
  static func load(_ p: BytePointer) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(p).loadUnaligned(as: UInt64.self))
  }

  @inline(__always)
  private static func equal(_ x: UInt64, _ c: UInt8) -> UInt64 {
    let d = x ^ (ones &* UInt64(c))
    return (d &- ones) & ~d & high
  }

  /// Marks ASCII bytes below `c`; bytes of 0x80 and more are not marked.
  @inline(__always)
  private static func below(_ x: UInt64, _ c: UInt8) -> UInt64 { (x &- ones &* UInt64(c)) & ~x & high }

  /// Index of the first control character other than TAB at or after `from`, or `n`.
  @inline(__always)
  static func text(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    var i = from
    while i &+ 16 <= n {
      let hit = cl_controls(p + i)
      if hit != 0 { return i &+ hit.trailingZeroBitCount }
      i &+= 16
    }
    return i < n ? textTail(p, n, i) : i
  }

  /// The same for the last bytes, fewer than sixteen: they are looked at together with some before them.
  @inline(never)
  private static func textTail(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    if n >= 16 {
      let hit = cl_controls(p + (n &- 16)) &>> UInt32(truncatingIfNeeded: from &- (n &- 16))
      return hit == 0 ? n : from &+ hit.trailingZeroBitCount
    }
    var i = from
    while i < n {
      let c = p[i]
      if (c < 0x20 && c != 0x09) || c == 0x7f { return i }
      i &+= 1
    }
    return i
  }

  /// Index of the first byte at or after `from` that may not stand in a path, or that ends it (`?`); or `n`.
  @inline(__always)
  static func path(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    var i = from
    while i &+ 8 <= n {
      let x = load(p + i)
      // `"` and `#` differ in one bit only, and so do `<`, `=`, `>` and `?` in two.
      let quotes = equal(x | ones, 0x23)
      let brackets = equal(x | (ones &* 3), 0x3f)
      let hit = below(x, 0x21) | (x & high) | equal(x, 0x7f) | quotes | brackets | equal(x, 0x5c)
      if hit == 0 {
        i &+= 8
        continue
      }
      i &+= hit.trailingZeroBitCount &>> 3
      if p[i] != 0x3d { return i }
      i &+= 1
    }
    while i < n {
      let c = p[i]
      if c == 0x3f || !isPathByte(c) { return i }
      i &+= 1
    }
    return i
  }

  /// Index of the first byte at or after `from` that may not stand in a query, or `n`.
  @inline(__always)
  static func query(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    var i = from
    while i &+ 8 <= n {
      let x = load(p + i)
      let hit = below(x, 0x21) | (x & high) | equal(x, 0x7f) | equal(x, 0x23)
      if hit != 0 { return i &+ (hit.trailingZeroBitCount &>> 3) }
      i &+= 8
    }
    while i < n {
      if !isQueryByte(p[i]) { return i }
      i &+= 1
    }
    return i
  }

  /// Index of the first byte at or after `from` that is no token character (RFC 9110 5.6.2), or `n`.
  @inline(__always)
  static func token(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    var i = from
    while i &+ 16 <= n {
      let hit = cl_not_plain(p + i)
      if hit != 0 {
        i &+= hit.trailingZeroBitCount
        if p[i] == 0x3a { return i }
        break
      }
      i &+= 16
    }
    return tokenTail(p, n, i)
  }

  @inline(never)
  private static func tokenTail(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    var i = plainTail(p, n, from)
    while i < n && cl_is_token(p[i]) != 0 { i &+= 1 }
    return i
  }

  /// Index of the first byte that is no letter, digit, `-`, `.`, `_` or `~`; or `n`.
  /// - Parameter readable: how many bytes may be read, which may be more than are looked at.
  @inline(__always)
  static func hostName(_ p: BytePointer, _ n: Int, readable: Int) -> Int {
    var i = 0
    while i < n && i &+ 16 <= readable {
      let hit = cl_not_plain(p + i)
      if hit != 0 {
        i &+= hit.trailingZeroBitCount
        break
      }
      i &+= 16
    }
    while i < n && isHostByte(p[i]) { i &+= 1 }
    return min(i, n)
  }

  /// Skips letters, digits, `-` and `.` in the last bytes, if they are fewer than sixteen and there are some before them.
  @inline(__always)
  private static func plainTail(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    let skipped = from &- (n &- 16)
    if n < 16 || skipped <= 0 || from >= n { return from }
    let hit = cl_not_plain(p + (n &- 16)) &>> UInt32(truncatingIfNeeded: skipped)
    return hit == 0 ? n : from &+ hit.trailingZeroBitCount
  }

  @inline(__always)
  private static func isHostByte(_ c: UInt8) -> Bool {
    (c &- 0x2d < 13 && c != 0x2f) || (c | 0x20) &- 0x61 < 26 || c == 0x5f || c == 0x7e
  }

  /// Visible ASCII without `#`. RFC 3986 forbids more, but browsers send all of it unencoded.
  @inline(__always)
  static func isQueryByte(_ c: UInt8) -> Bool { c &- 0x21 < 0x5e && c != 0x23 }

  /// Visible ASCII without `"`, `#`, `<`, `>` and `\`, which no browser sends in a path, and which some servers read as
  /// something else (`\` as `/`). `?` counts as one although it ends the path.
  @inline(__always)
  static func isPathByte(_ c: UInt8) -> Bool {
    isQueryByte(c) && c != 0x22 && c != 0x3c && c != 0x3e && c != 0x5c
  }
}
