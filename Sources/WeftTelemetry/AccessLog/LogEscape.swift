import WeftIO

/// Foreign bytes in logs. Whatever a client sends, a line stays one line, a quoted value stays quoted, a terminal is told
/// nothing, and JSON stays JSON.
extension ByteWriter {
  /// `bytes` for a text log: `"` and `\` get a backslash; control characters and all that is not ASCII become `\xHH`.
  mutating func appendTextEscaped(_ bytes: Bytes) {
    var i = 0
    while i < bytes.count {
      let run = plainRun(bytes, from: i)
      append(bytes.base + i, run)
      i &+= run
      if i >= bytes.count { return }
      let c = bytes[i]
      if c == 0x22 || c == 0x5c {
        append(byte: 0x5c)
        append(byte: c)
      } else {
        append("\\x")
        append(hexByte: c)
      }
      i &+= 1
    }
  }

  /// `bytes` for the inside of a JSON string: what is not valid UTF-8 becomes U+FFFD; control characters, also those
  /// beyond ASCII, line separators and marks that turn the direction of text are escaped.
  mutating func appendJSONEscaped(_ bytes: Bytes) {
    var i = 0
    while i < bytes.count {
      let run = plainRun(bytes, from: i)
      append(bytes.base + i, run)
      i &+= run
      if i >= bytes.count { return }
      let c = bytes[i]
      if c < 0x80 {
        switch c {
        case 0x22, 0x5c:
          append(byte: 0x5c)
          append(byte: c)
        case 0x0a: append("\\n")
        case 0x0d: append("\\r")
        case 0x09: append("\\t")
        default: append(unicodeEscape: UInt32(c))
        }
        i &+= 1
        continue
      }
      let (scalar, length) = decodeUTF8(bytes, at: i)
      if length == 0 {
        append("\\ufffd")
        i &+= 1
        continue
      }
      if isInvisible(scalar) {
        append(unicodeEscape: scalar)
      } else {
        append(bytes.base + i, length)
      }
      i &+= length
    }
  }

  /// `bytes` for a person's eyes, outside quotes: a newline goes on, indented, so that no line but our own starts in the
  /// first column; what a terminal would obey is escaped.
  mutating func appendDisplayed(_ bytes: Bytes) {
    var i = 0
    while i < bytes.count {
      let run = plainRun(bytes, from: i)
      append(bytes.base + i, run)
      i &+= run
      if i >= bytes.count { return }
      let c = bytes[i]
      let (scalar, length) = c < 0x80 ? (UInt32(c), 1) : decodeUTF8(bytes, at: i)
      switch scalar {
      case _ where length == 0: append("\u{fffd}")
      case 0x22, 0x5c: append(byte: c)
      case 0x0a: append("\n    ")
      case 0x09: append("  ")
      case 0..<0x20, 0x7f,
        _ where isInvisible(scalar):
        append("\\u{")
        append(hex: UInt64(scalar))
        append(byte: 0x7d)
      default: append(bytes.base + i, length)
      }
      i &+= max(length, 1)
    }
  }

  mutating func append(hexByte c: UInt8) {
    let high = c &>> 4
    let low = c & 15
    append(byte: high < 10 ? high &+ 0x30 : high &+ 0x57)
    append(byte: low < 10 ? low &+ 0x30 : low &+ 0x57)
  }

  /// `scalar` must lie in the basic plane.
  private mutating func append(unicodeEscape scalar: UInt32) {
    append("\\u")
    append(hexByte: UInt8(truncatingIfNeeded: scalar &>> 8))
    append(hexByte: UInt8(truncatingIfNeeded: scalar))
  }
}

/// Controls beyond ASCII, line separators, and marks that turn the direction of text: all in the basic plane.
private func isInvisible(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0x80...0x9f, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
  default: false
  }
}

/// How many bytes from `start` on no log needs to escape: printable ASCII but `"` and `\`. Eight at a time; the last
/// eight overlap those before.
private func plainRun(_ bytes: Bytes, from start: Int) -> Int {
  let p = bytes.base
  let count = bytes.count
  var i = start
  while count &- i >= 8 {
    if needsEscape(p + i) { return i &- start &+ plainBytes(p + i, 8) }
    i &+= 8
  }
  if i == count { return i &- start }
  if count >= 8, !needsEscape(p + (count &- 8)) { return count &- start }
  return i &- start &+ plainBytes(p + i, count &- i)
}

/// Whether one of the eight bytes at `p` needs escaping.
@inline(__always)
private func needsEscape(_ p: BytePointer) -> Bool {
  let ones: UInt64 = 0x0101_0101_0101_0101
  let w = UnsafeRawPointer(p).loadUnaligned(as: UInt64.self)
  let quote = w ^ (ones &* 0x22)
  let slash = w ^ (ones &* 0x5c)
  // A byte's top bit comes out set where it is below 0x20, is one of the two, is 0x7f, or was set; a borrow may set it
  // wrongly only beyond a byte that is right.
  let control = (w &- ones &* 0x20) & ~w
  let equal = ((quote &- ones) & ~quote) | ((slash &- ones) & ~slash)
  return (control | equal | w | (w &+ ones)) & (ones &* 0x80) != 0
}

/// How many of the `count` bytes at `p` come before the first that needs escaping.
private func plainBytes(_ p: BytePointer, _ count: Int) -> Int {
  var i = 0
  while i < count {
    let c = p[i]
    if c < 0x20 || c >= 0x7f || c == 0x22 || c == 0x5c { break }
    i &+= 1
  }
  return i
}

/// The scalar that starts at `i` and its length, or a length of 0 where UTF-8 is ill-formed (Unicode 15, table 3-7).
private func decodeUTF8(_ bytes: Bytes, at i: Int) -> (UInt32, Int) {
  let c = bytes[i]
  let length = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0
  if length == 0 || bytes.count &- i < length { return (0, 0) }
  let second = bytes[i &+ 1]
  let low: UInt8 = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80
  let high: UInt8 = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf
  if second < low || second > high { return (0, 0) }
  var scalar = UInt32(c) & (length == 2 ? 0x1f : length == 3 ? 0x0f : 0x07)
  scalar = scalar &<< 6 | UInt32(second & 0x3f)
  var k = 2
  while k < length {
    let next = bytes[i &+ k]
    if next & 0xc0 != 0x80 { return (0, 0) }
    scalar = scalar &<< 6 | UInt32(next & 0x3f)
    k &+= 1
  }
  return (scalar, length)
}
