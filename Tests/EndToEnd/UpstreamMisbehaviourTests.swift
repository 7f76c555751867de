import Testing

@Suite("Backends that break the rules", .endToEnd)
struct UpstreamMisbehaviourTests {
  /// Sends the bytes of `responses` that the path numbers, as they are.
  private static func saying(_ responses: [String], pieces: Int = 1) throws -> Backend {
    try Backend { connection, request in
      try connection.read(&request)
      guard let i = Int(request.path.dropFirst()), responses.indices.contains(i) else {
        return try connection.respond(to: request, body: Array("clean".utf8))
      }
      connection.isFinished = true
      let bytes = Array(responses[i].utf8)
      for start in stride(from: 0, to: bytes.count, by: 16_384) {
        try connection.socket.send(Array(bytes[start..<min(start + 16_384, bytes.count)]))
      }
      while try !connection.reader.some().isEmpty {}
    }
  }

  @Test("garbage is 502, whatever it looks like")
  func garbage() throws {
    let long = String(repeating: "a", count: 100_000)
    let responses = [
      "\0\0\0\0\0\0\0\0\r\n\r\n", "220 mail.example ESMTP\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\u{16}\u{03}\u{01}\0\u{05}",
      "{\"json\": true}\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 099 X\r\n\r\n",
      "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\nx\r\n\r\n", "HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n", long,
      "HTTP/1.1 200 \(long)", "HTTP/1.1 200 OK\r\nx: \(long)\r\n\r\n", "HTTP/1.1 200 OK\r\nx: \(long)",
      "HTTP/1.1 200 OK\r\n" + (0..<5000).map { "x-\($0): 1\r\n" }.joined() + "\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
      String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 1000),
      "HTTP/1.1 103 Early Hints\r\nx: \(long)\r\n\r\n",
    ]
    let scene = try Scene(backends: [Self.saying(responses)])
    defer { scene.stop() }
    for i in responses.indices {
      let client = try scene.client()
      let response = try client.get("/\(i)")
      #expect(response.status == 502, "\(responses[i].prefix(60).debugDescription): \(response.status)")
      #expect(response["x"] == nil)
      #expect(try client.get("/clean").text == "clean", "\(responses[i].prefix(60).debugDescription)")
    }
    for (i, line) in try scene.accessLog(2 * responses.count).enumerated() where i % 2 == 0 {
      #expect(line.flags == "UPE", "\(line)")
    }
  }

  @Test("more than was announced goes to nobody")
  func tooMuch() throws {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
    let responses = [
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" + evil, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" + evil,
      "HTTP/1.1 204 No Content\r\n\r\n" + evil, "HTTP/1.1 304 Not Modified\r\ncontent-length: 50\r\n\r\n" + evil,
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + evil,
      "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n\r\n\r\n" + evil,
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" + String(repeating: "x", count: 1_000_000),
    ]
    let backend = try Backend { connection, request in
      try connection.read(&request)
      guard let i = Int(request.path.dropFirst()), responses.indices.contains(i) else {
        return try connection.respond(to: request, body: Array("clean".utf8))
      }
      // Kept open, in the hope of a next request.
      try connection.send(responses[i])
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<5 {
      for i in responses.indices {
        for method in ["GET", "HEAD"] {
          let response = try client.exchange("\(method) /\(i) HTTP/1.1\r\nHost: a\r\n\r\n", method: method)
          #expect(response.text != "poison" && response.status < 400, "\(method) \(responses[i].prefix(60))")
          #expect(try client.get("/clean").text == "clean", "\(method) \(responses[i].prefix(60))")
        }
      }
    }
  }

  @Test("what comes while nobody asks ends the connection, and is never taken for the next answer")
  func tooEarly() throws {
    // Speaks first, as a server of mail does, and then answers each request: always one answer too many.
    let listener = try ListeningSocket(.port(0))
    defer { listener.stop() }
    let answered = Locked(0)
    BackgroundThread.start {
      while let socket = listener.accept() {
        BackgroundThread.start {
          let reader = MessageReader(socket)
          do {
            try socket.send(Array("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly".utf8))
            while true {
              var request = try reader.requestHead()
              try reader.body(of: &request)
              let target = request.target
              try socket.send(
                Array("HTTP/1.1 200 OK\r\ncontent-length: \(target.utf8.count)\r\n\r\n\(target)".utf8))
              answered.withLock { $0 += 1 }
            }
          } catch {}
        }
      }
    }
    guard case .port(let port) = listener.endpoint else { return }
    let scene = try Scene(more: [
      Resources.service("early", [.port(port)]),
      Resources.route(
        "early",
        "rules: [{matches: [{path: {type: PathPrefix, value: /e}}], backendRefs: [\(Resources.backendRef("early"))]}]"),
    ])
    defer { scene.stop() }
    let client = try scene.client()
    for i in 1...20 {
      let response = try client.get("/e/\(i)")
      // What was said first is taken for the first answer, for nothing tells them apart.
      #expect(["early", "/e/\(i)"].contains(response.text), "\(i): \(response.text)")
      try eventually("the answer that is too much") { answered.current == i }
    }
  }

  @Test("a head that drips is over when the time for it is")
  func drippingHead() throws {
    let backend = try Backend { connection, request in
      try connection.read(&request)
      connection.isFinished = true
      for byte in "HTTP/1.1 200 OK\r\nx: \(String(repeating: "a", count: 1000))".utf8 {
        try connection.socket.send([byte])
        pause(milliseconds: 20)
      }
    }
    let scene = try Scene(service: "timeouts: {firstByte: 500ms}", backends: [backend])
    defer { scene.stop() }
    #expect(try scene.get("/").status == 504)
    try eventually("the connection's end") { backend.connections.allSatisfy { !$0.isOpen } }
  }

  @Test("a body without an end can be left, and costs no memory")
  func endless() throws {
    let backend = try Backend { connection, request in
      try connection.read(&request)
      connection.isFinished = true
      let isChunked = request.path == "/chunked"
      try connection.send("HTTP/1.1 200 OK\r\n\(isChunked ? "transfer-encoding: chunked\r\n" : "")\r\n")
      let block = [UInt8](repeating: 0x78, count: 65_536)
      while !connection.isAbandoned {
        if isChunked { try connection.send("10000;ext=\(String(repeating: "e", count: 50))\r\n") }
        try connection.socket.send(block)
        if isChunked { try connection.send("\r\n") }
      }
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    for path in ["/chunked", "/close"] {
      let before = scene.weft.process.memory
      let client = try scene.client()
      try client.send(HTTPText.get(path))
      var count = 0
      while count < 20 << 20 { count += try client.reader.some().count }
      #expect(scene.weft.process.memory - before < 4096)
      client.socket.reset()
      try eventually("the backend's end") { backend.connections.allSatisfy { !$0.isOpen } }
    }
  }

  @Test("an answer while the request still flows is passed on, and the connection is not used again")
  func duringRequest() throws {
    let backend = try Backend { connection, request in
      if request.path == "/early" {
        try connection.respond(to: request, body: Array("early".utf8))
        // Whatever follows on this connection would be read as a request.
        connection.isFinished = true
        while try !connection.reader.some().isEmpty {}
        return
      }
      try connection.read(&request)
      try connection.respond(to: request, body: Array("clean".utf8))
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    for _ in 0..<5 {
      let client = try scene.client()
      try client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nGET /smuggled HTTP/1.1\r\n")
      #expect(try client.response().text == "early")
      #expect(try scene.get("/clean").text == "clean")
      client.socket.close()
    }
    #expect(!backend.requests.contains { $0.path == "/smuggled" })
  }
}
