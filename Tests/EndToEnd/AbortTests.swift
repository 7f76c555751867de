import Testing

@Suite("Exchanges that end before their time", .endToEnd)
struct AbortTests {
  /// Nothing of any exchange is left.
  private func expectEmpty(_ scene: Scene) throws {
    try eventually("no request under way") { try scene.weft.metric("weft_http_requests_active") == 0 }
    #expect(try scene.weft.metric("weft_upstream_requests_active") == 0)
  }

  // MARK: Early responses

  @Test("a response that comes while the request still flows is passed on at once")
  func early() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome of it")
    let response = try client.response()
    #expect(response.text == "early")
    // The rest of the request may be sent for a while, and then the connection ends.
    try? client.send([UInt8](repeating: 0x61, count: 100_000))
    #expect(try client.ends())
    try expectEmpty(scene)
  }

  @Test("a response that says the body is too large is heard, although the body is still being sent")
  func earlyClose() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for _ in 0..<5 {
      let client = try scene.client()
      let sending = BackgroundWork { [socket = client.socket] in
        try? socket.send(
          Array("POST /early-close HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n".utf8)
            + BackendPaths.pattern(3_000_000))
      }
      let response = try client.response()
      #expect(response.status == 413)
      #expect(response.text == "too much")
      client.socket.shutdownBoth()
      _ = try sending.value()
    }
    try expectEmpty(scene)
  }

  @Test("an answer before a reset counts")
  func answerThenReset() throws {
    let backend = try Backend { connection, request in
      try connection.respond(413, ["connection: close"], to: request, body: Array("too much".utf8))
      // Closing with bytes unread resets the connection.
      try eventually("bytes to leave unread", within: 10) { true }
      connection.isFinished = true
      connection.socket.close()
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    for _ in 0..<5 {
      let client = try scene.client()
      let sending = BackgroundWork { [socket = client.socket] in
        try? socket.send(
          Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n".utf8)
            + BackendPaths.pattern(3_000_000))
      }
      #expect(try client.response().status == 413)
      client.socket.shutdownBoth()
      _ = try sending.value()
    }
  }

  // MARK: The client

  @Test("a client that shuts its sending side still gets its answers")
  func halfClose() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/slow?ms=100") + HTTPText.post("/body", body: "second"))
    client.socket.shutdownWrite()
    #expect(try client.response().text == "slow")
    #expect(try client.response().text == "second")
    #expect(try client.ends())
    // As curl does with a large download.
    let large = try scene.client()
    try large.send(HTTPText.get("/big?n=3000000"))
    large.socket.shutdownWrite()
    #expect(try large.response().body == BackendPaths.pattern(3_000_000))
  }

  @Test("a body that ends too early reaches nobody as a whole one", arguments: [false, true])
  func shortBody(isChunked: Bool) throws {
    let whole = Locked(0)
    let backend = try Backend { connection, request in
      try connection.read(&request)
      whole.withLock { $0 += 1 }
      try connection.respond(to: request)
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    let framing = isChunked ? "Transfer-Encoding: chunked\r\n\r\n5\r\nhel" : "Content-Length: 10\r\n\r\nhel"
    try client.send("POST / HTTP/1.1\r\nHost: a\r\n\(framing)")
    try eventually("the head at the backend") { !backend.requests.isEmpty }
    client.socket.shutdownWrite()
    _ = try client.untilEnd()
    try eventually("the end of the backend's connection") { !backend.connections[0].isOpen }
    #expect(whole.current == 0)
    let line = try scene.accessLog(1)[0]
    #expect(line.flags == "DC")
    try expectEmpty(scene)
  }

  @Test("a client that goes away frees the backend")
  func clientResets() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for target in ["/hang", "/big?n=100000000", "/drip?n=1000&ms=20"] {
      let client = try scene.client()
      try client.send(HTTPText.get(target))
      try eventually("the request at the backend") { scene.backend.requests.last?.target == target }
      client.socket.reset()
      try eventually("the end at the backend") { scene.backend.connections.allSatisfy { !$0.isOpen } }
    }
    for line in try scene.accessLog(3) {
      #expect(line.flags == "DC")
      #expect(line.details == "downstream_connection_termination")
    }
    try expectEmpty(scene)
  }

  @Test("a client that closes while its answer is awaited frees the backend")
  func clientCloses() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/big?n=1000000000"))
    _ = try client.reader.some()
    client.socket.close()
    try eventually("the end at the backend") { scene.backend.connections.allSatisfy { !$0.isOpen } }
    try expectEmpty(scene)
  }

  // MARK: The backend

  @Test("a backend that breaks off before it answers gives 503", arguments: ["/reset", "/fin"])
  func noAnswer(path: String) throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let response = try client.exchange(HTTPText.post(path, body: "abc"))
      #expect(response.status == 503)
      #expect(response["connection"] == nil, "the client's connection is as good as before")
    }
    for line in try scene.accessLog(2) {
      #expect(line.flags == "UC")
      #expect(line.details == "upstream_reset_before_response_started")
    }
    try expectEmpty(scene)
  }

  @Test("a response that breaks off is not passed off as whole", arguments: ["/cut", "/cut-chunk"])
  func cutShort(path: String) throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get(path))
    #expect(throws: EndOfStream.self) { try client.response() }
    let line = try scene.accessLog(1)[0]
    #expect(line.flags == "UC")
    #expect(line.status == 200)
    try expectEmpty(scene)
  }

  @Test("a chunked response that breaks off for a client of HTTP/1.0 is reset, for nothing else says so")
  func cutShortForOld() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("GET /cut-chunk HTTP/1.0\r\nHost: a\r\n\r\n")
    #expect(throws: SocketFault.reset) { try client.response() }
  }

  @Test("a response that lasts until its connection ends is not passed off as whole when that is a reset")
  func resetWithoutLength() throws {
    let backend = try Backend { connection, _ in
      try connection.send("HTTP/1.1 200 OK\r\n\r\na part")
      connection.isFinished = true
      pause(milliseconds: 50)
      connection.socket.reset()
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/"))
    #expect(throws: SocketFault.reset) { try client.response() }
    #expect(try scene.accessLog(1)[0].flags == "UC")
  }

  @Test("bytes behind a response are not taken for the next one")
  func surplus() throws {
    let backend = try Backend { connection, request in
      if request.path == "/surplus" {
        try connection.send(
          "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")
      } else {
        try connection.respond(to: request, body: Array("clean".utf8))
      }
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<5 {
      #expect(try client.get("/surplus").text == "ok")
      #expect(try client.get("/").text == "clean")
    }
  }

  @Test("a response that nobody asked for ends an idle connection")
  func unsolicited() throws {
    let backend = try Backend { connection, request in
      try connection.respond(to: request, body: Array("asked".utf8))
      pause(milliseconds: 30)
      try connection.send("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nunasked")
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for i in 1...3 {
      #expect(try client.get("/").text == "asked")
      try eventually("the connection's end") { backend.connections.count == i && !backend.connections[i - 1].isOpen }
    }
  }
}
