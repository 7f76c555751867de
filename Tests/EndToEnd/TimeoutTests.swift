import Glibc
import Testing

@Suite("Time limits", .endToEnd)
struct TimeoutTests {
  // MARK: Clients

  @Test("a head that does not come to its end is answered with 408")
  func requestHeader() throws {
    let scene = try Scene(proxy: "timeouts: {requestHeader: 300ms}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("GET / HTTP/1.1\r\nHost: a\r\n")
    let response = try client.response()
    #expect(response.status == 408)
    #expect(response["connection"] == "close")
    #expect(try client.ends())
    let line = try scene.accessLog(1)[0]
    #expect(line.details == "request_header_timeout")
    #expect(line.flags == "SI")
    #expect(scene.backend.connections.isEmpty)
  }

  @Test("a client that connects and says nothing is let go without a word")
  func silence() throws {
    let scene = try Scene(proxy: "timeouts: {requestHeader: 300ms}")
    defer { scene.stop() }
    #expect(try scene.client().ends())
    #expect(scene.accessLogNow.isEmpty)
  }

  @Test("slow-loris: a byte now and then does not hold a place")
  func slowLoris() throws {
    let scene = try Scene(proxy: "timeouts: {requestHeader: 500ms}")
    defer { scene.stop() }
    let clients = try (0..<20).map { _ in try scene.client() }
    let end = monotonicSeconds() + defaultPatience
    var answered = 0
    for client in clients { try client.send("GET / HTTP/1.1\r\nHost: a\r\n") }
    while try scene.weft.metric("weft_downstream_connections_active") > 0 {
      try #require(monotonicSeconds() < end, "slow clients are still there")
      for client in clients { try? client.send("X") }
      pause(milliseconds: 50)
    }
    for client in clients where (try? client.response().status) == 408 { answered += 1 }
    #expect(answered > 0)
    #expect(try scene.get("/echo").status == 200)
  }

  @Test("an idle connection is closed, without an answer")
  func keepAlive() throws {
    let scene = try Scene(proxy: "timeouts: {keepAlive: 300ms}")
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/echo").status == 200)
    #expect(try client.ends())
    #expect(scene.accessLogNow.count <= 1)
  }

  @Test("a body that does not go on is answered with 408", arguments: [false, true])
  func requestBodyIdle(isChunked: Bool) throws {
    let scene = try Scene(proxy: "timeouts: {requestBodyIdle: 300ms}")
    defer { scene.stop() }
    let client = try scene.client()
    let framing = isChunked ? "Transfer-Encoding: chunked\r\n\r\n5\r\nhe" : "Content-Length: 5\r\n\r\nhe"
    try client.send("POST /body HTTP/1.1\r\nHost: a\r\n\(framing)")
    let response = try client.response()
    #expect(response.status == 408)
    #expect(try client.ends())
    #expect(try scene.accessLog(1)[0].details == "request_body_timeout")
    try eventually("the backend to be let go") { scene.backend.connections.allSatisfy { !$0.isOpen } }
  }

  @Test("a body that goes on slowly is no idle one")
  func slowBody() throws {
    let scene = try Scene(proxy: "timeouts: {requestBodyIdle: 2s}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
    for _ in 0..<10 {
      pause(milliseconds: 300)
      try client.send("x")
    }
    #expect(try client.response().text == "xxxxxxxxxx")
  }

  @Test("a client that takes nothing of its response is let go")
  func writeIdle() throws {
    let scene = try Scene(proxy: "timeouts: {writeIdle: 500ms}")
    defer { scene.stop() }
    let client = try scene.client(receiveBuffer: 4096)
    try client.send(HTTPText.get("/big?n=50000000"))
    let line = try scene.accessLog(1)[0]
    #expect(line.flags == "DC")
    try eventually("the backend to be let go") { scene.backend.connections.allSatisfy { !$0.isOpen } }
  }

  // MARK: Upstreams

  @Test("a backend that does not answer gives 504")
  func firstByte() throws {
    let scene = try Scene(service: "timeouts: {firstByte: 300ms}")
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let response = try client.get("/hang")
      #expect(response.status == 504)
      #expect(response["connection"] == nil)
    }
    for line in try scene.accessLog(2) {
      #expect(line.details == "upstream_first_byte_timeout")
      #expect(line.flags == "UT")
    }
    #expect(try scene.weft.metric("weft_upstream_timeouts_total", "kind=\"first_byte\"") == 2)
    try eventually("the backend to be let go") { scene.backend.connections.allSatisfy { !$0.isOpen } }
  }

  @Test("time runs for the backend only once it has the whole request")
  func slowRequest() throws {
    let scene = try Scene(service: "timeouts: {firstByte: 1s}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
    for _ in 0..<4 {
      pause(milliseconds: 500)
      try client.send("x")
    }
    #expect(try client.response().status == 200)
  }

  @Test("a backend that never answers once it has a slow request gives 504")
  func slowRequestThenHang() throws {
    let scene = try Scene(service: "timeouts: {firstByte: 500ms, idle: 20s}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
    pause(milliseconds: 1000)
    try client.send("y")
    let start = monotonicSeconds()
    #expect(try client.response().status == 504)
    #expect(monotonicSeconds() - start < 15, "firstByte decides, not idle")
  }

  @Test("a response that stands still is broken off")
  func idle() throws {
    let backend = try Backend { connection, request in
      try connection.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")
      _ = try connection.reader.some()
      connection.isFinished = true
    }
    let scene = try Scene(service: "timeouts: {idle: 300ms}", backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/"))
    #expect(throws: EndOfStream.self) { try client.response() }
    let line = try scene.accessLog(1)[0]
    #expect(line.details == "upstream_idle_timeout")
    #expect(line.flags == "UT")
  }

  @Test("a response that drips is not idle")
  func drip() throws {
    let scene = try Scene(service: "timeouts: {idle: 2s, firstByte: 2s}")
    defer { scene.stop() }
    #expect(try scene.get("/drip?n=10&ms=300").text == "dddddddddd")
  }

  @Test("a connection that is not established in time gives 503")
  func connect() throws {
    // A full queue: the kernel answers no further connect.
    let listener = try ListeningSocket(.port(0), backlog: 0)
    var fillers: [BackgroundWork<StreamSocket?>] = []
    for _ in 0..<8 {
      let endpoint = listener.endpoint
      fillers.append(BackgroundWork { try? StreamSocket.connect(endpoint) })
    }
    pause(milliseconds: 200)
    let scene = try Scene(more: [
      Resources.service("full", [listener.endpoint], "timeouts: {connect: 500ms}"),
      Resources.route(
        "full", "rules: [{matches: [{path: {value: /full}}], backendRefs: [\(Resources.backendRef("full"))]}]"),
    ])
    defer { scene.stop() }
    let response = try scene.get("/full")
    #expect(response.status == 503)
    let line = try scene.accessLog(1)[0]
    #expect(line.flags == "UF")
    #expect(line.details == "upstream_connect_timeout")
    _ = fillers
  }

  // MARK: Rules

  @Test("a rule's limit for the whole request gives 504")
  func wholeRequest() throws {
    let scene = try Scene(
      rules: "[{timeouts: {request: 500ms}, backendRefs: [\(Resources.backendRef("backend"))]}]")
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/hang").status == 504)
    #expect(try client.get("/echo").status == 200)
    // Too late for a status: the response has begun.
    try client.send(HTTPText.get("/drip?n=100&ms=100"))
    #expect(throws: EndOfStream.self) { try client.response() }
    let log = try scene.accessLog(3)
    #expect(log[0].details == "request_timeout")
    #expect(log[0].flags == "UT")
    #expect(log[2].details == "request_timeout")
  }

  @Test("a rule's limit for the backend gives 504")
  func backendRequest() throws {
    let scene = try Scene(
      rules: "[{timeouts: {backendRequest: 300ms}, backendRefs: [\(Resources.backendRef("backend"))]}]")
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/hang").status == 504)
    #expect(try client.get("/echo").status == 200)
  }

  @Test("zero is no limit")
  func zero() throws {
    let scene = try Scene(
      proxy: "timeouts: {requestHeader: 0s, requestBodyIdle: 0s, keepAlive: 0s, writeIdle: 0s}",
      service: "timeouts: {firstByte: 0s, idle: 0s, connect: 0s}",
      rules: "[{timeouts: {request: 0s, backendRequest: 0s}, backendRefs: [\(Resources.backendRef("backend"))]}]")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("POST /slow?ms=500 HTTP/1.1\r\n")
    pause(milliseconds: 300)
    try client.send("Host: a\r\nContent-Length: 1\r\n\r\n")
    pause(milliseconds: 300)
    try client.send("x")
    #expect(try client.response().status == 200)
    pause(milliseconds: 300)
    #expect(try client.get("/echo").status == 200)
  }

  // MARK: Tunnels

  @Test("an upgraded connection without traffic is closed")
  func tunnel() throws {
    let scene = try Scene(proxy: "timeouts: {tunnelIdle: 500ms}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    #expect(try client.reader.responseHead(to: "GET").status == 101)
    _ = try client.reader.bytes(6)
    for _ in 0..<5 {
      try client.send("x")
      #expect(try client.reader.bytes(1) == [0x78])
      pause(milliseconds: 100)
    }
    #expect(try client.ends())
    #expect(try scene.accessLog(1)[0].flags == "SI")
  }
}
