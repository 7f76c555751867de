import Glibc
import Testing

@Suite("Floods", .endToEnd)
struct FloodTests {
  /// Many sockets in one process need a higher limit than the usual one.
  private static let descriptors: Int = {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(limit.rlim_cur)
  }()

  @Test("slow-loris with 2,000 connections holds up nobody, costs little, and is over in time")
  func slowLoris() throws {
    try #require(Self.descriptors > 5000, "the limit of open files is too low")
    let scene = try Scene(proxy: "timeouts: {requestHeader: 6s}", workers: 2)
    defer { scene.stop() }
    let active = { try scene.weft.metric("weft_downstream_connections_active") }
    for _ in 0..<50 { _ = try scene.get("/echo") }
    let before = scene.weft.process.memory
    var slow: [StreamSocket] = []
    for i in 0..<2000 {
      let socket = try StreamSocket.connect(.port(scene.port))
      try socket.send(Array("GET /\(i) HTTP/1.1\r\nHost: a\r\nX-Slow: ".utf8))
      slow.append(socket)
    }
    try eventually("all of them") { try active() >= 2000 }
    let client = try scene.client()
    for _ in 0..<20 { #expect(try client.get("/echo").status == 200) }
    let grown = scene.weft.process.memory - before
    #expect(grown < 2000 * 48, "\(grown) KB for 2,000 connections")
    for socket in slow { _ = try? socket.sendSome(Array("x".utf8)) }
    // The client of this test stays.
    try eventually("the slow ones to be gone") { try active() <= 1 }
    var answered = 0
    for socket in slow {
      if let bytes = try? socket.receive(within: 5), String(decoding: bytes, as: UTF8.self).contains(" 408 ") {
        answered += 1
      }
    }
    #expect(answered > 1900)
    #expect(scene.backend.requests.allSatisfy { $0.path == "/echo" })
  }

  /// Two proxies, and between them HTTP/2: what the clients of the first one break off is not held against it by the
  /// second one, which would cost other clients what they have under way.
  @Test("clients that reset their streams cost others nothing at the next proxy")
  func resetsPassedOn() throws {
    let next = try Scene()
    defer { next.stop() }
    let port = try ReservedPort()
    let first = try WeftProcess(
      [
        "weft.yaml": [
          Resources.proxy(), Resources.gateway(port.number),
          Resources.service("next", [.port(next.port)], "protocol: http2"),
          Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("next"))]}]"),
        ].joined(separator: "\n---\n") + "\n"
      ], workers: 1)
    defer { first.stop() }
    let folder = try TemporaryFolder()
    try folder.write(
      "client.py",
      """
      import socket, sys
      import h2.config, h2.connection, h2.events, h2.settings
      fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/slow?ms=20000")]
      # Each client stays below what counts as a flood; together they do not.
      for client in range(4):
          s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
          c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
          c.initiate_connection()
          for burst in range(3):
              streams = [c.get_next_available_stream_id() + 2 * i for i in range(50)]
              for n in streams: c.send_headers(n, fields, end_stream=True)
              c.ping(b"12345678")
              s.sendall(c.data_to_send())
              # The answer says that the requests have been seen.
              seen = False
              while not seen:
                  for e in c.receive_data(s.recv(65536)):
                      if isinstance(e, h2.events.PingAckReceived): seen = True
              for n in streams: c.reset_stream(n, 8)
              s.sendall(c.data_to_send())
          s.close()
      print("fine")
      """)
    let other = BackgroundWork { [number = port.number] in try RawClient(number).get("/slow?ms=8000").status }
    let result = try Tool.run("/usr/bin/python3", [folder.path("client.py"), String(port.number)], within: 120)
    #expect(result.output == "fine\n", "\(result.errorOutput)")
    #expect(try other.value() == 200)
    #expect(try first.metric("weft_upstream_http2_resets_total", "direction=\"sent\"") > 200)
    #expect(try first.metric("weft_upstream_http2_goaways_total", "direction=\"received\"") == 0)
    #expect(try next.weft.metric("weft_downstream_http2_floods_total") == 0)
  }

  @Test("2,000 connections that say nothing are let go, and their number is bounded")
  func silent() throws {
    try #require(Self.descriptors > 5000, "the limit of open files is too low")
    let scene = try Scene(proxy: "timeouts: {requestHeader: 5s}, limits: {maxConnections: 1000}", workers: 1)
    defer { scene.stop() }
    let kept = try scene.client()
    #expect(try kept.get("/echo").status == 200)
    let silent = try (0..<2000).map { _ in try StreamSocket.connect(.port(scene.port)) }
    try eventually("as many as may be") { try scene.weft.metric("weft_downstream_connections_active") == 1000 }
    #expect(try kept.get("/echo").status == 200)
    #expect(try scene.weft.metric("weft_downstream_accept_failures_total", "limit") == 1001)
    try eventually("places") { (try? scene.get("/echo").status) == 200 }
    _ = silent
  }

  @Test(
    "100,000 bytes of head are refused, and the client can read why", arguments: ["one", "many", "endless", "line"])
  func largeHead(kind: String) throws {
    let scene = try Scene()
    defer { scene.stop() }
    let long = String(repeating: "a", count: 100_000)
    let (head, status) =
      switch kind {
      case "one": ("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n", 431)
      case "many":
        (
          "GET / HTTP/1.1\r\nHost: a\r\n" + (0..<10_000).map { "X-\($0): \($0)\r\n" }.joined() + "\r\n", 431
        )
      case "endless": ("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)", 431)
      default: ("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", 414)
      }
    for _ in 0..<20 {
      let client = try scene.client()
      let socket = client.socket
      let sending = BackgroundWork { try? socket.send(Array(head.utf8)) }
      #expect(try client.response().status == status)
      _ = try sending.value()
      #expect(try client.ends())
    }
    #expect(scene.backend.connections.isEmpty)
    #expect(try scene.get("/echo").status == 200)
  }

  @Test("a pipeline of 10,000 requests is answered in order", arguments: ["backend", "filter"])
  func pipeline(answeredBy: String) throws {
    let isLocal = answeredBy == "filter"
    let scene = try Scene(
      rules: isLocal
        ? "[{filters: [\(Resources.reference("here"))], backendRefs: [\(Resources.backendRef("backend"))]}]"
        : Scene.toBackend,
      more: isLocal
        ? [Resources.filter("here", type: "respond", config: "status: 200, body: here")] : [])
    defer { scene.stop() }
    let count = 10_000
    let client = try scene.client()
    let socket = client.socket
    let sending = BackgroundWork {
      var text = ""
      for i in 0..<count { text += "GET /status?code=\(200 + i % 100)&\(i) HTTP/1.1\r\nHost: a\r\n\r\n" }
      try socket.send(Array(text.utf8), within: 120)
    }
    for i in 0..<count {
      let response = try client.response()
      let isRight = isLocal ? response.status == 200 : response.status == 200 + i % 100
      if !isRight {
        Issue.record("answer \(i) is \(response.head)")
        break
      }
    }
    try sending.value()
    if !isLocal {
      #expect(scene.backend.requests.count == count)
      #expect(scene.backend.connections.count == 1)
    }
  }

  @Test("a pipeline whose answers nobody reads stops, and costs no memory")
  func unreadPipeline() throws {
    let scene = try Scene(
      rules: "[{filters: [\(Resources.reference("here"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [
        Resources.filter("here", type: "respond", config: "body: \"\(String(repeating: "x", count: 4000))\"")
      ])
    defer { scene.stop() }
    for _ in 0..<100 { _ = try scene.get("/") }
    let before = scene.weft.process.memory
    let client = try scene.client(receiveBuffer: 4096)
    let requests = Array(String(repeating: HTTPText.get("/"), count: 1000).utf8)
    var sent = 0
    var stalled = 0
    while stalled < 20 && sent < 200 << 20 {
      let n = try client.socket.sendSome(requests)
      sent += n
      stalled = n == 0 ? stalled + 1 : 0
      if n == 0 { pause(milliseconds: 20) }
    }
    #expect(sent < 100 << 20, "the client should have been held up")
    #expect(scene.weft.process.memory - before < 4096)
    client.socket.reset()
    try eventually("the end") { try scene.weft.metric("weft_downstream_connections_active") == 0 }
  }

  @Test("connections that come and go by the thousand leave nothing behind")
  func churn() throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let ends: [(StreamSocket) -> Void] = [
      { $0.close() }, { $0.reset() }, { $0.shutdownWrite() },
      { try? $0.send(Array("GET / HT".utf8)) }, { try? $0.send(Array(HTTPText.get("/echo").utf8)) },
      { socket in
        try? socket.send(Array(HTTPText.get("/echo").utf8))
        socket.reset()
      },
    ]
    func round(_ count: Int) throws {
      for i in 0..<count { ends[i % ends.count](try StreamSocket.connect(.port(scene.port))) }
      try eventually("nobody left") { try scene.weft.metric("weft_downstream_connections_active") == 0 }
      try eventually("nothing under way") { try scene.weft.metric("weft_http_requests_active") == 0 }
    }
    try round(1000)
    // Connections that wait in the pools are as many as there were requests at once.
    func descriptorCount() throws -> Int {
      scene.weft.process.descriptorCount - Int(try scene.weft.metric("weft_upstream_connections_active"))
    }
    let (memory, descriptors) = (scene.weft.process.memory, try descriptorCount())
    try round(3000)
    #expect(scene.weft.process.memory - memory < 2048)
    #expect(try descriptorCount() <= descriptors + 40)
    #expect(try scene.get("/echo").status == 200)
  }
}
