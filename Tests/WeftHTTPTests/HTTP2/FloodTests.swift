import Testing
import WeftHTTP
import WeftIO

/// Peers that make work without asking for anything: each ends its connection, and nothing grows meanwhile.
@Suite("HTTP/2: floods") struct HTTP2FloodTests {
  private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  private func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
    let n = UInt32(payload.count)
    return [UInt8(n >> 16 & 0xff), UInt8(n >> 8 & 0xff), UInt8(n & 0xff), type, flags]
      + [24, 16, 8, 0].map { UInt8(stream >> UInt32($0) & 0xff) } + payload
  }

  /// HPACK of a GET of `/` from `a`, over http: indexed fields and one literal.
  private let get: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x61]

  private func server(_ change: (inout HTTP2Settings) -> Void = { _ in }) throws -> Peer {
    var settings = HTTP2Settings()
    change(&settings)
    let server = try Peer(role: .server, settings: settings)
    #expect(server.input(preface + frame(4, 0, 0)))
    _ = server.output()
    return server
  }

  /// The error of the GOAWAY frame in what the server says.
  private func goAway(_ bytes: [UInt8]) -> UInt32? {
    var at = 0
    while at + 9 <= bytes.count {
      let length = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
      if bytes[at + 3] == 7 {
        return bytes[(at + 13)..<(at + 17)].reduce(0) { $0 << 8 | UInt32($1) }
      }
      at += 9 + length
    }
    return nil
  }

  /// Feeds until the server has had enough; at most `limit` times.
  private func feed(_ server: Peer, limit: Int, _ next: (Int) -> [UInt8]) -> Int? {
    for i in 0..<limit where !server.input(next(i)) || server.isOver { return i }
    return nil
  }

  @Test("PING") func pings() throws {
    let server = try server()
    let ended = feed(server, limit: 5000) { _ in
      _ = server.output()
      return frame(6, 0, 0, [UInt8](repeating: 0, count: 8))
    }
    #expect(try #require(ended) <= 1001)
    #expect(goAway(server.output()) == HTTP2ErrorCode.enhanceYourCalm.rawValue)
  }

  @Test("PING to a server whose answers nobody reads") func unreadPings() throws {
    let server = try server()
    #expect(try #require(feed(server, limit: 5000) { _ in frame(6, 0, 0, [UInt8](repeating: 0, count: 8)) }) <= 300)
  }

  @Test("SETTINGS") func settings() throws {
    let server = try server()
    #expect(
      try #require(
        feed(server, limit: 5000) { _ in
          _ = server.output()
          return frame(4, 0, 0)
        }) <= 1001)
  }

  @Test("Resets of streams as soon as they are opened") func rapidReset() throws {
    let server = try server()
    var said: [UInt8] = []
    let ended = feed(server, limit: 5000) { i in
      said = server.output()
      let stream = UInt32(2 * i + 1)
      return frame(1, 5, stream, get) + frame(3, 0, stream, [0, 0, 0, 8])
    }
    #expect(try #require(ended) <= 260)
    #expect(goAway(said + server.output()) != nil)
  }

  @Test("CONTINUATION frames without end") func continuations() throws {
    let server = try server()
    #expect(server.input(frame(1, 1, 1, get)))
    let ended = feed(server, limit: 1000) { _ in frame(9, 0, 1, [0x40, 0x01, 0x78, 0x01, 0x79]) }
    #expect(try #require(ended) <= 10)
  }

  @Test("Empty DATA") func emptyData() throws {
    let server = try server()
    #expect(server.input(frame(1, 4, 1, get)))
    let ended = feed(server, limit: 5000) { _ in frame(0, 0, 1) }
    #expect(try #require(ended) <= 1010)
  }

  @Test("WINDOW_UPDATE and PRIORITY") func windowUpdates() throws {
    let server = try server()
    #expect(server.input(frame(1, 4, 1, get)))
    let ended = feed(server, limit: 5000) { i in
      i % 2 == 0 ? frame(8, 0, 1, [0, 0, 0, 1]) : frame(2, 0, 3, [0, 0, 0, 0, 16])
    }
    #expect(try #require(ended) <= 1010)
  }

  @Test("A header section that grows when it is unpacked") func headerBomb() throws {
    let server = try server()
    // A large value enters the table once, and is then named over and over again by one byte.
    let value = [UInt8](repeating: 0x76, count: 3900)
    let literal: [UInt8] =
      [0x40, 0x01, 0x78, 0x7f] + [UInt8((3900 - 127) & 0x7f | 0x80), UInt8((3900 - 127) >> 7)] + value
    _ = server.input(frame(1, 5, 1, get + literal + [UInt8](repeating: 0xbe, count: 3000)))
    let seen = server.streams[1]
    #expect(seen?.fault == .headTooLarge || seen?.closedWith != nil || server.isOver)
    #expect(seen?.head.headers.count ?? 0 <= 101)
  }

  @Test("Requests pay for the frames around them") func payment() throws {
    let server = try server { $0.idleFrameBurst = 10 }
    for i in 0..<200 {
      let stream = UInt32(2 * i + 1)
      #expect(
        server.input(
          frame(1, 5, stream, get) + frame(8, 0, 0, [0, 0, 0, 1]) + frame(6, 0, 0, [UInt8](repeating: 0, count: 8))))
      let s = try #require(server.streams[Int32(stream)])
      server.respond(s, [(":status", "204")])
      _ = server.output()
    }
  }

  @Test("A response pays for the grants of window that it is answered with") func grants() throws {
    let pair = try Pair(HTTP2Settings())
    let request = pair.client.request(Pair.get)
    pair.talk()
    let seen = try #require(pair.server.streams[1])
    pair.server.respond(seen, [(":status", "200")], ends: false)
    pair.talk()
    for _ in 0..<5000 {
      seen.output = [0x78]
      pair.server.resumeBody(1)
      let bytes = pair.server.output()
      #expect(pair.client.input(bytes))
      _ = pair.client.output()
      #expect(pair.server.input(frame(8, 0, 1, [0, 0, 0, 1]) + frame(8, 0, 0, [0, 0, 0, 1])))
    }
    #expect(request.body.count == 5000)
  }

  @Test("Any bytes at all") func noise() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      let server = try server()
      for _ in 0..<20 {
        let count = Int.random(in: 0...64, using: &random)
        let payload = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        let bytes = frame(
          UInt8.random(in: 0...10, using: &random), UInt8.random(in: 0...255, using: &random),
          UInt32.random(in: 0...5, using: &random), payload)
        if !server.input(bytes) { break }
        _ = server.output()
      }
    }
  }
}
