import Testing
import WeftHTTP
import WeftIO

@Suite struct WriterTests {
  private func written(capacity: Int = 1024, _ write: (inout ByteWriter) -> Void) -> String {
    var space = [UInt8](repeating: 0, count: capacity)
    return space.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return "" }
      var w = ByteWriter(base, buffer.count)
      write(&w)
      return w.overflow ? "overflow" : latin1(w.bytes)
    }
  }

  @Test func headThatWasMade() {
    var head = MessageHead()
    head.reset()
    head.setMethod(Bytes("POST"))
    head.setTarget(Bytes("/a?b"))
    head.headers.add(HeaderName("host"), Bytes("c"))
    #expect(written { HTTP1Writer.requestHead(head, into: &$0) } == "POST /a?b HTTP/1.1\r\nhost: c\r\n")
    head.setStatus(503)
    #expect(written { HTTP1Writer.responseHead(head, into: &$0) } == "HTTP/1.1 503 Service Unavailable\r\nhost: c\r\n")
    head.setReason(Bytes("Gone fishing"))
    #expect(written { HTTP1Writer.responseHead(head, into: &$0) } == "HTTP/1.1 503 Gone fishing\r\nhost: c\r\n")
    #expect(written(capacity: 10) { HTTP1Writer.responseHead(head, into: &$0) } == "overflow")
  }

  @Test func rewrittenTargetIsWritten() {
    var head = MessageHead()
    let text = withExactCopy(bytes("GET /a HTTP/1.1\r\nHost: b\r\n\r\n")) { p, n in
      _ = HTTP1Parser.parseRequest(p, n, into: &head, limits: HTTPLimits())
      head.setTarget(Bytes("/other?x"))
      head.headers.remove(.host)
      return written { HTTP1Writer.requestHead(head, into: &$0) }
    }
    #expect(text == "GET /other?x HTTP/1.1\r\n")
  }

  @Test func chunks() {
    #expect(written { HTTP1Writer.chunk(size: 1, into: &$0) } == "1\r\n")
    #expect(written { HTTP1Writer.chunk(size: 0xabc0, into: &$0) } == "abc0\r\n")
    #expect(written { HTTP1Writer.lastChunk(into: &$0) } == "0\r\n\r\n")
    var trailers = HeaderTable()
    trailers.add(HeaderName("x-sum"), Bytes("1"))
    #expect(written { HTTP1Writer.lastChunk(trailers: trailers, into: &$0) } == "0\r\nx-sum: 1\r\n\r\n")
  }

  @Test func reasonPhrases() {
    #expect("\(StatusCode.reason(200))" == "OK")
    #expect("\(StatusCode.reason(413))" == "Content Too Large")
    #expect("\(StatusCode.reason(511))" == "Network Authentication Required")
    for status in [0, 99, 199, 299, 399, 499, 599, 600, 999, -1] { #expect("\(StatusCode.reason(status))" == "") }
  }
}
