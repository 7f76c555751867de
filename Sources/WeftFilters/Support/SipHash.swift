import WeftIO

/// SipHash-1-3 with a 64-bit result: a fast hash that nobody without the key can find collisions for (Aumasson and
/// Bernstein, "SipHash: a fast short-input PRF"). Fed in pieces; equal bytes in other pieces give the same hash.
struct SipHash {
  private var v0: UInt64
  private var v1: UInt64
  private var v2: UInt64
  private var v3: UInt64
  private var tail: UInt64 = 0
  /// Bytes so far.
  private var length: UInt64 = 0

  init(key0: UInt64, key1: UInt64) {
    v0 = key0 ^ 0x736f_6d65_7073_6575
    v1 = key1 ^ 0x646f_7261_6e64_6f6d
    v2 = key0 ^ 0x6c79_6765_6e65_7261
    v3 = key1 ^ 0x7465_6462_7974_6573
  }

  @inline(__always)
  private mutating func round() {
    v0 &+= v1
    v1 = (v1 &<< 13) | (v1 &>> 51)
    v1 ^= v0
    v0 = (v0 &<< 32) | (v0 &>> 32)
    v2 &+= v3
    v3 = (v3 &<< 16) | (v3 &>> 48)
    v3 ^= v2
    v0 &+= v3
    v3 = (v3 &<< 21) | (v3 &>> 43)
    v3 ^= v0
    v2 &+= v1
    v1 = (v1 &<< 17) | (v1 &>> 47)
    v1 ^= v2
    v2 = (v2 &<< 32) | (v2 &>> 32)
  }

  @inline(__always)
  private mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    v0 ^= word
  }

  mutating func append(_ byte: UInt8) {
    tail |= UInt64(byte) &<< (8 &* (length & 7))
    length &+= 1
    if length & 7 == 0 {
      compress(tail)
      tail = 0
    }
  }

  @inline(__always)
  mutating func append(_ word: UInt64) {
    let shift = 8 &* (length & 7)
    length &+= 8
    if shift == 0 { return compress(word) }
    compress(tail | word &<< shift)
    tail = word &>> (64 &- shift)
  }

  mutating func append(_ bytes: Bytes) {
    var i = 0
    while i &+ 8 <= bytes.count {
      append(UInt64(littleEndian: UnsafeRawPointer(bytes.base + i).loadUnaligned(as: UInt64.self)))
      i &+= 8
    }
    while i < bytes.count {
      append(bytes.base[i])
      i &+= 1
    }
  }

  /// The hash of what was appended.
  @inline(__always)
  consuming func finish() -> UInt64 {
    compress(tail | length &<< 56)
    v2 ^= 0xff
    round()
    round()
    round()
    return v0 ^ v1 ^ v2 ^ v3
  }

  /// 32 hexadecimal digits that tell contents apart, with fixed keys: for what nobody attacks.
  static func digest(_ content: OwnedBytes) -> String {
    var text = ""
    for key: UInt64 in [0, 1] {
      var hash = SipHash(key0: key, key1: 0x7765_6674)
      hash.append(content.bytes)
      let digits = String(hash.finish(), radix: 16)
      text += String(repeating: "0", count: 16 - digits.count) + digits
    }
    withExtendedLifetime(content) {}
    return text
  }
}
