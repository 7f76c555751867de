import Testing
import WeftHTTP

@Suite struct ConnectionTests {
  private func request(_ fields: String) -> ParsedHead { parseRequest("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n") }

  @Test func hopByHopFieldsAreRemoved() {
    let m = request(
      "Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nConnection: keep-alive\r\nUpgrade: x\r\nTE: gzip\r\nTrailer: A\r\n"
    )
    #expect(m.forwarded == ["Host: a", "Trailer: A"])
    #expect(m.rows.count == 7)
  }

  @Test func fieldsNamedByConnectionAreRemoved() {
    let m = request("X-Hop: 1\r\nConnection: close ,\tx-HOP,, y\r\nx-hop: 2\r\nX-Hope: 3\r\nY: 4\r\n")
    #expect(m.forwarded == ["Host: a", "X-Hope: 3"])
    #expect(!m.keepAlive)
  }

  @Test func fieldsForAllAreNotRemoved() throws {
    let file = try CorpusFile.named("connection-names-protected", in: CorpusFile.requests)
    let m = parseRequest(file.bytes)
    #expect(m.framing == .length(1))
    #expect(m.rows.filter(\.removed).map(\.name) == ["Connection"])
  }

  @Test func trailersOfTE() {
    #expect(request("TE: Trailers\r\nConnection: TE\r\n").forwarded == ["Host: a", "TE: Trailers"])
    #expect(request("TE: Trailers\r\n").acceptsTrailers)
    let list = request("TE: gzip;q=0.5 , trailers\r\n")
    #expect(list.acceptsTrailers)
    #expect(list.forwarded == ["Host: a"])
    #expect(!request("TE: gzip\r\n").acceptsTrailers)
  }

  @Test func upgradeIsTold() {
    let m = request("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n")
    #expect(m.upgrade)
    #expect(m.upgradeProtocol == "websocket")
    #expect(m.forwarded == ["Host: a"])
  }

  @Test(arguments: [
    "Upgrade: websocket\r\n",
    "Connection: upgrade\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
    "Connection: upgrade\r\nUpgrade: websocket, H2C\r\n",
    "Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n",
    "Connection: upgrade\r\nUpgrade: a b\r\n",
    "Connection: upgrade\r\nUpgrade:\r\n",
    "Connection: upgrades\r\nUpgrade: websocket\r\n",
  ])
  func upgradeIsIgnored(_ fields: String) {
    let m = request(fields)
    #expect(m.headLength != nil)
    #expect(!m.upgrade)
    #expect(m.upgradeProtocol == "")
    #expect(m.forwarded == ["Host: a"])
  }

  @Test func upgradeNeedsHTTP11() {
    #expect(!parseRequest("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade)
  }

  /// What one request said is forgotten by the time of the next.
  @Test func headsDoNotLeakIntoEachOther() {
    var head = MessageHead()
    var seen: [ParsedHead] = []
    let full =
      "POST http://b/c?d HTTP/1.0\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: x\r\nTE: trailers\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    for text in [full, full.replacing("HTTP/1.0", with: "HTTP/1.1"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
      withExactCopy(bytes(text)) { p, n in
        let outcome = HTTP1Parser.parseRequest(p, n, into: &head, limits: HTTPLimits())
        seen.append(ParsedHead(outcome, head, isRequest: true))
      }
    }
    #expect(seen[1].upgrade && seen[1].expectsContinue && seen[1].acceptsTrailers && !seen[1].keepAlive)
    #expect(seen[2] == parseRequest("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
  }
}
