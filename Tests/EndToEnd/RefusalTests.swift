import Testing

/// A request that must be answered with an error and never reach the backend.
struct Refusal: Sendable {
  let name: String
  let request: String
  let status: Int
  /// The access log's `response_code_details`.
  let details: String

  init(_ name: String, _ request: String, _ details: String, _ status: Int = 400) {
    self.name = name
    self.request = request
    self.status = status
    self.details = details
  }

  /// A request with one field line more than it may have.
  static func field(_ name: String, _ line: String, _ details: String, _ status: Int = 400) -> Refusal {
    Refusal(name, "GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n", details, status)
  }

  /// A request with a body, framed by `lines`.
  static func framing(
    _ name: String, _ lines: String, body: String = "", _ details: String, _ status: Int = 400
  ) -> Refusal {
    Refusal(name, "POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n\(body)", details, status)
  }

  static func line(_ name: String, _ line: String, _ details: String, _ status: Int = 400) -> Refusal {
    Refusal(name, "\(line)\r\nHost: a\r\n\r\n", details, status)
  }
}

@Suite("Requests that are refused", .endToEnd)
struct RefusalTests {
  static let framing: [Refusal] = [
    .framing(
      "Content-Length with Transfer-Encoding", "Content-Length: 4\r\nTransfer-Encoding: chunked",
      body: "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "http1.content_length_with_transfer_encoding"),
    .framing(
      "Transfer-Encoding with Content-Length", "Transfer-Encoding: chunked\r\nContent-Length: 0",
      body: "0\r\n\r\n", "http1.content_length_with_transfer_encoding"),
    .framing(
      "two Content-Lengths that differ", "Content-Length: 3\r\nContent-Length: 4", body: "abcd",
      "http1.content_length_conflict"),
    .framing(
      "two Content-Lengths that are equal", "Content-Length: 4\r\nContent-Length: 4", body: "abcd",
      "http1.content_length_repeated"),
    .framing("a list of Content-Lengths", "Content-Length: 4, 4", body: "abcd", "http1.content_length_invalid"),
    .framing("a Content-Length with a sign", "Content-Length: +4", body: "abcd", "http1.content_length_invalid"),
    .framing("a negative Content-Length", "Content-Length: -1", "http1.content_length_invalid"),
    .framing("a hexadecimal Content-Length", "Content-Length: 0x4", body: "abcd", "http1.content_length_invalid"),
    .framing("an empty Content-Length", "Content-Length:", "http1.content_length_invalid"),
    .framing(
      "a Content-Length that is no number", "Content-Length: four", body: "abcd", "http1.content_length_invalid"),
    .framing("a Content-Length with a space in it", "Content-Length: 1 0", "http1.content_length_invalid"),
    .framing(
      "a Content-Length beyond all numbers", "Content-Length: 99999999999999999999", "http1.content_length_invalid"),
    .framing("chunked not last", "Transfer-Encoding: chunked, gzip", "http1.chunked_not_last"),
    .framing(
      "chunked not last, in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
      "http1.chunked_not_last"),
    .framing("chunked twice", "Transfer-Encoding: chunked, chunked", body: "0\r\n\r\n", "http1.chunked_repeated"),
    .framing(
      "chunked twice, in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", body: "0\r\n\r\n",
      "http1.chunked_repeated"),
    .framing("an unknown transfer coding", "Transfer-Encoding: cow", "http1.transfer_encoding_unsupported", 501),
    .framing(
      "a transfer coding that is not undone here", "Transfer-Encoding: gzip, chunked", body: "0\r\n\r\n",
      "http1.transfer_encoding_unsupported", 501),
    .framing("identity, which is no coding", "Transfer-Encoding: identity", "http1.transfer_encoding_unsupported", 501),
    .framing(
      "a quoted transfer coding", "Transfer-Encoding: \"chunked\"", body: "0\r\n\r\n", "http1.transfer_encoding_invalid"
    ),
    .framing(
      "a transfer coding with a control", "Transfer-Encoding: \u{0b}chunked", body: "0\r\n\r\n",
      "http1.field_value_invalid"),
    .framing(
      "an empty transfer coding", "Transfer-Encoding: ", body: "", "http1.transfer_encoding_invalid"),
    Refusal(
      "Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "http1.transfer_encoding_in_http10"),
  ]

  static let lines: [Refusal] = [
    Refusal("a bare LF at the end of the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "http1.bare_lf"),
    Refusal("a bare LF at the end of a field line", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", "http1.bare_lf"),
    Refusal("bare LFs alone", "GET / HTTP/1.1\nHost: a\n\n", "http1.bare_lf"),
    Refusal("a bare LF at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", "http1.bare_lf"),
    Refusal("a bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n", "http1.bare_cr"),
    Refusal("a bare CR in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\rY: 1\r\n\r\n", "http1.bare_cr"),
    Refusal("a bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", "http1.bare_cr"),
    Refusal("CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "http1.bare_cr"),
    Refusal("obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", "http1.line_folding"),
    Refusal("obs-fold with a tab", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\tY: 2\r\n\r\n", "http1.line_folding"),
    Refusal("a first field line that is folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "http1.line_folding"),
    .field("a space before the colon", "X-Field : 1", "http1.field_name_space"),
    .field("a tab before the colon", "X-Field\t: 1", "http1.field_name_space"),
    .field("a space before the colon of Content-Length", "Content-Length : 5", "http1.field_name_space"),
    .field("a field without a colon", "X-Field", "http1.field_colon_missing"),
    .field("a field without a name", ": 1", "http1.field_name_empty"),
    .field("a space in a field's name", "X Field: 1", "http1.field_name_invalid"),
    .field("a parenthesis in a field's name", "X(Field): 1", "http1.field_name_invalid"),
    .field("a byte beyond ASCII in a field's name", "X-Fi\u{e9}ld: 1", "http1.field_name_invalid"),
    .field("a control in a value", "X: a\u{01}b", "http1.field_value_invalid"),
    .field("DEL in a value", "X: a\u{7f}b", "http1.field_value_invalid"),
    .field("NUL in a value", "X: a\0b", "http1.nul"),
    .field("NUL in a name", "X\0: b", "http1.nul"),
    .line("NUL in the target", "GET /\0 HTTP/1.1", "http1.nul"),
    Refusal("NUL in Host", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", "http1.nul"),
  ]

  static let requestLines: [Refusal] = [
    .line("a method with a control", "G\u{01}T / HTTP/1.1", "http1.method_invalid"),
    .line("a method with a separator", "G/T / HTTP/1.1", "http1.method_invalid"),
    .line("a method with a parenthesis", "GET() / HTTP/1.1", "http1.method_invalid"),
    .line("no method", " / HTTP/1.1", "http1.method_invalid"),
    .line("no target", "GET HTTP/1.1", "http1.version_missing"),
    .line("no version", "GET /", "http1.version_missing"),
    .line("two spaces", "GET  / HTTP/1.1", "http1.request_line_invalid"),
    .line("a space at the end", "GET / HTTP/1.1 ", "http1.request_line_invalid"),
    .line("a space in the target", "GET /a b HTTP/1.1", "http1.request_line_invalid"),
    .line("a control in the target", "GET /\u{01} HTTP/1.1", "http1.target_invalid"),
    .line("a tab in the target", "GET /\tb HTTP/1.1", "http1.target_invalid"),
    .line("a quotation mark in the target", "GET /\" HTTP/1.1", "http1.target_invalid"),
    .line("a byte beyond ASCII in the target", "GET /\u{e9} HTTP/1.1", "http1.target_invalid"),
    .line("a fragment", "GET /a#b HTTP/1.1", "http1.target_fragment"),
    .line("a relative target", "GET a HTTP/1.1", "http1.target_form"),
    .line("* with GET", "GET * HTTP/1.1", "http1.target_asterisk"),
    .line("a scheme that is not HTTP's", "GET ftp://a/ HTTP/1.1", "http1.target_scheme"),
    .line("a lower-case version", "GET / http/1.1", "http1.version_invalid"),
    .line("a version without a dot", "GET / HTTP/11", "http1.version_invalid"),
    .line("a version of long digits", "GET / HTTP/1.10", "http1.version_invalid"),
    .line("HTTP/0.9 by name", "GET / HTTP/0.9", "http1.version_unsupported", 505),
    .line("HTTP/1.2", "GET / HTTP/1.2", "http1.version_unsupported", 505),
    .line("HTTP/2.0", "GET / HTTP/2.0", "http1.version_unsupported", 505),
    Refusal("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "http1.empty_request_line"),
  ]

  static let singleFields: [Refusal] = [
    Refusal("no Host on 1.1", "GET / HTTP/1.1\r\nX: 1\r\n\r\n", "http1.host_missing"),
    Refusal("no field at all on 1.1", "GET / HTTP/1.1\r\n\r\n", "http1.host_missing"),
    .field("a second Host", "Host: b", "http1.host_repeated"),
    .field("a second Host that is equal", "Host: a", "http1.host_repeated"),
    Refusal("two Hosts on 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "http1.host_repeated"),
    Refusal("a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "http1.host_invalid"),
    Refusal("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "http1.host_invalid"),
    Refusal("a Host with user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "http1.host_invalid"),
    Refusal("a Host with a port that is none", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "http1.host_invalid"),
    Refusal("a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "http1.host_invalid"),
    Refusal(
      "an absolute target with user information", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "http1.host_invalid"),
    .field("a Connection that is no list of tokens", "Connection: \"close\"", "http1.connection_invalid"),
    .field("an expectation that nobody can meet", "Expect: 200-maybe", "http1.expectation_failed", 417),
  ]

  static let sizes: [Refusal] = [
    .line(
      "a request line beyond its limit", "GET /\(String(repeating: "a", count: 9000)) HTTP/1.1",
      "http1.request_line_too_long", 414),
    Refusal(
      "a request line that never ends", "GET /" + String(repeating: "a", count: 9000), "http1.request_line_too_long",
      414),
    .field("one long field", "X: " + String(repeating: "a", count: 17_000), "http1.head_too_large", 431),
    .field(
      "long fields", (1...20).map { "X-\($0): " + String(repeating: "a", count: 1000) }.joined(separator: "\r\n"),
      "http1.head_too_large", 431),
    Refusal(
      "a head that never ends", "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 17_000),
      "http1.head_too_large", 431),
    .field("many fields", (1...100).map { "X-\($0): 1" }.joined(separator: "\r\n"), "http1.too_many_fields", 431),
  ]

  @Test("are answered with an error, closed, and never reach the backend")
  func heads() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let cases = Self.framing + Self.lines + Self.requestLines + Self.singleFields + Self.sizes
    for refusal in cases {
      let client = try scene.client()
      // Bytes of a second request stand behind: they must not be taken for one.
      try client.send(refusal.request + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
      do {
        let response = try client.response()
        #expect(response.status == refusal.status, "\(refusal.name)")
        #expect(response["connection"] == "close", "\(refusal.name)")
        #expect(response["server"] == "weft", "\(refusal.name)")
        #expect(response.text.hasSuffix("\n") && !response.body.isEmpty, "\(refusal.name)")
        #expect(try client.ends(), "\(refusal.name): one answer, then the end")
      } catch {
        Issue.record("\(refusal.name): \(error)")
      }
    }
    #expect(scene.backend.connections.isEmpty)
    let log = try scene.accessLog(cases.count)
    #expect(log.count == cases.count)
    for (refusal, line) in zip(cases, log) {
      #expect(line.details == refusal.details, "\(refusal.name)")
      #expect(line.status == refusal.status, "\(refusal.name)")
      #expect(line.flags == "DPE", "\(refusal.name)")
    }
    let counted = try scene.weft.metric("weft_http_refused_requests_total")
    #expect(counted == Double(cases.count))
  }

  @Test("are refused the same when they come byte by byte")
  func bytewise() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for refusal in Self.framing + Self.lines + Self.requestLines + Self.singleFields {
      let client = try scene.client()
      do {
        for byte in refusal.request.utf8 { try client.send([byte]) }
      } catch SocketFault.reset {
        // Refused before the end.
      }
      do {
        let response = try client.response()
        #expect(response.status == refusal.status, "\(refusal.name)")
      } catch {
        Issue.record("\(refusal.name): \(error)")
      }
    }
    #expect(scene.backend.connections.isEmpty)
  }

  /// A malformed chunk shows only while the body flows, so the backend may have seen the head; it never sees a whole
  /// request, and nothing of what stands behind the mistake.
  static let chunks: [(name: String, body: String)] = [
    ("a size that is no number", "x\r\nabc\r\n0\r\n\r\n"),
    ("an empty size", "\r\nabc\r\n0\r\n\r\n"),
    ("a negative size", "-1\r\nabc\r\n0\r\n\r\n"),
    ("a size with 0x", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("a size with a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    ("a size beyond all numbers", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    ("a space before the size", " 3\r\nabc\r\n0\r\n\r\n"),
    ("a bare LF behind the size", "3\nabc\r\n0\r\n\r\n"),
    ("a bare CR behind the size", "3\rabc\r\n0\r\n\r\n"),
    ("a bare LF within an extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
    ("data longer than its size", "3\r\nabcd\r\n0\r\n\r\n"),
    ("a bare LF behind the data", "3\r\nabc\n0\r\n\r\n"),
    ("NUL in an extension", "3;a=\0\r\nabc\r\n0\r\n\r\n"),
    ("an endless extension", "3;" + String(repeating: "a", count: 40_000) + "\r\nabc\r\n0\r\n\r\n"),
    ("a malformed trailer", "3\r\nabc\r\n0\r\nX Y: 1\r\n\r\n"),
    ("a trailer with a bare LF", "3\r\nabc\r\n0\r\nX: 1\n\r\n"),
    ("Content-Length as a trailer", "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"),
    ("Transfer-Encoding as a trailer", "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
  ]

  @Test("as soon as a chunk is malformed")
  func malformedChunks() throws {
    for isSplit in [false, true] {
      // Counts the requests that came whole.
      let whole = Locked(0)
      let backend = try Backend { connection, request in
        try connection.read(&request)
        whole.withLock { $0 += 1 }
        try connection.respond(to: request)
      }
      let scene = try Scene(backends: [backend])
      defer { scene.stop() }
      for (name, body) in Self.chunks {
        let before = scene.backend.requests.count
        let client = try scene.client()
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        if isSplit {
          try eventually("the head at the backend") { scene.backend.requests.count > before }
        }
        do {
          try client.send(body + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
          let response = try client.response()
          #expect(response.status == 400, "\(name)")
          #expect(response["connection"] == "close", "\(name)")
          #expect(try client.ends(), "\(name)")
        } catch {
          Issue.record("\(name): \(error)")
        }
      }
      #expect(whole.current == 0)
      #expect(!String(decoding: scene.backend.received, as: UTF8.self).contains("smuggled"))
      for line in try scene.accessLog(Self.chunks.count) {
        #expect(line.details == "malformed_request_body")
        #expect(line.flags == "DPE")
      }
    }
  }

  @Test("when a path leads above its root, or its percent-encoding is malformed or hides NUL")
  func badPaths() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let cases = ["/../a", "/a/../../b", "/%2e%2e/a", "/a/%2E./../b", "/..", "/%00", "/a%2", "/%zz", "/%"]
    for path in cases {
      let response = try scene.get(path)
      #expect(response.status == 400, "\(path)")
    }
    #expect(scene.backend.connections.isEmpty)
    for line in try scene.accessLog(cases.count) { #expect(line.details == "invalid_path") }
  }

  @Test("CONNECT is not a method of this proxy")
  func connect() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
    #expect(response.status == 405)
    #expect(scene.backend.connections.isEmpty)
  }

  @Test("a TLS handshake is told apart")
  func tls() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send([0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00])
    #expect(try client.response().status == 400)
    #expect(try scene.accessLog(1)[0].details == "http1.tls_handshake")
    #expect(scene.backend.connections.isEmpty)
  }
}
