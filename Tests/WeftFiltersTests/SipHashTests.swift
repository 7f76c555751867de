import Testing
import WeftIO

@testable import WeftFilters

@Suite struct SipHashTests {
  /// Bytes 0, 1, 2, ... under the key 0, as CPython 3.11 hashes them with PYTHONHASHSEED=0.
  static let vectors: [(count: Int, hash: UInt64)] = [
    (1, 0x68a9_1412_8e01_e473), (7, 0x2f09_8ab0_c751_325a), (8, 0xead4_11e6_7ebe_2eea), (9, 0x7592_7f9d_9512_4362),
    (15, 0xf30e_b725_bb91_c9ea), (16, 0x8972_1884_33a5_c5b7), (63, 0x385d_3e39_e5f3_7359),
  ]

  @Test(arguments: vectors) func knownAnswers(count: Int, hash: UInt64) {
    let input = OwnedBytes((0..<count).map { UInt8($0) })
    var sip = SipHash(key0: 0, key1: 0)
    sip.append(input.bytes)
    #expect(sip.finish() == hash)
  }

  @Test(arguments: vectors) func piecesDoNotMatter(count: Int, hash: UInt64) {
    let input = OwnedBytes((0..<count).map { UInt8($0) })
    for split in 0...count {
      var sip = SipHash(key0: 0, key1: 0)
      sip.append(input.bytes.slice(0, split))
      if split + 8 <= count {
        var word: UInt64 = 0
        for i in 0..<8 { word |= UInt64(split + i) << UInt64(8 * i) }
        sip.append(word)
        sip.append(input.bytes.slice(split + 8, count))
      } else {
        for byte in input.bytes.slice(split, count).array { sip.append(byte) }
      }
      #expect(sip.finish() == hash)
    }
  }

  @Test func digestsTellContentsApart() {
    let a = SipHash.digest(OwnedBytes("a"))
    #expect(a.utf8.count == 32)
    #expect(a != SipHash.digest(OwnedBytes("b")))
    #expect(a == SipHash.digest(OwnedBytes("a")))
  }
}
