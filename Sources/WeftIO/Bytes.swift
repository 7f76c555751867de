import Glibc

public typealias BytePointer = UnsafePointer<UInt8>
public typealias MutableBytePointer = UnsafeMutablePointer<UInt8>

/// A borrowed run of bytes: a pointer and a length, nothing owned.
///
/// Valid only while its owner (a connection's buffer, an arena, configuration) leaves the memory in place. Keep it no
/// longer than the call that handed it out, or copy it.
@frozen
public struct Bytes: @unchecked Sendable {
  public let base: BytePointer
  public let count: Int

  @inlinable @inline(__always)
  public init(_ base: BytePointer, _ count: Int) {
    self.base = base
    self.count = count
  }

  /// The UTF-8 bytes of a literal, which live as long as the process.
  @inlinable @inline(__always)
  public init(_ literal: StaticString) {
    base = literal.utf8Start
    count = literal.utf8CodeUnitCount
  }

  @inlinable @inline(__always) public init() { self.init("" as StaticString) }

  @inlinable @inline(__always) public var isEmpty: Bool { count == 0 }

  /// The byte at `index`, which must lie in `0..<count`; not checked.
  @inlinable @inline(__always)
  public subscript(index: Int) -> UInt8 { base[index] }

  @inlinable @inline(__always)
  public static func == (a: Bytes, b: Bytes) -> Bool {
    a.count == b.count && memcmp(a.base, b.base, a.count) == 0
  }

  @inlinable @inline(__always)
  public func hasPrefix(_ prefix: Bytes) -> Bool {
    count >= prefix.count && memcmp(base, prefix.base, prefix.count) == 0
  }

  /// ASCII case-insensitive equality; `lower` must already be in lower case.
  @inlinable @inline(__always)
  public func equalsIgnoringCase(_ lower: Bytes) -> Bool {
    if count != lower.count { return false }
    var i = 0
    while i < count {
      if asciiLower(base[i]) != lower.base[i] { return false }
      i &+= 1
    }
    return true
  }

  /// The part from `start` up to `end`, both clamped into the run.
  @inlinable
  public func slice(_ start: Int, _ end: Int) -> Bytes {
    let e = min(max(end, 0), count)
    let s = min(max(start, 0), e)
    return Bytes(base + s, e &- s)
  }

  /// Index of the first `byte` at or after `from`, or nil.
  @inlinable
  public func firstIndex(of byte: UInt8, from: Int = 0) -> Int? {
    if from >= count { return nil }
    guard let p = memchr(base + from, Int32(byte), count &- from) else { return nil }
    return UnsafeRawPointer(p) - UnsafeRawPointer(base)
  }

  /// Without spaces and tabs at either end (RFC 9110 5.6.3, OWS).
  @inlinable
  public var trimmed: Bytes {
    var s = 0
    var e = count
    while s < e && (base[s] == 0x20 || base[s] == 0x09) { s &+= 1 }
    while e > s && (base[e &- 1] == 0x20 || base[e &- 1] == 0x09) { e &-= 1 }
    return Bytes(base + s, e &- s)
  }

  /// The value of one or more ASCII digits, or nil for anything else, including what does not fit.
  @inlinable
  public var decimal: UInt64? {
    if count == 0 || count > 19 { return nil }
    var value: UInt64 = 0
    var i = 0
    while i < count {
      let digit = base[i] &- 0x30
      if digit > 9 { return nil }
      value = value &* 10 &+ UInt64(digit)
      i &+= 1
    }
    return value
  }

  /// A copy as text; invalid UTF-8 is replaced.
  public var string: String { String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self) }

  /// A copy.
  public var array: [UInt8] { Array(UnsafeBufferPointer(start: base, count: count)) }
}

@inlinable @inline(__always)
public func asciiLower(_ c: UInt8) -> UInt8 { c &- 0x41 < 26 ? c | 0x20 : c }

/// Bytes that a configuration object owns: made once, read on the data path through `bytes`, freed with their owner.
public final class OwnedBytes: Sendable {
  public let bytes: Bytes

  public init(_ text: String) {
    let utf8 = Array(text.utf8)
    bytes = OwnedBytes.copy(utf8)
  }

  public init(_ array: [UInt8]) { bytes = OwnedBytes.copy(array) }

  public convenience init(_ borrowed: Bytes) { self.init(borrowed.array) }

  deinit { UnsafeMutablePointer(mutating: bytes.base).deallocate() }

  private static func copy(_ array: [UInt8]) -> Bytes {
    let p = MutableBytePointer.allocate(capacity: max(array.count, 1))
    array.withUnsafeBufferPointer { source in
      if let from = source.baseAddress { p.update(from: from, count: source.count) }
    }
    return Bytes(p, array.count)
  }
}
