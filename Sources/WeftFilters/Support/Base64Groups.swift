import WeftIO

/// Base64 (RFC 4648 4) of a body that comes in pieces, each of which may be padded: gRPC-Web's text form.
enum Base64Groups {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (i, c) in alphabet.enumerated() { values[Int(c)] = UInt8(i) }
    return values
  }()

  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    var i = 0
    while i < bytes.count {
      let n = min(3, bytes.count - i)
      let group = UInt32(bytes[i]) << 16 | (n > 1 ? UInt32(bytes[i + 1]) << 8 : 0) | (n > 2 ? UInt32(bytes[i + 2]) : 0)
      out.append(alphabet[Int(group >> 18 & 63)])
      out.append(alphabet[Int(group >> 12 & 63)])
      out.append(n > 1 ? alphabet[Int(group >> 6 & 63)] : 0x3d)
      out.append(n > 2 ? alphabet[Int(group & 63)] : 0x3d)
      i += 3
    }
    return out
  }

  /// Decodes whole groups of four; what is left over waits in `pending`, at most three characters.
  /// - Returns: nil when it is not base64.
  static func decode(_ pending: inout [UInt8], _ bytes: Bytes) -> [UInt8]? {
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count / 4 * 3 + 3)
    for i in 0..<bytes.count {
      pending.append(bytes[i])
      if pending.count < 4 { continue }
      let padding = pending[3] != 0x3d ? 0 : pending[2] != 0x3d ? 1 : 2
      var group: UInt32 = 0
      for (k, c) in pending.enumerated() {
        let value = k >= 4 - padding ? 0 : values[Int(c)]
        if value == 255 { return nil }
        group = group << 6 | UInt32(value)
      }
      out.append(UInt8(truncatingIfNeeded: group >> 16))
      if padding < 2 { out.append(UInt8(truncatingIfNeeded: group >> 8)) }
      if padding < 1 { out.append(UInt8(truncatingIfNeeded: group)) }
      pending.removeAll(keepingCapacity: true)
    }
    return out
  }
}
