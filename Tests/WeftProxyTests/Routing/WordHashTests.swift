import Testing
import WeftIO

@testable import WeftProxy

struct WordHashTests {
  @Test func lowersEveryByteInEveryPlace() {
    for c in 0...255 as ClosedRange<UInt8> {
      for place in 0..<8 {
        for other in [0x00, 0x41, 0x5a, 0x5b, 0x7f, 0x80, 0xc1, 0xff] as [UInt8] {
          var bytes = [UInt8](repeating: other, count: 8)
          bytes[place] = c
          let word = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
          let lower = withUnsafeBytes(of: WordHash.lower(UInt64(littleEndian: word)).littleEndian) { Array($0) }
          #expect(lower == bytes.map(asciiLower))
        }
      }
    }
  }

  /// An element has the same hash wherever it stands, and ends where the next slash is.
  @Test func elements() {
    var random = SeededGenerator(state: 7)
    let letters = Array("abz01./%-".utf8) + [0x2e, 0x30, 0xaf, 0x80]
    for _ in 0..<3000 {
      let path = (0..<Int.random(in: 1...40, using: &random)).map { _ in letters.randomElement(using: &random) ?? 0 }
      let owned = OwnedBytes(path)
      for start in 0...path.count {
        let end = path[start...].firstIndex(of: 0x2f) ?? path.count
        let found = WordHash.element(owned.bytes, start, seed: 3)
        let alone = OwnedBytes(Array(path[start..<end]))
        #expect(found.end == end)
        #expect(found.hash == WordHash.element(alone.bytes, 0, seed: 3).hash)
        withExtendedLifetime(alone) {}
      }
      withExtendedLifetime(owned) {}
    }
  }

  @Test func hashesSpread() {
    var seen: Set<UInt32> = []
    for i in 0..<20_000 {
      let name = OwnedBytes(Array("service-\(i).example.com".utf8) + [UInt8](repeating: 0, count: 8))
      seen.insert(UInt32(truncatingIfNeeded: WordHash.padded(name.bytes.base, name.bytes.count - 8)) & 0xffff)
      withExtendedLifetime(name) {}
    }
    // 20,000 random draws from 65,536 leave about 17,240 different ones.
    #expect(seen.count > 17_000)
  }
}
