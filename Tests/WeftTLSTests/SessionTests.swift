import Glibc
import TestCertificates
import Testing
import WeftIO

@testable import WeftTLS

@Suite struct TLSSessionTests {
  let authority: TestAuthority
  let names: TLSServerNames
  let trust: TrustStore

  init() throws {
    authority = try TestAuthority()
    names = try port([try authority.identity("server", names: ["DNS:a.test", "DNS:*.wild.test"])])
    trust = try authority.trust
  }

  func client(_ name: String = "a.test", _ change: (inout TLSSettings) -> Void = { _ in }) throws -> TLSClientContext {
    var settings = TLSSettings()
    change(&settings)
    return try TLSClientContext(serverName: name, trust: trust, settings: settings)
  }

  @Test func bytesGoBothWays() throws {
    let pair = try Pair(names, try client())
    try pair.established()
    #expect(pair.exchange("hello", from: pair.client, to: pair.server) == "hello")
    #expect(pair.exchange("world", from: pair.server, to: pair.client) == "world")
    #expect(pair.server.version == .v13)
    #expect(pair.server.cipher == "TLS_AES_128_GCM_SHA256")
    #expect(pair.server.serverName == "a.test")
    #expect(pair.client.peerCertificate?.dnsNames == ["a.test", "*.wild.test"])
    #expect(pair.client.isPeerVerified)
    #expect(!pair.server.isPeerVerified)
    #expect(pair.receive(pair.server).result.wouldBlock)
  }

  @Test func anEmptiedSocketIsKnownToBeEmpty() throws {
    let pair = try Pair(names, try client())
    try pair.established()
    _ = pair.receive(pair.server)
    #expect(!pair.server.isDrained, "nothing has been received since")
    _ = pair.send(pair.client, Array("one".utf8))
    _ = pair.send(pair.client, Array("two".utf8))
    pair.server.becameReadable()
    #expect(pair.receive(pair.server).bytes == Array("one".utf8))
    #expect(!pair.server.isDrained, "a second record waits in OpenSSL's buffer")
    #expect(pair.receive(pair.server).bytes == Array("two".utf8))
    #expect(pair.server.isDrained)
  }

  /// Whatever `isDrained` says, no byte may be left in the socket.
  @Test(arguments: [1, 100, 4_000, 7_900, 8_100, 16_384, 16_700, 33_000, 70_000])
  func drainedIsNeverSaidInError(size: Int) throws {
    let pair = try Pair(names, try client())
    try pair.established()
    for _ in 0..<20 {
      let bytes = [UInt8](repeating: 7, count: size)
      var received = 0
      let sent = pair.send(pair.client, bytes).count
      pair.server.becameReadable()
      while received < sent {
        received += pair.receive(pair.server, 32_768).bytes.count
        if pair.server.isDrained {
          var waiting: Int32 = 0
          _ = ioctl(pair.fds.server, UInt(FIONREAD), &waiting)
          #expect(waiting == 0)
          #expect(received == sent)
        }
      }
    }
  }

