import Testing

@Suite("Messages on the wire", .endToEnd)
struct MessageTests {
  // MARK: Any split of the input

  @Test("a request cut in two at any byte gives the same result")
  func splits() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let request =
      "POST /body?a=b HTTP/1.1\r\nHost: test.example\r\nX-Field: value\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: t\r\n\r\n"
    let bytes = Array(request.utf8)
    let client = try scene.client()
    for cut in 1..<bytes.count {
      try client.send(Array(bytes[..<cut]))
      pause(milliseconds: 1)
      try client.send(Array(bytes[cut...]))
      let response = try client.response()
      #expect(response.status == 200 && response.text == "hello world", "cut before byte \(cut)")
    }
    #expect(scene.backend.connections.count == 1)
    for received in scene.backend.requests {
      #expect(received.text == "hello world")
      #expect(received.trailer("x-trailer") == "t")
      #expect(received["x-field"] == "value")
    }
  }

  @Test("a request that comes byte by byte is answered like any other")
  func bytewise() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for byte in HTTPText.post("/body", body: "abc").utf8 {
      try client.send([byte])
      pause(milliseconds: 1)
    }
    #expect(try client.response().text == "abc")
  }

  @Test("a response cut in two at any byte gives the same result")
  func splitResponses() throws {
    let text =
      "HTTP/1.1 200 OK\r\nX-Field: value\r\nTransfer-Encoding: chunked\r\n\r\n5;e\r\nhello\r\n0\r\nT: t\r\n\r\n"
    let bytes = Array(text.utf8)
    let backend = try Backend { connection, request in
      let cut = request.number("cut", 0)
      try connection.socket.send(Array(bytes[..<cut]))
      pause(milliseconds: 1)
      try connection.socket.send(Array(bytes[cut...]))
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for cut in 1..<bytes.count {
      let response = try client.get("/?cut=\(cut)")
      #expect(response.text == "hello" && response.trailer("t") == "t", "cut before byte \(cut)")
      #expect(response["x-field"] == "value", "cut before byte \(cut)")
    }
    #expect(backend.connections.count == 1)
  }

  // MARK: Connections

  @Test("one connection carries many requests, on either side")
  func keepAlive() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for i in 0..<50 {
      let response = try client.get("/echo?i=\(i)")
      #expect(response.status == 200)
      #expect(response["connection"] == nil)
    }
    #expect(scene.backend.connections.count == 1)
    #expect(scene.backend.requests.count == 50)
  }

  @Test("Connection: close is honoured")
  func close() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    let response = try client.get("/echo", "connection: close")
    #expect(response["connection"] == "close")
    #expect(try client.ends())
    // The upstream connection is none of the client's business.
    _ = try scene.get("/echo")
    #expect(scene.backend.connections.count == 1)
  }

  @Test("who says that no more follows gets all of a response, however late it reads, and then an orderly end")
  func closesBehindAll() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for request in [HTTPText.get("/big?n=4000000", ["connection: close"]), "GET /big?n=4000000 HTTP/1.0\r\n\r\n"] {
      let client = try scene.client()
      try client.send(request)
      // The proxy has long closed its end by the time that most of this is read.
      try eventually("the request") { scene.backend.requests.count > 0 }
      pause(milliseconds: 200)
      #expect(try client.response().body == BackendPaths.pattern(4_000_000))
      #expect(try client.ends())
    }
  }

  @Test("50 pipelined requests of all kinds are answered in order")
  func pipelining() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    var text = ""
    var expected: [(method: String, check: (HTTPMessage) -> Bool)] = []
    for i in 0..<10 {
      text += HTTPText.get("/echo?i=\(i)")
      expected.append(("GET", { $0.text.hasPrefix("GET /echo?i=\(i) ") }))
      text += HTTPText.post("/body", body: "body \(i)")
      expected.append(("POST", { $0.text == "body \(i)" }))
      text += "HEAD /big?n=\(i) HTTP/1.1\r\nHost: a\r\n\r\n"
      expected.append(("HEAD", { $0["content-length"] == "\(i)" && $0.body.isEmpty }))
      text += "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\n\(i)\r\n0\r\n\r\n"
      expected.append(("POST", { $0.text == "abc\(i)" }))
      text += HTTPText.get("/chunk?n=\(100 * i)")
      expected.append(("GET", { $0.body == BackendPaths.pattern(100 * i) && $0.trailer("x-sum") == "\(100 * i)" }))
    }
    try client.send(text)
    for (i, (method, check)) in expected.enumerated() {
      let response = try client.response(to: method)
      #expect(response.status == 200 && check(response), "response \(i)")
    }
    #expect(scene.backend.requests.count == 50)
  }

  @Test("pipelined requests behind one that closes are not answered")
  func pipelineEnds() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/echo", ["connection: close"]) + HTTPText.get("/never"))
    #expect(try client.response().status == 200)
    #expect(try client.ends())
    #expect(scene.backend.requests.count == 1)
  }

  @Test("an empty line before a request is overlooked")
  func emptyLine() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.exchange("\r\n" + HTTPText.get("/echo")).status == 200)
    #expect(try client.exchange("\r\n" + HTTPText.get("/echo")).status == 200)
  }

  // MARK: HTTP/1.0

  @Test("HTTP/1.0 closes unless it asks to be kept")
  func http10() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let closing = try scene.client()
    let response = try closing.exchange("GET /echo HTTP/1.0\r\nHost: old.example\r\n\r\n")
    #expect(response.status == 200)
    #expect(response.text.hasPrefix("GET /echo HTTP/1.1\r\n"), "the upstream is spoken to as this proxy speaks")
    #expect(try closing.ends())

    let kept = try scene.client()
    for _ in 0..<3 {
      let response = try kept.exchange("GET /echo HTTP/1.0\r\nHost: old.example\r\nConnection: keep-alive\r\n\r\n")
      #expect(response["connection"]?.lowercased() == "keep-alive")
    }
  }

  @Test("HTTP/1.0 without Host reaches a route for all hosts, with a Host for the backend")
  func http10WithoutHost() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange("GET /echo HTTP/1.0\r\n\r\n")
    #expect(response.status == 200)
    #expect(scene.backend.requests.first?.values("host").count == 1, "RFC 9112 section 3.2: a 1.1 request has one")
  }

  @Test("HTTP/1.0 gets no chunks: the end of the connection ends the body")
  func http10Chunked() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    let response = try client.exchange("GET /chunk?n=5000 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    #expect(response["transfer-encoding"] == nil)
    #expect(response["connection"] == "close")
    #expect(response.body == BackendPaths.pattern(5000))
  }

  @Test("a backend of HTTP/1.0 is understood")
  func http10Backend() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/old").text == "old")
    #expect(try client.get("/old").text == "old")
    #expect(scene.backend.connections.count == 2)
  }

  // MARK: Bodies

  @Test("responses without a body end where they must")
  func withoutBody() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for (method, target) in [
      ("HEAD", "/big?n=1000"), ("HEAD", "/chunk?n=10"), ("GET", "/status?code=204"), ("GET", "/status?code=304"),
      ("HEAD", "/status?code=404"), ("GET", "/status?code=205"), ("DELETE", "/status?code=204"),
    ] {
      if method == "HEAD" && target.hasPrefix("/chunk") { continue }
      let response = try client.exchange("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n", method: method)
      #expect(response.body.isEmpty, "\(method) \(target)")
      // The connection is where it should be: the next response is whole.
      #expect(try client.get("/echo").status == 200, "after \(method) \(target)")
    }
    #expect(scene.backend.connections.count == 1)
  }

  @Test("HEAD keeps the fields that describe the body, chunked ones too")
  func head() throws {
    let backend = try Backend { connection, request in
      try connection.send(
        request.path == "/chunked"
          ? "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" : "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n")
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let sized = try client.exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", method: "HEAD")
      #expect(sized["content-length"] == "7")
      let chunked = try client.exchange("HEAD /chunked HTTP/1.1\r\nHost: a\r\n\r\n", method: "HEAD")
      #expect(chunked["content-length"] == nil)
    }
    #expect(backend.connections.count == 1)
  }

  @Test("304 may carry a length without a body")
  func notModified() throws {
    let backend = try Backend { connection, _ in
      try connection.send("HTTP/1.1 304 Not Modified\r\ncontent-length: 1234\r\netag: \"a\"\r\n\r\n")
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<3 {
      let response = try client.get("/")
      #expect(response.status == 304)
      #expect(response["etag"] == "\"a\"")
    }
    #expect(backend.connections.count == 1)
  }

  @Test("chunked requests keep extensions out of the way, and trailers")
  func chunkedRequest() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange(
      "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        + "3;name=value;quoted=\"a;b\"\r\nabc\r\n0A\r\n0123456789\r\n0;last\r\nX-Sum: 13\r\n\r\n")
    #expect(response.text == "abc0123456789")
    #expect(scene.backend.requests.first?.trailer("x-sum") == "13")
  }

  @Test("chunked responses of any size come with their trailers", arguments: [0, 1, 999, 1000, 100_000, 3_000_000])
  func chunkedResponse(size: Int) throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let response = try client.get("/chunk?n=\(size)&size=10000")
      #expect(response.body == BackendPaths.pattern(size))
      #expect(response.trailer("x-sum") == String(size))
      #expect(response.trailer("x-note") == "over")
    }
    #expect(scene.backend.connections.count == 1)
  }

  @Test("a response that ends with its connection ends the client's", arguments: [0, 1, 100_000])
  func closeDelimited(size: Int) throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    let response = try client.get("/close?n=\(size)")
    #expect(response["connection"] == "close")
    #expect(response["content-length"] == nil)
    #expect(response.body == BackendPaths.pattern(size))
  }

  @Test("bodies of a known length pass unchanged", arguments: [0, 1, 32_768, 32_769, 2_000_000])
  func sizes(size: Int) throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let sending = BackgroundWork { [socket = client.socket] in
        try socket.send(
          Array("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n".utf8)
            + BackendPaths.pattern(size))
      }
      let response = try client.response(to: "POST")
      try sending.value()
      #expect(response["content-length"] == String(size))
      #expect(response.body == BackendPaths.pattern(size))
    }
  }

  @Test("a GET may have a body")
  func getWithBody() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange("GET /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
    #expect(response.text == "hi")
  }

  @Test("unknown methods are passed on")
  func extensionMethod() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for method in ["PURGE", "M-SEARCH", "PATCH", "OPTIONS", "x!#$%&'*+-.^_`|~9"] {
      let response = try scene.client().exchange("\(method) /echo HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(response.text.hasPrefix("\(method) /echo HTTP/1.1\r\n"))
    }
    let response = try scene.client().exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(response.status == 200)
    #expect(scene.backend.requests.last?.target == "*")
  }

  // MARK: Targets

  @Test("an absolute target decides on the host, whatever Host says")
  func absoluteForm() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    let response = try client.exchange("GET http://real.example:81/echo?q=1 HTTP/1.1\r\nHost: other.example\r\n\r\n")
    #expect(response.text.hasPrefix("GET /echo?q=1 HTTP/1.1\r\n"))
    #expect(scene.backend.requests[0]["host"] == "real.example:81")
    _ = try client.exchange("GET http://real.example HTTP/1.1\r\nHost: other.example\r\n\r\n")
    #expect(scene.backend.requests[1].target == "/")
    _ = try client.exchange("GET http://real.example?x HTTP/1.1\r\nHost: other.example\r\n\r\n")
    #expect(scene.backend.requests[2].target == "/?x")
  }

  @Test("paths are brought into one form before they are routed and sent")
  func paths() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for (sent, received) in [
      ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/%2e%2E/b", "/b"), ("/%61", "/a"), ("/a%2Fb", "/a%2Fb"),
      ("/a//b", "/a//b"), ("/a/..?x=/../y", "/?x=/../y"), ("/.", "/"), ("/a%20b?%61", "/a%20b?%61"),
    ] {
      _ = try client.get(sent)
      #expect(scene.backend.requests.last?.target == received, "\(sent)")
    }
  }

  @Test("field values keep their bytes, empty ones and those beyond ASCII too")
  func values() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    _ = try client.get(
      "/echo", "x-empty:", "x-spaces:   a  b \t ", "x-utf8: \u{e4}\u{1F600}", "x-list: a", "x-list: b", "X-CaSe: 1")
    let request = try #require(scene.backend.requests.first)
    #expect(request["x-empty"] == "")
    #expect(request["x-spaces"] == "a  b")
    #expect(request["x-utf8"] == "\u{e4}\u{1F600}")
    #expect(request.values("x-list") == ["a", "b"])
    #expect(request["x-case"] == "1")
  }

  @Test("a head of 15 KB with 90 fields passes")
  func largeHead() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let fields = (1...90).map { "x-\($0): " + String(repeating: "v", count: 150) }
    let client = try scene.client()
    for _ in 0..<2 {
      let response = try client.exchange(HTTPText.get("/body", fields))
      #expect(response.status == 200)
    }
    #expect(scene.backend.requests[0]["x-90"]?.count == 150)
  }
}
