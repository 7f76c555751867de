import Testing
import WeftHTTP
import WeftIO

/// What a request may say, so that it says the same when it is written as HTTP/1.1.
@Suite("HTTP/2: heads") struct HeadTests {
  private func head(_ fields: [(String, String)], limits: HTTPLimits = HTTPLimits()) -> (HTTP2HeadError?, [String]) {
    var m = MessageHead()
    var builder = HTTP2HeadBuilder()
    builder.begin(&m)
    for (name, value) in fields {
      let (n, v) = (OwnedBytes(name), OwnedBytes(value))
      withExtendedLifetime((n, v)) { builder.addRequest(n.bytes, v.bytes, to: &m, limits: limits) }
    }
    let fault = builder.finishRequest(&m, endsStream: true)
    let lines = (0..<m.headers.count).filter { !m.headers.isRemoved($0) }
      .map { "\(m.headers.name(at: $0).string): \(m.headers.value(at: $0).string)" }
    return (fault, lines)
  }

  private let get = Pair.get

  private func several(_ count: Int, _ value: String) -> [(String, String)] {
    (0..<count).map { ("x\($0)", value) }
  }

  @Test(
    "What is refused",
    arguments: [
      ([(":path", "http://other/")], HTTP2HeadError.targetInvalid), ([(":path", "/a b")], .targetInvalid),
      ([(":path", "/a\r\nx: y")], .targetInvalid), ([(":path", "/a#b")], .targetInvalid),
      ([(":authority", "user@host")], .authorityInvalid), ([(":authority", "a b")], .authorityInvalid),
      ([("host", "elsewhere")], .authorityConflict),
      ([("host", "example.org"), ("host", "example.org")], .authorityInvalid),
      ([("content-length", "+1")], .contentLengthInvalid), ([("content-length", "1, 1")], .contentLengthInvalid),
      ([("content-length", "1"), ("content-length", "1")], .contentLengthInvalid),
      ([("transfer-encoding", "chunked")], .connectionField), ([("connection", "close")], .connectionField),
      ([("upgrade", "websocket")], .connectionField), ([("x", "a\r\nb: c")], .fieldValueInvalid),
      ([("x", "a\u{0}b")], .fieldValueInvalid), ([("x y", "a")], .fieldValueInvalid),
      ([("expect", "the unexpected")], .expectationFailed), ([(":method", "GE T")], .methodInvalid),
    ] as [([(String, String)], HTTP2HeadError)])
  func refused(_ fields: [(String, String)], _ fault: HTTP2HeadError) {
    #expect(head(get + fields).0 == fault)
  }

  @Test("A request needs a host") func hostMissing() {
    #expect(head([(":method", "GET"), (":scheme", "http"), (":path", "/")]).0 == .authorityMissing)
  }

  @Test("Host alone serves, and Host that says the same as :authority") func host() {
    let (fault, lines) = head([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "a.example")])
    #expect(fault == nil)
    #expect(lines == ["host: a.example"])
    #expect(head(get + [("host", "Example.org")]).0 == nil)
    #expect(head(get + [("host", "Example.org")]).1 == ["host: Example.org"])
  }

  @Test("The pieces of a cookie become one field") func cookies() {
    let (fault, lines) = head(get + [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")])
    #expect(fault == nil)
    #expect(lines == ["x: y", "host: example.org", "cookie: a=1; b=2; c=3"])
  }

  @Test("Many pieces of a cookie cost memory once") func manyCookies() {
    let pieces = (0..<90).map { ("cookie", "n\($0)=" + String(repeating: "v", count: 100)) }
    let (fault, lines) = head(get + pieces)
    #expect(fault == nil)
    #expect(lines.count == 2)
    let expected = pieces.map(\.1).joined(separator: "; ")
    #expect(lines.last == "cookie: " + expected)
  }

  @Test("Limits on size and number") func limits() {
    let large = String(repeating: "v", count: 4000)
    #expect(head(get + several(5, large)).0 == .headTooLarge)
    #expect(head(get + several(101, "v")).0 == .tooManyFields)
    #expect(head(get + several(99, "v")).0 == nil)
  }

  @Test("Extended CONNECT becomes the request that an Upgrade would be, for WebSocket alone") func extendedConnect() {
    func connect(_ name: String) -> [(String, String)] {
      [
        (":method", "CONNECT"), (":protocol", name), (":scheme", "https"), (":path", "/chat"),
        (":authority", "example.org"),
      ]
    }
    var m = MessageHead()
    var b = HTTP2HeadBuilder()
    b.begin(&m)
    for (name, value) in connect("websocket") {
      let (n, v) = (OwnedBytes(name), OwnedBytes(value))
      withExtendedLifetime((n, v)) { b.addRequest(n.bytes, v.bytes, to: &m, limits: HTTPLimits()) }
    }
    #expect(b.finishRequest(&m, endsStream: false) == nil)
    #expect(m.method == .get && m.upgrade && m.framing == .none)
    #expect(m.headers.text(m.upgradeProtocol) == Bytes("websocket"))
    #expect(head(connect("WebSocket")).0 == nil)
    #expect(head(connect("connect-udp")).0 == .protocolUnknown)
    #expect(head(connect("websocket") + [("content-length", "3")]).0 == .contentLengthInvalid)
  }

  @Test("Faults have distinct codes") func codes() {
    #expect(Set(HTTP2HeadError.allCases.map { "\($0.code)" }).count == HTTP2HeadError.allCases.count)
  }
}
