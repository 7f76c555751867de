import WeftIO

/// Parameters of a query, `name=value` separated by `&`. Percent-encoding is undone, once (RFC 3986 2.1); `+` stands
/// for itself, for only HTML forms mean a space by it. A `%` without two hexadecimal digits stands for itself.
enum QueryText {
  /// The value of the first parameter called `name`, still encoded; empty when it has no `=`.
  static func first(_ name: Bytes, in query: Bytes) -> Bytes? {
    var start = 0
    while start < query.count {
      let end = query.firstIndex(of: 0x26, from: start) ?? query.count
      let parameter = Bytes(query.base + start, end &- start)
      let equals = parameter.firstIndex(of: 0x3d) ?? parameter.count
      if equalsDecoded(parameter.slice(0, equals), name) { return parameter.slice(equals &+ 1, parameter.count) }
      start = end &+ 1
    }
    return nil
  }

  /// Whether `encoded`, decoded, is `plain`.
  static func equalsDecoded(_ encoded: Bytes, _ plain: Bytes) -> Bool {
    if encoded.count < plain.count { return false }
    if !isEncoded(encoded) { return encoded == plain }
    var i = 0
    var k = 0
    while i < encoded.count {
      if k == plain.count || next(encoded, &i) != plain[k] { return false }
      k &+= 1
    }
    return k == plain.count
  }

  @inline(__always)
  static func isEncoded(_ text: Bytes) -> Bool { text.firstIndex(of: 0x25) != nil }

  /// Writes `encoded`, decoded, to `w`.
  static func decode(_ encoded: Bytes, into w: inout ByteWriter) {
    var i = 0
    while i < encoded.count { w.append(byte: next(encoded, &i)) }
  }

  /// The decoded byte at `i`, which moves behind it.
  @inline(__always)
  private static func next(_ text: Bytes, _ i: inout Int) -> UInt8 {
    if let c = PercentCode.byte(text, i) {
      i &+= 3
      return c
    }
    i &+= 1
    return text[i &- 1]
  }
}

/// `%` and two hexadecimal digits (RFC 3986 2.1).
enum PercentCode {
  /// The byte that the code at `i` stands for; nil when there is none.
  @inline(__always)
  static func byte(_ text: Bytes, _ i: Int) -> UInt8? {
    if text[i] != 0x25 || text.count &- i < 3 { return nil }
    guard let high = digit(text[i &+ 1]), let low = digit(text[i &+ 2]) else { return nil }
    return high &<< 4 | low
  }

  @inline(__always)
  private static func digit(_ c: UInt8) -> UInt8? {
    if c &- 0x30 < 10 { return c &- 0x30 }
    let letter = (c | 0x20) &- 0x61
    return letter < 6 ? letter &+ 10 : nil
  }
}
