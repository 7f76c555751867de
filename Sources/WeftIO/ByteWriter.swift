import Glibc

/// Appends to memory of the caller's. What does not fit is left out and `overflow` says so: check it once at the end.
@frozen
public struct ByteWriter {
  public let base: MutableBytePointer
  public let capacity: Int
  /// Bytes written so far. Writing it moves the end: only for a caller that filled the memory itself.
  public var count = 0
  /// True once something did not fit.
  public var overflow = false

  @inlinable @inline(__always)
  public init(_ base: MutableBytePointer, _ capacity: Int) {
    self.base = base
    self.capacity = capacity
  }

  @inlinable @inline(__always) public var bytes: Bytes { Bytes(BytePointer(base), count) }
  @inlinable @inline(__always) public var space: Int { capacity &- count }

  @inlinable @inline(__always)
  public mutating func append(_ p: BytePointer, _ n: Int) {
    if n > capacity &- count {
      overflow = true
      return
    }
    memcpy(base + count, p, n)
    count &+= n
  }

  @inlinable @inline(__always)
  public mutating func append(_ bytes: Bytes) { append(bytes.base, bytes.count) }

  @inlinable @inline(__always)
  public mutating func append(_ literal: StaticString) { append(literal.utf8Start, literal.utf8CodeUnitCount) }

  @inlinable @inline(__always)
  public mutating func append(byte: UInt8) {
    if count >= capacity {
      overflow = true
      return
    }
    base[count] = byte
    count &+= 1
  }

  /// The decimal digits of `value`.
  @inlinable
  public mutating func append(decimal value: UInt64) {
    if space < 20 {
      var digits = 1
      var rest = value / 10
      while rest > 0 {
        digits &+= 1
        rest /= 10
      }
      if digits > space {
        overflow = true
        return
      }
    }
    var v = value
    var n = 1
    var bound: UInt64 = 10
    while n < 20 && v >= bound {
      n &+= 1
      let (next, wrapped) = bound.multipliedReportingOverflow(by: 10)
      if wrapped { break }
      bound = next
    }
    var i = count &+ n
    count = i
    while n > 0 {
      i &-= 1
      base[i] = UInt8(truncatingIfNeeded: v % 10) &+ 0x30
      v /= 10
      n &-= 1
    }
  }

  @inlinable
  public mutating func append(decimal value: Int) {
    if value < 0 { append(byte: 0x2d) }
    append(decimal: UInt64(value.magnitude))
  }

  /// The hexadecimal digits of `value` without leading zeros, in lower case.
  @inlinable
  public mutating func append(hex value: UInt64) {
    var shift = value == 0 ? 0 : (63 &- value.leadingZeroBitCount) & ~3
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: value &>> UInt64(shift)) & 15
      append(byte: digit < 10 ? digit &+ 0x30 : digit &+ 0x57)
      shift &-= 4
    }
  }

  /// Disfavoured, so that a literal is a `StaticString`, which needs no retaining.
  @_disfavoredOverload
  public mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      if let p = utf8.baseAddress { append(p, utf8.count) }
    }
  }
}
