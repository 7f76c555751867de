import Testing
import WeftIO

@testable import WeftProxy

@Suite struct SessionTokenTests {
  private func read(_ text: String) -> SessionToken? {
    let owned = OwnedBytes(text)
    defer { withExtendedLifetime(owned) {} }
    return SessionToken(owned.bytes)
  }

  @Test(arguments: [(1, 0, 0), (0xdead_beef, 1_700_000_000, 1_700_000_001), (UInt64.max, .max, .max)])
  func whatIsWrittenIsRead(_ id: UInt64, _ created: UInt64, _ used: UInt64) throws {
    let text = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: SessionToken.maximumLength) { memory in
      guard let base = memory.baseAddress else { return "" }
      var w = ByteWriter(base, memory.count)
      SessionToken(id: id, created: created, used: used).write(into: &w)
      return w.overflow ? "" : w.bytes.string
    }
    let token = try #require(read(text))
    #expect(token.id == id && token.created == created && token.used == used)
  }

  @Test(arguments: [
    "", ".", "..", "1.2", "1.2.", ".1.2", "0.1.2", "1.2.3.4", "1.2.G", "A.1.1", "12345678901234567.1.1", "-1.1.1",
  ])
  func anythingElseIsNot(_ text: String) { #expect(read(text) == nil) }

  @Test func namesOfEndpointsDiffer() throws {
    let a = try #require(SocketAddress("10.0.0.1:80"))
    let b = try #require(SocketAddress("10.0.0.2:80"))
    let one = OwnedBytes("default/one")
    let two = OwnedBytes("default/two")
    let ids = [one, two].flatMap { service in [a, b].map { SessionToken.id(service: service.bytes, address: $0) } }
    #expect(Set(ids).count == 4)
    #expect(SessionToken.id(service: one.bytes, address: a) == ids[0])
  }
}