  /// Of a record that has come in part OpenSSL reads the rest and no more, which empties its buffer but not the socket.
  @Test(arguments: [1, 5, 100, 3_900, 4_021], [4_000, 16_384])
  func theRestOfARecordIsNotTakenForTheLastOfTheSocket(part: Int, size: Int) throws {
    let pair = try Pair(names, try client())
    try pair.established()
    while !pair.receive(pair.client).result.wouldBlock {}
    // The records as they lie on the wire, to be delivered in pieces.
    let pieces = [[1], [UInt8](repeating: 2, count: size), [UInt8](repeating: 3, count: 50), [4]]
    for piece in pieces { try #require(pair.send(pair.client, piece).count == piece.count) }
    var wire = [UInt8](repeating: 0, count: 100_000)
    let total = recv(pair.fds.server, &wire, wire.count, 0)
    let first = 1 + 22
    try #require(total == first + (size + 22) + (50 + 22) + (1 + 22))
    func deliver(_ range: Range<Int>) throws {
      try #require(send(pair.fds.client, Array(wire[range]), range.count, 0) == range.count)
    }
    func waiting() -> Int32 {
      var count: Int32 = 0
      _ = ioctl(pair.fds.server, UInt(FIONREAD), &count)
      return count
    }
    // What an event loop does when the socket becomes readable.
    var received: [UInt8] = []
    func step() -> Bool {
      let (bytes, result) = pair.receive(pair.server)
      received += bytes
      return result.raw > 0 && !pair.server.isDrained
    }
    func drain() {
      pair.server.becameReadable()
      while step() {}
      #expect(waiting() == 0)
    }
    try deliver(0..<first)
    drain()
    try deliver(first..<first + part)
    drain()
    try deliver(first + part..<total)
    drain()
    #expect(received == pieces.flatMap { $0 })
  }

  /// The loop may have stopped reading in between, for the bytes had nowhere to go, and have been told of more meanwhile.
  @Test func whatCameWhileNobodyReadIsNotForgotten() throws {
    let pair = try Pair(names, try client())
    try pair.established()
    while !pair.receive(pair.client).result.wouldBlock {}
    while !pair.receive(pair.server).result.wouldBlock {}
    _ = pair.server.isDrained
    _ = pair.send(pair.client, [1])
    _ = pair.send(pair.client, [2])
    pair.server.becameReadable()
    #expect(pair.receive(pair.server).bytes == [1])
    #expect(!pair.server.isDrained)
    _ = pair.send(pair.client, [3])
    pair.server.becameReadable()
    #expect(pair.receive(pair.server).bytes == [2])
    #expect(!pair.server.isDrained)
    #expect(pair.receive(pair.server).bytes == [3])
    #expect(pair.server.isDrained)
  }

  @Test func aFullSocketTakesTheRestLaterFromAnotherPlace() throws {
    let pair = try Pair(names, try client(), buffer: 8_192)
    try pair.established()
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    var sent = 0
    var received: [UInt8] = []
    while received.count < bytes.count {
      if sent < bytes.count {
        let result = pair.send(pair.client, Array(bytes[sent...]))  // another array each time
        try #require(!result.failed)
        sent += result.count
      }
      received += pair.receive(pair.server).bytes
    }
    #expect(received == bytes)
  }

  @Test func closeIsToldApartFromTruncation() throws {
    let pair = try Pair(names, try client())
    try pair.established()
    pair.client.closeSending()
    pair.client.closeSending()
    #expect(pair.receive(pair.server).result.isEnd)
    #expect(pair.exchange("still", from: pair.server, to: pair.client) == "still", "the other half stays open")

    let cut = try Pair(names, try client())
    try cut.established()
    shutdown(cut.fds.client, Int32(SHUT_WR))
    let result = cut.receive(cut.server).result
    #expect(result.failed && result.errno == ECONNRESET)
  }

  @Test func aTamperedRecordBreaksTheConnection() throws {
    let pair = try Pair(names, try client())
    try pair.established()
    let junk: [UInt8] = [23, 3, 3, 0, 20] + [UInt8](repeating: 0xaa, count: 20)
    _ = write(pair.fds.client, junk, junk.count)
    #expect(pair.receive(pair.server).result.errno == EPROTO)
    #expect(pair.server.failure?.reason == .malformed)
  }

  @Test(arguments: [(TLSVersion.v12, "TLS12"), (TLSVersion.v13, "TLS13")])
  func versions(version: TLSVersion, _: String) throws {
    let pair = try Pair(
      names,
      try client {
        $0.minimumVersion = version
        $0.maximumVersion = version
      })
    try pair.established()
    #expect(pair.server.version == version)
    #expect(pair.client.version == version)
  }

  @Test func aVersionThatIsTooOldIsRefused() throws {
    var settings = TLSSettings()
    settings.minimumVersion = .v13
    let strict = try port([try authority.identity("s", names: ["DNS:a.test"])], settings: settings)
    let pair = try Pair(strict, try client { $0.maximumVersion = .v12 })
    let outcome = try #require(pair.shake())
    #expect(outcome.server == .failed)
    #expect(pair.server.failure?.reason == .protocolVersion)
    #expect(pair.client.failure?.reason == .alert)
  }

  @Test func applicationProtocols() throws {
    var settings = TLSSettings()
    settings.protocols = ["h2", "http/1.1"]
    let both = try port([try authority.identity("s", names: ["DNS:a.test"])], settings: settings)
    for (offered, chosen) in [(["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), ([], nil)]
      as [([String], String?)]
    {
      let pair = try Pair(both, try client { $0.protocols = offered })
      try pair.established()
      #expect(pair.server.applicationProtocol == chosen)
      #expect(pair.client.applicationProtocol == chosen)
    }
    let pair = try Pair(both, try client { $0.protocols = ["spdy/3"] })
    #expect(try #require(pair.shake()).server == .failed)
    #expect(pair.server.failure?.reason == .noSharedProtocol)
  }

  @Test func plainHTTPIsRecognised() throws {
    let pair = try Pair(names, try client())
    let request = Array("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n".utf8)
    _ = write(pair.fds.client, request, request.count)
    #expect(pair.server.handshake() == .failed)
    #expect(pair.server.failure?.reason == .plainHTTP)
  }

  @Test func garbageFails() throws {
    let pair = try Pair(names, try client())
    let junk = [UInt8](repeating: 0x16, count: 500)
    _ = write(pair.fds.client, junk, junk.count)
    #expect(pair.server.handshake() == .failed)
    #expect(pair.server.failure != nil)
  }

  @Test func theEndInTheMiddleOfAHandshakeIsAFailure() throws {
    let pair = try Pair(names, try client())
    #expect(pair.client.handshake() == .wantsRead)
    #expect(pair.server.handshake() == .wantsRead)
    shutdown(pair.fds.client, Int32(SHUT_WR))
    #expect(pair.server.handshake() == .failed)
    #expect(pair.server.failure?.reason == .closed)
  }

  @Test func keyUpdatesGoUnnoticed() throws {
    let pair = try Pair(names, try client())
    try pair.established()
    for _ in 0..<20 {
      #expect(pair.exchange("before", from: pair.client, to: pair.server) == "before")
      pair.client.requestKeyUpdate()
      #expect(pair.exchange("after", from: pair.client, to: pair.server) == "after")
      #expect(pair.exchange("reply", from: pair.server, to: pair.client) == "reply")
    }
  }
}
