import Testing
import WeftHTTP

@Suite struct RequestTests {
  @Test func simpleRequestIsCopiedAsItStands() {
    let input = "GET /a/b?c=d&e=?f HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\n\r\n"
    let m = parseRequest(input + "GET /next")
    #expect(m.outcome == .complete(headLength: input.utf8.count))
    #expect(m.method == .get)
    #expect(m.methodText == "GET")
    #expect(m.target == "/a/b?c=d&e=?f")
    #expect(m.path == "/a/b")
    #expect(m.query == "c=d&e=?f")
    #expect(m.framing == .none)
    #expect(m.keepAlive)
    #expect(m.startLineLength == 28)
    #expect(m.written == input)
  }
}
