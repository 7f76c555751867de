import Testing
import WeftHTTP

@Suite struct ResponseTests {
  private func response(_ status: String, _ fields: String = "", to method: Method = .get) -> ParsedHead {
    parseResponse("HTTP/1.1 \(status)\r\n\(fields)\r\n", to: method)
  }

  @Test func simpleResponseIsCopiedAsItStands() {
    let input = "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\n"
    let m = parseResponse(input + "hello")
    #expect(m.outcome == .complete(headLength: input.utf8.count))
    #expect(m.status == 200)
    #expect(m.reason == "Fine")
    #expect(m.framing == .length(5))
    #expect(m.keepAlive)
    #expect(m.written == input)
  }

  @Test func framingOfResponses() {
    #expect(response("200 OK").framing == .untilClose)
    #expect(!response("200 OK").keepAlive)
    #expect(response("200 OK", "Content-Length: 0\r\n").framing == .none)
    #expect(response("200 OK", "Transfer-Encoding: chunked\r\n").framing == .chunked)
    #expect(response("200 OK", "Transfer-Encoding: chunked\r\n").keepAlive)
    #expect(response("205 Reset Content", "Content-Length: 2\r\n").framing == .length(2))
  }

  @Test func headHasNoBody() {
    let m = response("200 OK", "Content-Length: 5\r\n", to: .head)
    #expect(m.framing == .none)
    #expect(m.keepAlive)
    #expect(m.forwarded == ["Content-Length: 5"])
    let chunked = response("200 OK", "Transfer-Encoding: chunked\r\n", to: .head)
    #expect(chunked.framing == .none)
    #expect(chunked.forwarded.isEmpty)
    #expect(response("200 OK", to: .head).framing == .none)
    #expect(response("200 OK", to: .head).keepAlive)
  }

  @Test func statusesWithoutBody() {
    #expect(response("204 No Content").framing == .none)
    #expect(response("204 No Content").keepAlive)
    let length = response("204 No Content", "Content-Length: 5\r\n")
    #expect(length.framing == .none)
    #expect(!length.keepAlive)
    #expect(length.forwarded.isEmpty)
    let unmodified = response("304 Not Modified", "Content-Length: 5\r\n")
    #expect(unmodified.framing == .none)
    #expect(unmodified.keepAlive)
    #expect(unmodified.forwarded == ["Content-Length: 5"])
    #expect(response("100 Continue").framing == .none)
    #expect(response("103 Early Hints", "Content-Length: 0\r\n").forwarded.isEmpty)
  }

  @Test func connectHasATunnelForABody() {
    let m = response("200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", to: .connect)
    #expect(m.fault == .contentLengthWithTransferEncoding)
    let plain = response("200 OK", "Transfer-Encoding: chunked\r\n", to: .connect)
    #expect(plain.framing == .none)
    #expect(plain.forwarded.isEmpty)
    #expect(response("403 Forbidden", "Content-Length: 5\r\n", to: .connect).framing == .length(5))
  }

  @Test func http10Responses() {
    let m = parseResponse("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n")
    #expect(!m.keepAlive)
    #expect(m.startLineLength == 0)
    #expect(m.written == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    #expect(parseResponse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n").keepAlive)
    #expect(!parseResponse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").keepAlive)
  }

  @Test func reasons() {
    #expect(response("404 ").reason == "")
    #expect(response("404 ").written == "HTTP/1.1 404 \r\n\r\n")
    #expect(response("404").written == "HTTP/1.1 404 Not Found\r\n\r\n")
    #expect(response("299").written == "HTTP/1.1 299 \r\n\r\n")
    #expect(response("404 J\u{fc}rgen").reason == "J\u{fc}rgen")
    #expect(response("404  two  spaces ").reason == " two  spaces ")
  }

  @Test func switchingProtocols() {
    let m = response("101 Switching Protocols", "Connection: Upgrade\r\nUpgrade: websocket\r\n")
    #expect(m.upgrade)
    #expect(m.upgradeProtocol == "websocket")
    #expect(m.framing == .none)
    #expect(m.forwarded.isEmpty)
    #expect(!response("101 Switching Protocols").upgrade)
    #expect(!response("426 Upgrade Required", "Connection: Upgrade\r\nUpgrade: websocket\r\n").upgrade)
  }

  /// A backend may be sloppy about Connection without being refused; its connection is just not used again.
  @Test func malformedConnectionMeansClose() {
    let m = response("200 OK", "Connection: timeout=5\r\nContent-Length: 0\r\n")
    #expect(m.headLength != nil)
    #expect(!m.keepAlive)
  }

  @Test func fieldsOfRequestsMeanNothing() throws {
    let file = try CorpusFile.named("fields-odd", in: CorpusFile.responses)
    let m = parse(file.bytes, arrivals: [file.bytes.count], to: .get, limits: HTTPLimits())
    #expect(m.forwarded.starts(with: ["Host: two words", "Expect: x"]))
  }
}
