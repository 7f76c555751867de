import Testing
import WeftHTTP
import WeftIO

@Suite("HTTP/2: two sessions that talk to each other") struct SessionTests {
  @Test("A request and its response") func exchange() throws {
    let pair = try Pair()
    let request = pair.client.request(Pair.get + [("user-agent", "test"), ("x-one", "1")])
    #expect(pair.talk())
    let seen = try #require(pair.server.streams[1])
    #expect(seen.fault == nil)
    #expect(seen.hasEnded)
    #expect(seen.head.method == .get)
    #expect(seen.head.path.string == "/a")
    #expect(seen.head.query.string == "b=c")
    #expect(seen.head.framing == .none)
    #expect(seen.fields == ["user-agent: test", "x-one: 1", "host: example.org"])
    pair.server.respond(seen, [(":status", "200"), ("X-Upper", "Yes")], body: "hello")
    #expect(pair.talk())
    #expect(request.head.status == 200)
    #expect(request.fields == ["x-upper: Yes"])
    #expect(request.head.framing == .untilClose)
    #expect(String(decoding: request.body, as: UTF8.self) == "hello")
    #expect(request.hasEnded)
    #expect(request.closedWith == 0)
    #expect(seen.closedWith == 0)
  }

  @Test("A body of known length, and one that its stream ends") func framing() throws {
    let pair = try Pair()
    let known = pair.client.request(Pair.get + [("content-length", "4")], body: "four")
    let open = pair.client.request(Pair.get, body: "until the end")
    #expect(pair.talk())
    #expect(pair.server.streams[1]?.head.framing == .length(4))
    #expect(pair.server.streams[3]?.head.framing == .untilClose)
    #expect(pair.server.streams[3]?.body == Array("until the end".utf8))
    #expect(pair.server.streams[3]?.hasEnded == true)
    _ = (known, open)
  }

  @Test("Trailers follow the body") func trailers() throws {
    let pair = try Pair()
    let request = pair.client.request(Pair.get)
    pair.talk()
    let seen = try #require(pair.server.streams[1])
    seen.trailersToSend = [("grpc-status", "0"), ("grpc-message", "fine")]
    pair.server.respond(seen, [(":status", "200")], body: "data")
    #expect(pair.talk())
    #expect(request.trailerFields == ["grpc-status: 0", "grpc-message: fine"])
    #expect(request.fault == nil)
    #expect(request.closedWith == 0)
  }

  @Test("Interim responses come before the final one") func interim() throws {
    let pair = try Pair()
    let request = pair.client.request(Pair.get)
    pair.talk()
    let seen = try #require(pair.server.streams[1])
    withFields([(":status", "103"), ("link", "</a.css>")]) { _ = pair.server.submitInterim(1, $0) }
    #expect(pair.talk())
    #expect(request.head.status == 103)
    pair.server.respond(seen, [(":status", "204")])
    #expect(pair.talk())
    #expect(request.head.status == 204)
    #expect(request.heads == 2)
  }

  @Test("A body that is not consumed stops its own stream and no other") func flowControl() throws {
    let pair = try Pair()
    pair.server.consumes = false
    let big = String(repeating: "x", count: 200_000)
    _ = pair.client.request(Pair.get, body: big)
    #expect(pair.talk())
    let stalled = try #require(pair.server.streams[1])
    #expect(stalled.body.count == 65_535)
    #expect(!stalled.hasEnded)
    // Another stream has its whole window.
    _ = pair.client.request(Pair.get, body: String(repeating: "y", count: 60_000))
    #expect(pair.talk())
    #expect(pair.server.streams[3]?.hasEnded == true)
    // What is consumed is granted anew.
    pair.server.consumed(1, 65_535)
    #expect(pair.talk())
    #expect(stalled.body.count == 131_070)
    pair.server.consumes = true
    pair.server.consumed(1, 65_535)
    #expect(pair.talk())
    #expect(stalled.body.count == 200_000)
    #expect(stalled.hasEnded)
  }

  @Test("A body that comes later") func later() throws {
    let pair = try Pair()
    let request = pair.client.request(Pair.get)
    pair.talk()
    let seen = try #require(pair.server.streams[1])
    pair.server.respond(seen, [(":status", "200")], ends: false)
    pair.talk()
    #expect(request.head.status == 200)
    #expect(!request.hasEnded)
    seen.output = Array("now".utf8)
    seen.outputEnds = true
    pair.server.resumeBody(1)
    pair.talk()
    #expect(String(decoding: request.body, as: UTF8.self) == "now")
    #expect(request.hasEnded)
  }

  @Test("A reset reaches the other side") func reset() throws {
    let pair = try Pair()
    let request = pair.client.request(Pair.get)
    pair.talk()
    pair.server.reset(1, .internalError)
    #expect(pair.talk())
    #expect(request.closedWith == HTTP2ErrorCode.internalError.rawValue)
  }

  @Test("A stream that the server does not take may be sent again") func refused() throws {
    let pair = try Pair()
    pair.server.refuses = true
    let request = pair.client.request(Pair.get)
    #expect(pair.talk())
    #expect(request.closedWith == HTTP2ErrorCode.refusedStream.rawValue)
  }

  @Test("GOAWAY lets what is under way come to its end") func goAway() throws {
    let pair = try Pair()
    let request = pair.client.request(Pair.get)
    pair.talk()
    let seen = try #require(pair.server.streams[1])
    pair.server.announceEnd()
    pair.server.stopAccepting()
    #expect(pair.talk())
    #expect(pair.client.goneAway == 0)
    #expect(!pair.server.isOver)
    pair.server.respond(seen, [(":status", "200")], body: "still")
    #expect(pair.talk())
    #expect(request.hasEnded)
    #expect(pair.server.isOver)
  }

  @Test("PING is answered") func ping() throws {
    let pair = try Pair()
    pair.client.ping()
    #expect(pair.talk())
    #expect(pair.client.pongs == 1)
  }

  @Test("The peer's limit on streams is known, and kept") func concurrency() throws {
    var settings = HTTP2Settings()
    settings.maxConcurrentStreams = 3
    let pair = try Pair(settings)
    pair.talk()
    #expect(pair.client.peerMaxConcurrentStreams == 3)
    for _ in 0..<5 { _ = pair.client.request(Pair.get) }
    pair.talk()
    #expect(pair.server.streams.count == 3)
    for s in pair.server.streams.values { pair.server.respond(s, [(":status", "204")]) }
    pair.talk()
    #expect(pair.server.streams.count == 5)
  }
}
