import CZlib
import Testing
import WeftFilter
import WeftHTTP
import WeftIO

@testable import WeftFilters

@Suite struct CompressTests {
  static let page = String(repeating: "<p>All work and no play makes Jack a dull boy.</p>\n", count: 40)
  static let html = ["content-type: text/html; charset=utf-8"]

  /// What a client reads out of `bytes`; `isWhole` says whether the end has come.
  private func gunzip(_ bytes: [UInt8], isWhole: inout Bool) -> String {
    var input = bytes
    var output = [UInt8](repeating: 0, count: 4 << 20)
    let count = input.withUnsafeMutableBufferPointer { source in
      output.withUnsafeMutableBufferPointer { target in
        var stream = z_stream()
        stream.next_in = source.baseAddress
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = UInt32(target.count)
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
          return 0
        }
        isWhole = inflate(&stream, Z_SYNC_FLUSH) == Z_STREAM_END
        inflateEnd(&stream)
        return Int(stream.total_out)
      }
    }
    return String(decoding: output.prefix(count), as: UTF8.self)
  }

  private func gunzip(_ message: FilterBenchMessage?) -> String? {
    guard let message else { return nil }
    var isWhole = false
    let text = gunzip(message.body, isWhole: &isWhole)
    return isWhole ? text : nil
  }

  private func result(_ bench: FilterBench, _ name: String) -> Double? {
    bench.metric("weft_filter_compress_responses_total", ["compress", name])
  }

  // MARK: What is compressed

  @Test func aResponseIsCompressed() throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip, br"])
    try exchange.respond(
      200, Self.html + ["etag: \"v1\"", "accept-ranges: bytes", "x: y"],
      body: [String(Self.page.prefix(1000)), String(Self.page.dropFirst(1000))])
    let response = try #require(exchange.response)
    #expect(gunzip(response) == Self.page)
    #expect(response.body.count < Self.page.utf8.count / 5)
    #expect(
      response.lines.sorted() == [
        "content-encoding: gzip", "content-type: text/html; charset=utf-8", "etag: W/\"v1\"",
        "transfer-encoding: chunked", "vary: Accept-Encoding", "x: y",
      ])
    #expect(exchange.upstreamRequest?["accept-encoding"] == "gzip, br")
    #expect(result(bench, "compressed") == 1)
    #expect(bench.metric("weft_filter_compress_received_bytes_total", ["compress"]) == Double(Self.page.utf8.count))
    #expect(bench.metric("weft_filter_compress_sent_bytes_total", ["compress"]) == Double(response.body.count))
  }

  @Test(arguments: [
    ("gzip", true), ("GZIP", true), ("x-gzip", true), ("gzip;q=1", true), ("gzip;q=0.001", true), ("*", true),
    ("deflate, gzip;q=0.5", true), ("gzip ; q=0.8 , identity ; q=0.5", true), ("br;q=1, *;q=0.1", true),
    ("identity;q=0, gzip", true), ("gzip;level=9;q=0.5", true), ("gzip;Q=0.5", true), ("gzip;q=1.000", true),
    ("", false), ("br", false), ("identity", false), ("gzip;q=0", false), ("gzip;q=0.000", false),
    ("gzip;q=0, *", false), ("*;q=0", false), ("gzip;q=0.5, identity", false), ("gzip;q=0.5, identity;q=0.6", false),
    ("gzip;q=2", false), ("gzip;q=x", false), ("gzip;q=", false), ("gzip;q=1.5", false), ("gzip;q=0.5555", false),
    ("gzipped", false), ("gzip;q=-1", false), ("gzip;q=.5", false),
  ])
  func clientsSayWhatTheyAccept(field: String, isAccepted: Bool) throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: \(field)"])
    try exchange.respond(200, Self.html, body: [Self.page])
    #expect((exchange.response?["content-encoding"] == "gzip") == isAccepted)
    #expect(exchange.response?["vary"] == "Accept-Encoding")
    #expect((isAccepted ? gunzip(exchange.response) : exchange.response?.text) == Self.page)
  }

  @Test func severalAcceptEncodingLinesAreOneList() throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: br", "accept-encoding: gzip"])
    try exchange.respond(200, Self.html, body: [Self.page])
    #expect(gunzip(exchange.response) == Self.page)
  }

  @Test func withoutAcceptEncodingNothingIsCompressed() throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request()
    try exchange.respond(200, Self.html + ["etag: \"1\""], body: [Self.page])
    #expect(exchange.response?.text == Self.page)
    #expect(exchange.response?["content-length"] == "\(Self.page.utf8.count)")
    #expect(exchange.response?["etag"] == "\"1\"")
    #expect(exchange.response?["vary"] == "Accept-Encoding")
    #expect(result(bench, "not_accepted") == 1)
  }

  /// Responses that stay as they are, without a Vary of this filter's.
  static let leftAlone: [(status: Int, type: String, other: String)] = [
    (200, "image/png", ""), (200, "text", ""), (200, "textual/html", ""),
    (200, "text/html", "content-encoding: br"), (200, "text/html", "content-encoding: gzip"),
    (200, "text/html", "cache-control: public, No-Transform"), (206, "text/html", "content-range: bytes 0-99/200"),
    (200, "text/html", "content-range: bytes 0-99/200"), (206, "text/html", ""),
    (200, "text/html", "content-digest: sha-256=:x:"), (200, "text/html", "repr-digest: sha-256=:x:"),
    (200, "text/html", "digest: sha-256=x"), (200, "text/html", "content-md5: x"),
  ]

  @Test(arguments: leftAlone)
  func someResponsesAreLeftAlone(status: Int, type: String, other: String) throws {
    let headers = ["content-type: \(type)"] + (other.isEmpty ? [] : [other])
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(status, headers, body: [Self.page])
    #expect(exchange.response?.text == Self.page)
    #expect(exchange.response?.lines == headers + ["content-length: \(Self.page.utf8.count)"])
    #expect(result(bench, "not_eligible") == 1)
  }

  @Test func requestsCanForbidTransformation() throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip", "cache-control: no-transform"])
    try exchange.respond(200, Self.html, body: [Self.page])
    #expect(exchange.response?.text == Self.page)
  }

  @Test(arguments: [
    ("[text/html]", "text/html", true), ("[text/html]", "TEXT/HTML;charset=x", true),
    ("[text/html]", "text/css", false),
    ("[text/*]", "text/css", true), ("[text/*]", "text/", false), ("[\"*/*\"]", "image/png", true),
    ("[\"*+json\"]", "application/problem+json; a=b", true), ("[\"*+json\"]", "application/json", false),
    ("[text/html, image/svg+xml]", "image/svg+xml", true),
  ])
  func contentTypes(types: String, type: String, isCompressed: Bool) throws {
    let bench = try bench(Compress.self, "contentTypes: \(types)")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(200, ["content-type: \(type)"], body: [Self.page])
    #expect((exchange.response?["content-encoding"] != nil) == isCompressed)
  }

  @Test func shortResponsesAreNotWorthIt() throws {
    let bench = try bench(Compress.self, "minLength: 100")
    for (length, isCompressed) in [(99, false), (100, true)] {
      let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
      try exchange.respond(200, Self.html, body: [String(repeating: "x", count: length)])
      #expect((exchange.response?["content-encoding"] != nil) == isCompressed)
    }
    // Who does not say how long it is may be long.
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(200, Self.html, body: ["x"], chunked: true)
    #expect(gunzip(exchange.response) == "x")
  }

  // MARK: Heads without a body

  @Test func headIsAnsweredAsGetWouldBe() throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("HEAD", "/", ["accept-encoding: gzip"])
    try exchange.respond(200, Self.html + ["content-length: 5000", "etag: \"1\""])
    #expect(exchange.response?.body == [])
    #expect(exchange.response?["content-encoding"] == "gzip")
    #expect(exchange.response?["content-length"] == nil)
    #expect(exchange.response?["etag"] == "W/\"1\"")
    let short = try bench.request("HEAD", "/", ["accept-encoding: gzip"])
    try short.respond(200, Self.html + ["content-length: 50"])
    #expect(short.response?["content-encoding"] == nil)
    #expect(short.response?["content-length"] == "50")
  }

  @Test func notModifiedHasTheValidatorOfWhatWasCompressed() throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip", "if-none-match: W/\"1\""])
    try exchange.respond(304, ["etag: \"1\""])
    #expect(exchange.response?.lines == ["etag: W/\"1\"", "vary: Accept-Encoding"])
    let plain = try bench.request()
    try plain.respond(304, ["etag: \"1\"", "vary: accept-encoding"])
    #expect(plain.response?.lines == ["etag: \"1\"", "vary: accept-encoding"])
  }

  @Test(arguments: [204, 205]) func emptyResponsesStayEmpty(status: Int) throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(status, Self.html)
    #expect(exchange.response?["content-encoding"] == nil)
    #expect(exchange.response?.body == [])
  }

  @Test func anEmptyBodyOfUnknownLengthIsStillValidGzip() throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(200, Self.html, body: [], chunked: true)
    #expect(gunzip(exchange.response) == "")
    #expect(exchange.response?["content-encoding"] == "gzip")
  }

  @Test func varyIsNotRepeated() throws {
    let bench = try bench(Compress.self, "{}")
    for vary in ["Accept-Encoding", "origin, accept-encoding", "*"] {
      let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
      try exchange.respond(200, Self.html + ["vary: \(vary)"], body: [Self.page])
      #expect(exchange.response?.values("vary") == [vary])
    }
  }

  @Test(arguments: [("W/\"1\"", "W/\"1\""), ("\"\"", "W/\"\"")])
  func validators(tag: String, expected: String) throws {
    let bench = try bench(Compress.self, "{}")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(200, Self.html + ["etag: \(tag)"], body: [Self.page])
    #expect(exchange.response?.values("etag") == [expected])
  }

  // MARK: Streams

  @Test(arguments: [("auto", true, true), ("auto", false, false), ("always", false, true), ("never", true, false)])
  func eachPieceOfAStreamCanBeReadAtOnce(flush: String, chunked: Bool, isReadable: Bool) throws {
    let bench = try bench(Compress.self, "{flush: \(flush), minLength: 0}")
    // The last piece has not come yet: a filter behind this one holds it.
    let hold = HoldLast()
    bench.add(hold)
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(
      200, ["content-type: text/event-stream"], body: ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"], chunked: chunked)
    #expect(exchange.progress == .response)
    var isWhole = true
    let seen = gunzip(try #require(exchange.response).body, isWhole: &isWhole)
    #expect(!isWhole)
    #expect((seen == "data: 1\n\ndata: 2\n\n") == isReadable)
    exchange.handle.worker.resume(exchange.handle.reference)
    bench.advance(milliseconds: 1)
    #expect(gunzip(exchange.response) == "data: 1\n\ndata: 2\n\ndata: 3\n\n")
  }

  final class HoldLast: HTTPFilter {
    override var phases: FilterPhases { .responseBody }
    override func onResponseBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
      chunk.isLast ? .suspend : .next
    }
  }

  @Test func longAndIncompressibleBodiesSurvive() throws {
    let bench = try bench(Compress.self, "{level: 1, contentTypes: [\"*/*\"]}")
    var random = WorkerRandom()
    let pieces = (0..<40).map { _ in (0..<32_768).map { _ in UInt8(truncatingIfNeeded: random.next()) & 0x7f } }
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    try exchange.respond(200, ["content-type: a/b"], bytes: pieces, chunked: true)
    #expect(gunzip(exchange.response) == String(decoding: pieces.flatMap(\.self), as: UTF8.self))
  }

  @Test func streamsAreUsedAgain() throws {
    let bench = try bench(Compress.self, "{}")
    for i in 0..<50 {
      let page = Self.page + "\(i)"
      let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
      try exchange.respond(200, Self.html, body: [page])
      #expect(gunzip(exchange.response) == page)
    }
  }

  @Test func beyondTheLimitResponsesGoPlain() throws {
    let bench = try bench(Compress.self, "maxStreams: 2")
    bench.add(HoldLast())
    func start() throws -> FilterBenchExchange {
      let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
      try exchange.respond(200, Self.html, body: [Self.page, "end"])
      return exchange
    }
    let first = try start()
    var second: FilterBenchExchange? = try start()
    #expect(try start().response?["content-encoding"] == nil)
    #expect(result(bench, "busy") == 1)
    #expect(first.response?["content-encoding"] == "gzip")
    #expect(second?.response?["content-encoding"] == "gzip")
    // A client that goes away in the middle gives its stream back, and the next one finds it clean.
    second = nil
    let third = try start()
    #expect(third.response?["content-encoding"] == "gzip")
    bench.worker.resume(third.handle.reference)
    bench.advance(milliseconds: 1)
    #expect(gunzip(third.response) == Self.page + "end")
  }

  // MARK: With others

  @Test func localResponsesAreCompressed() throws {
    let bench = FilterBench()
    try bench.add(Compress.self, "{}")
    try bench.add(Respond(status: 404, body: Self.page, contentType: "text/html"))
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    #expect(exchange.response?.status == 404)
    #expect(gunzip(exchange.response) == Self.page)
    #expect(exchange.response?["content-length"] == "\(exchange.response?.body.count ?? 0)")
    let head = try bench.request("HEAD", "/", ["accept-encoding: gzip"])
    #expect(head.response?.body == [])
  }

  @Test func aResponseThatIsReplacedInTheMiddleIsCompressedAfresh() throws {
    // The filter before it buffers and fails: the proxy's error runs through the whole chain once more.
    final class Buffering: HTTPFilter {
      override var phases: FilterPhases { .response }
      override func onResponse(_ exchange: Exchange) -> FilterVerdict {
        exchange.isLocalResponse ? .next : exchange.bufferResponseBody(limit: 10)
      }
    }
    let bench = FilterBench()
    bench.add(Buffering())
    try bench.add(Compress.self, "{maxStreams: 1}")
    for _ in 0..<3 {
      let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
      try exchange.respond(200, Self.html, body: [Self.page])
      #expect(exchange.response?.status == 500)
      #expect(exchange.response?["content-encoding"] == nil)
    }
    #expect(result(bench, "busy") == 0)
  }

  @Test func theUpstreamNeedNotCompress() throws {
    let bench = try bench(Compress.self, "removeAcceptEncoding: true")
    let exchange = try bench.request("GET", "/", ["accept-encoding: gzip"])
    #expect(exchange.upstreamRequest?["accept-encoding"] == nil)
    try exchange.respond(200, Self.html, body: [Self.page])
    #expect(gunzip(exchange.response) == Self.page)
    let plain = try bench.request("GET", "/", ["accept-encoding: br"])
    #expect(plain.upstreamRequest?["accept-encoding"] == nil)
    try plain.respond(200, Self.html, body: [Self.page])
    #expect(plain.response?.text == Self.page)
  }

  @Test(arguments: [
    ("level: 10", "level: 10 is out of range; allowed are 1 to 9"),
    ("contentTypes: [html]", "contentTypes[0]: \"html\" is not allowed; use a media type such as \"text/html\""),
    ("contentTypes: []", "contentTypes: needs at least 1 element"),
    ("flush: sometimes", "flush: unknown value \"sometimes\"; use one of auto, always, never"),
    ("maxStreams: 0", "maxStreams: 0 is out of range; allowed are 1 to 65536"),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(Compress.self, yaml)
    #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
  }
}
