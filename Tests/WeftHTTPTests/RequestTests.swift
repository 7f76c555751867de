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
    #expect(m.originalTarget == "/a/b?c=d&e=?f")
    #expect(m.path == "/a/b")
    #expect(m.query == "c=d&e=?f")
    #expect(m.framing == .none)
    #expect(m.keepAlive)
    #expect(m.startLineLength == 28)
    #expect(m.wireLength == input.utf8.count)
    #expect(m.written == input)
  }

  @Test(arguments: [
    ("GET", Method.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("OPTIONS", .options),
    ("TRACE", .trace), ("PATCH", .patch), ("get", .other), ("PROPFIND", .other), ("GETS", .other), ("GE", .other),
  ])
  func methodsAreTold(_ text: String, _ method: Method) {
    let m = parseRequest("\(text) / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(m.method == method)
    #expect(m.methodText == text)
  }

  @Test func oneEmptyLineIsSkipped() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    let m = parseRequest("\r\n" + request)
    #expect(m.outcome == .complete(headLength: request.utf8.count + 2))
    #expect(m.wireLength == request.utf8.count)
    #expect(m.written == request)
    #expect(parseRequest("\r").outcome == .incomplete)
    #expect(parseRequest("\r\n").outcome == .incomplete)
    #expect(parseRequest("").outcome == .incomplete)
  }

  @Test func pipelinedRequestsAreSeparated() throws {
    let file = try CorpusFile.named("pipelined-after-body", in: CorpusFile.requests)
    let first = parseRequest(file.bytes)
    #expect(first.framing == .length(5))
    let length = try #require(first.headLength)
    let second = parseRequest(Array(file.bytes.dropFirst(length + 5)))
    #expect(second.target == "/")
    #expect(second.headLength == file.bytes.count - length - 5)
  }

  @Test func irregularLinesAreWrittenRegular() {
    let m = parseRequest("GET / HTTP/1.1\r\nHost:a\r\nA:\t b c \t\r\nB:\r\nC: \r\nD: d\r\n\r\n")
    #expect(m.rows.map(\.value) == ["a", "b c", "", "", "d"])
    #expect(m.rows.map(\.irregular) == [true, true, true, false, false])
    #expect(m.written == "GET / HTTP/1.1\r\nHost: a\r\nA: b c\r\nB: \r\nC: \r\nD: d\r\n\r\n")
  }

  @Test func http10BecomesHTTP11() {
    let m = parseRequest("GET /a HTTP/1.0\r\nA: b\r\n\r\n")
    #expect(m.minorVersion == 0)
    #expect(m.startLineLength == 0)
    #expect(!m.keepAlive)
    #expect(m.written == "GET /a HTTP/1.1\r\nA: b\r\nHost: \r\n\r\n")
    #expect(parseRequest("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keepAlive)
    #expect(!parseRequest("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keepAlive)
  }

  @Test func framingIsReadFromTheFields() {
    #expect(parseRequest("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0012\r\n\r\n").framing == .length(12))
    #expect(parseRequest("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").framing == .none)
    let chunked = parseRequest("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n")
    #expect(chunked.framing == .chunked)
    #expect(chunked.forwarded.contains("Transfer-Encoding: Chunked"))
  }

  @Test func expectationsAreRead() {
    let head = "Host: a\r\nExpect: 100-Continue\r\n\r\n"
    #expect(parseRequest("POST / HTTP/1.1\r\n" + head).expectsContinue)
    #expect(!parseRequest("POST / HTTP/1.0\r\n" + head).expectsContinue)
    #expect(!parseRequest("POST / HTTP/1.1\r\nHost: a\r\n\r\n").expectsContinue)
  }

  @Test func limitsAreConfigured() {
    let request = "GET /abc HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"
    #expect(parseRequest(request, limits: HTTPLimits(maxRequestLine: 18)).fault == .requestLineTooLong)
    #expect(parseRequest(request, limits: HTTPLimits(maxRequestLine: 19)).headLength == 36)
    #expect(parseRequest(request, limits: HTTPLimits(maxHeadBytes: 35)).fault == .headTooLarge)
    #expect(parseRequest(request, limits: HTTPLimits(maxHeadBytes: 36)).headLength == 36)
    #expect(parseRequest(request, limits: HTTPLimits(maxFields: 1)).fault == .tooManyFields)
    #expect(parseRequest(request, limits: HTTPLimits(maxFields: 2)).headLength == 36)
  }

  /// No configuration makes the parser read a head that offsets of 16 bits cannot describe, or more rows than there are.
  @Test func limitsHaveACeiling() {
    let unlimited = HTTPLimits(maxRequestLine: .max, maxHeadBytes: .max, maxFields: .max)
    let long = "GET / HTTP/1.1\r\nHost: a\r\nB: " + String(repeating: "c", count: 70_000) + "\r\n\r\n"
    #expect(parseRequest(long, limits: unlimited).fault == .headTooLarge)
    let line = "GET /" + String(repeating: "c", count: 70_000) + " HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(parseRequest(line, limits: unlimited).fault == .requestLineTooLong)
    let many = "GET / HTTP/1.0\r\n" + String(repeating: "a: b\r\n", count: 256) + "\r\n"
    #expect(parseRequest(many, limits: unlimited).fault == .tooManyFields)
  }

  @Test func statusOfFaults() {
    #expect(HTTPParseError.contentLengthConflict.status == 400)
    #expect(HTTPParseError.requestLineTooLong.status == 414)
    #expect(HTTPParseError.expectationFailed.status == 417)
    #expect(HTTPParseError.headTooLarge.status == 431)
    #expect(HTTPParseError.tooManyFields.status == 431)
    #expect(HTTPParseError.transferEncodingUnsupported.status == 501)
    #expect(HTTPParseError.statusInvalid.status == 502)
    #expect(HTTPParseError.versionUnsupported.status == 505)
  }

  @Test func refusedRequestLineLeavesNothingBehind() {
    var head = MessageHead()
    let good = bytes("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    let bad = bytes("GET /b#c HTTP/1.1\r\n")
    let outcomes = [good, bad].map { input in
      withExactCopy(input) { p, n in HTTP1Parser.parseRequest(p, n, into: &head, limits: HTTPLimits()) }
    }
    #expect(outcomes[1] == .malformed(.targetFragment))
    #expect(head.method == .other)
    #expect(head.methodText.count == 0)
    #expect(head.target.count == 0)
  }

  /// An incomplete head is not read again from its start for every byte.
  @Test func searchGoesOnWhereItStopped() {
    var head = MessageHead()
    let start = bytes("GET / HTTP/1.1\r\nHost: a\r\nA: ")
    for length in [start.count, start.count + 100, start.count + 5000] {
      let input = start + [UInt8](repeating: 0x61, count: length - start.count)
      let outcome = withExactCopy(input) { p, n in
        HTTP1Parser.parseRequest(p, n, into: &head, limits: HTTPLimits())
      }
      #expect(outcome == .incomplete)
      #expect(head.scanned == length)
    }
    head.reset()
    #expect(head.scanned == 0)
  }
}
