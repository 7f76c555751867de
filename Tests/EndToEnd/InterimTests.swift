import Testing

@Suite("Expectations and interim responses", .endToEnd)
struct InterimTests {
  private static func post(_ target: String, _ fields: String...) -> String {
    "POST \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
      + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  @Test("100 Continue comes from the backend")
  func relayed() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      try client.send(Self.post("/continue"))
      #expect(try client.reader.responseHead(to: "POST").status == 100)
      try client.send("hello")
      let response = try client.response()
      #expect(response.status == 200)
      #expect(response.interim.isEmpty)
      #expect(response.text == "hello")
    }
    #expect(scene.backend.requests[0]["expect"]?.lowercased() == "100-continue")
    #expect(scene.backend.connections.count == 1)
  }

  @Test("a backend that refuses before it continues is heard at once, and the connection ends")
  func refused() throws {
    let backend = try Backend { connection, request in
      try connection.respond(417, to: request)
      connection.isFinished = true
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(Self.post("/"))
    #expect(try client.response().status == 417)
    // The client may or may not send the body now: nobody can tell, so nothing can follow on this connection.
    #expect(try client.ends())
  }

  @Test("a client that does not wait is answered all the same")
  func impatient() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for target in ["/continue", "/body"] {
      let response = try client.exchange(Self.post(target) + "hello")
      #expect(response.text == "hello", "\(target)")
      #expect(response.interim.allSatisfy { $0.status == 100 })
    }
  }

  @Test("an expectation of HTTP/1.0 is ignored")
  func old() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange(
      "POST /continue HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
    #expect(response.text == "hello")
    #expect(response.interim.isEmpty)
  }

  @Test("other interim responses are passed on, with their fields")
  func hints() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let response = try client.get("/hints")
      #expect(response.text == "hinted")
      #expect(response.interim.map(\.status) == [103, 102])
      #expect(response.interim.first?["link"] == "</a.css>; rel=preload")
    }
    #expect(scene.backend.connections.count == 1)
  }

  @Test("HTTP/1.0 knows no interim responses")
  func hintsForOld() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange("GET /hints HTTP/1.0\r\nHost: a\r\n\r\n")
    #expect(response.interim.isEmpty)
    #expect(response.text == "hinted")
  }

  @Test("100 Continue that nobody waits for is swallowed")
  func unasked() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange(HTTPText.post("/continue", body: "abc"))
    #expect(response.interim.isEmpty)
    #expect(response.text == "abc")
  }

  @Test("interim responses without end are a mistake of the backend")
  func endless() throws {
    let backend = try Backend { connection, _ in
      for _ in 0..<1000 { try connection.send("HTTP/1.1 102 Processing\r\n\r\n") }
      connection.isFinished = true
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let response = try scene.get("/")
    #expect(response.status == 502)
    #expect(response.interim.count < 100)
  }
}
