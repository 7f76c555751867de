import Testing
import WeftCrypto

@Suite("Random bytes") struct RandomBytesTests {
  @Test("Two draws differ, and none is left at zero") func draws() throws {
    let first = try RandomBytes.make(64)
    let second = try RandomBytes.make(64)
    #expect(first.count == 64)
    #expect(first != second)
    #expect(first.contains { $0 != 0 })
  }

  @Test("No bytes are no error") func none() throws {
    #expect(try RandomBytes.make(0).isEmpty)
  }
}
