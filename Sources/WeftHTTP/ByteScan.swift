import CLinux
import WeftIO

/// Searches that look at eight bytes at a time.
///
/// Each test marks the high bit of every byte that it means. A borrow can mark a byte wrongly, but only one above a
/// byte that is marked rightly, and only the lowest mark is used.
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
    while true {
      while i &+ 8 <= n {
        let x = load(p + i)
        let hit = below(x, 0x20) | equal(x, 0x7f)
        if hit != 0 {
          i &+= hit.trailingZeroBitCount &>> 3
          if p[i] != 0x09 { return i }
          i &+= 1
          continue
        }
        i &+= 8
      }
      while i < n {
        let c = p[i]
        if (c < 0x20 && c != 0x09) || c == 0x7f { return i }
        i &+= 1
      }
      return i
    }
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

  /// Marks every byte that is neither letter, digit, `-` nor `.`; exactly those.
  @inline(__always)
  private static func notPlain(_ x: UInt64) -> UInt64 {
    // No addition carries into the next byte, for none has its high bit set.
    let low = x & ~high
    let folded = low | (ones &* 0x20)
    let letters = (folded &+ ones &* (0x80 &- 0x61)) & ~(folded &+ ones &* (0x7f &- 0x7a))
    let digits = (low &+ ones &* (0x80 &- 0x2d)) & ~(low &+ ones &* (0x7f &- 0x39))
    let noSlash = (low ^ (ones &* 0x2f)) &+ ones &* 0x7f
    return ((letters | (digits & noSlash)) & ~x & high) ^ high
  }

  /// Index of the first byte at or after `from` that is no token character (RFC 9110 5.6.2), or `n`.
  @inline(__always)
  static func token(_ p: BytePointer, _ n: Int, _ from: Int) -> Int {
    var i = from
    while i &+ 8 <= n {
      let hit = notPlain(load(p + i))
      if hit != 0 {
        i &+= hit.trailingZeroBitCount &>> 3
        break
      }
      i &+= 8
    }
    while i < n && cl_is_token(p[i]) != 0 { i &+= 1 }
    return i
  }

  /// Index of the first byte that is no letter, digit, `-`, `.`, `_` or `~`; or `n`.
  @inline(__always)
  static func hostName(_ p: BytePointer, _ n: Int) -> Int {
    var i = 0
    while i &+ 8 <= n {
      let hit = notPlain(load(p + i))
      if hit != 0 {
        i &+= hit.trailingZeroBitCount &>> 3
        break
      }
      i &+= 8
    }
    while i < n && isHostByte(p[i]) { i &+= 1 }
    return i
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
