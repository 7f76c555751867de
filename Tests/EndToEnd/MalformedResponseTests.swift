import Testing

@Suite("Malformed responses of a backend", .endToEnd)
struct MalformedResponseTests {
  struct Case: Sendable {
    let name: String
    let response: String
    let details: String

    init(_ name: String, _ response: String, _ details: String) {
      self.name = name
      self.response = response
      self.details = "http1." + details
    }

    static func field(_ name: String, _ line: String, _ details: String) -> Case {
      Case(name, "HTTP/1.1 200 OK\r\n\(line)\r\n\r\nabc", details)
    }
  }

  static let cases: [Case] = [
    Case("no HTTP at all", "SSH-2.0-OpenSSH_9.6\r\n\r\n", "status_line_invalid"),
    Case("a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "status_line_invalid"),
    Case("a lower-case version", "http/1.1 200 OK\r\n\r\n", "status_line_invalid"),
    Case("a version without a dot", "HTTP/2 200 OK\r\n\r\n", "version_invalid"),
    Case("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", "version_unsupported"),
    Case("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "status_invalid"),
    Case("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "status_invalid"),
    Case("a status below 100", "HTTP/1.1 099 OK\r\n\r\n", "status_invalid"),
    Case("a status that is no number", "HTTP/1.1 abc OK\r\n\r\n", "status_invalid"),
    Case("a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "bare_lf"),
    Case("a bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", "bare_cr"),
    .field("a bare CR in a value", "X: a\rb", "bare_cr"),
    .field("NUL in a value", "X: a\0b", "nul"),
    .field("obs-fold", "X: a\r\n b", "line_folding"),
    .field("a space before the colon", "Content-Length : 3", "field_name_space"),
    .field("a field without a colon", "X-Field", "field_colon_missing"),
    .field("a field without a name", ": a", "field_name_empty"),
    .field("a name that is no token", "X(): a", "field_name_invalid"),
    .field("a control in a value", "X: a\u{01}b", "field_value_invalid"),
    .field(
      "Content-Length with Transfer-Encoding", "Content-Length: 3\r\nTransfer-Encoding: chunked",
      "content_length_with_transfer_encoding"),
    .field("two lengths that differ", "Content-Length: 3\r\nContent-Length: 4", "content_length_conflict"),
    .field("a negative length", "Content-Length: -3", "content_length_invalid"),
    .field("a list of lengths", "Content-Length: 3, 3", "content_length_invalid"),
    .field("an unknown coding", "Transfer-Encoding: gzip", "transfer_encoding_unsupported"),
    .field("chunked not last", "Transfer-Encoding: chunked, gzip", "chunked_not_last"),
    .field("chunked twice", "Transfer-Encoding: chunked, chunked", "chunked_repeated"),
    Case(
      "chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "transfer_encoding_in_http10"),
    Case("1xx with a body", "HTTP/1.1 103 Early\r\nContent-Length: 3\r\n\r\nabc", "interim_with_body"),
    Case(
      "a head of 40 KB", "HTTP/1.1 200 OK\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n", "head_too_large"),
    .field("300 fields", (1...300).map { "X-\($0): 1" }.joined(separator: "\r\n"), "too_many_fields"),
  ]

  @Test("give 502, and nothing of them reaches the client")
  func heads() throws {
    let backend = try Backend { connection, request in
      try connection.send(Self.cases[request.number("case", 0)].response)
      // The rest of the connection must not be listened to.
      try? connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
      _ = try connection.reader.some()
      connection.isFinished = true
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for (i, entry) in Self.cases.enumerated() {
      let response = try client.get("/?case=\(i)")
      #expect(response.status == 502, "\(entry.name)")
      #expect(response["server"] == "weft", "\(entry.name)")
      #expect(response["x"] == nil, "\(entry.name)")
    }
    for (entry, line) in zip(Self.cases, try scene.accessLog(Self.cases.count)) {
      #expect(line.details == entry.details, "\(entry.name)")
      #expect(line.flags == "UPE", "\(entry.name)")
    }
    #expect(backend.connections.count == Self.cases.count, "a connection with a mistake is not used again")
  }

  @Test(
    "within the body break the response off",
    arguments: [
      "x\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nX Y: 1\r\n\r\n",
      "fffffffffffffffff\r\nabc",
    ])
  func chunks(body: String) throws {
    let backend = try Backend { connection, request in
      try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      if request.path == "/late" { pause(milliseconds: 30) }
      try connection.send(body)
      _ = try connection.reader.some()
      connection.isFinished = true
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let late = try scene.client()
    try late.send(HTTPText.get("/late"))
    #expect(throws: (any Error).self) { try late.response() }
    let early = try scene.client()
    try early.send(HTTPText.get("/early"))
    // Nothing may look like a whole response: an error of the proxy's own is fine, as is the connection's end.
    if let response = try? early.response() { #expect(response.status == 502) }
    for line in try scene.accessLog(2) { #expect(line.flags == "UPE") }
  }

  @Test("what is odd but allowed passes")
  func odd() throws {
    let texts = [
      "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 299 Sonderfall \u{e4}\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nContent-Length:2\r\nX:   \r\n\r\nok",
      "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n002\r\nok\r\n000\r\n\r\n",
    ]
    let backend = try Backend { connection, request in try connection.send(texts[request.number("case", 0)]) }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for i in texts.indices { #expect(try client.get("/?case=\(i)").text == "ok", "\(texts[i])") }
    #expect(backend.connections.count == 1)
  }
}
