import Glibc
import Testing

/// Either side ends its connection, in each way and at each point of an exchange. Whatever it is, the other side learns
/// of it, nothing is left behind, and the proxy goes on.
@Suite("Connections that end at any point", .endToEnd)
struct PhaseTests {
  enum Ending: String, CaseIterable, Sendable { case halfClose, close, reset }

  private static func end(_ socket: StreamSocket, _ ending: Ending) {
    switch ending {
    case .halfClose: socket.shutdownWrite()
    case .close: socket.close()
    case .reset: socket.reset()
    }
  }

  /// A proxy with a path for each thing that can be under way.
  private func scene() throws -> Scene {
    let held = try Backend("held")
    let dead = try ReservedPort()
    let rule = { (path: String, filters: [String], service: String) in
      let list = filters.isEmpty ? "" : "filters: [\(filters.map(Resources.reference).joined(separator: ", "))], "
      return "{matches: [{path: {value: /\(path)}}], \(list)backendRefs: [\(Resources.backendRef(service))]}"
    }
    let rules = [
      rule("delay", ["delay"], "backend"), rule("buffer", ["buffer"], "backend"), rule("script", ["script"], "backend"),
      rule("call", ["call"], "backend"), rule("rewrite", ["rewrite"], "backend"), rule("pack", ["pack"], "backend"),
      rule("retry", ["retry"], "dead"), rule("queue", [], "narrow"),
      "{backendRefs: [\(Resources.backendRef("backend"))]}",
    ]
    let scene = try Scene(
      rules: "[\(rules.joined(separator: ", "))]",
      more: [
        Resources.service("narrow", [held.endpoint], "connectionPool: {maxConnections: 1}"),
        Resources.service("dead", [.port(dead.number)]),
        Resources.service("never", [held.endpoint]),
        Resources.filter("delay", type: "fault", config: "delay: {fixedDelay: 600s}"),
        Resources.filter("buffer", type: "buffer", config: "maxBytes: 1MiB"),
        Resources.filter("script", type: "lua", config: "script: \"function on_request(h) h:sleep(600000) end\""),
        Resources.filter(
          "call", type: "lua",
          config: """
            services: [never], script: "function on_request(h) h:httpCall('never', \
            {[':method'] = 'GET', [':path'] = '/hang', [':authority'] = 'a'}, nil, 600000) end"
            """),
        Resources.filter(
          "rewrite", type: "lua",
          config: "script: \"function on_response(h) local b = h:body(true) b:setBytes('x') end\""),
        Resources.filter("pack", type: "compress", config: "contentTypes: [\"*/*\"]"),
        Resources.filter(
          "retry", type: "retry",
          config: "attempts: 100, retryOn: [connect-failure], backoff: {base: 10s}, budget: {percent: 100}"),
      ])
    // Held until the test is over.
    BackgroundThread.start { [held, dead] in
      try? eventually("the end of the test", within: 300) { scene.weft.process.end != nil }
      held.stop()
      _ = dead
    }
    return scene
  }

  /// What a client has sent when it ends, and whether an answer may come to one that only shuts its sending side.
  static let requests: [(name: String, bytes: String)] = [
    ("nothing", ""), ("half a request line", "GET /ec"), ("half a head", "GET /echo HTTP/1.1\r\nHo"),
    ("half a body", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345"),
    ("half a chunk", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12"),
    ("half a chunk's size", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5"),
    ("half of the trailers", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "),
    ("an expectation", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
    ("a request", HTTPText.get("/echo")), ("a request that takes its time", HTTPText.get("/slow?ms=200")),
    ("a request and a half", HTTPText.get("/slow?ms=100") + "GET /ec"),
    ("two requests", HTTPText.get("/slow?ms=100") + HTTPText.get("/echo")),
    ("a request for much", HTTPText.get("/big?n=3000000")), ("a request for chunks", HTTPText.get("/chunk?n=300000")),
    ("a request that is packed", HTTPText.get("/pack", ["accept-encoding: gzip"])),
    ("a request whose answer is rewritten", HTTPText.get("/rewrite")),
    ("a request that is delayed", HTTPText.get("/delay")), ("a request that a script holds", HTTPText.get("/script")),
    ("a request that a call holds", HTTPText.get("/call")),
    ("half of a body that is collected", "POST /buffer HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345"),
    ("a request that waits for a retry", HTTPText.get("/retry")),
    ("a request that nobody answers", HTTPText.get("/hang")),
    ("an upgrade", "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nbytes"),
    ("a refused request", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n" + String(repeating: "x", count: 100_000)),
  ]

  /// Requests that would wait for minutes if the proxy did not notice that the client is gone. One that shuts its
  /// sending side alone may still wait for its answer, and has to.
  private static let endless = [
    "a request that is delayed", "a request that a script holds", "a request that a call holds",
    "a request that waits for a retry",
    "a request that nobody answers",
  ]

  @Test("clients", arguments: Ending.allCases)
  func clients(ending: Ending) throws {
    let scene = try scene()
    defer { scene.stop() }
    let active = { try scene.weft.metric("weft_downstream_connections_active") }
    for pauseBetween in [0, 30] {
      for (name, bytes) in Self.requests {
        let client = try scene.client()
        try? client.send(bytes)
        if pauseBetween > 0 { pause(milliseconds: pauseBetween) }
        Self.end(client.socket, ending)
        // After an orderly end the kernel cannot say whether the client still reads: a reset settles it.
        if ending != .reset && Self.endless.contains(name) {
          pause(milliseconds: 20)
          if ending == .close { continue }
          client.socket.reset()
        }
        if ending == .halfClose && !Self.endless.contains(name) { _ = try client.untilEnd() }
      }
    }
    if ending == .close {
      // Those that were closed in order while their answer was awaited are still there, and go with the proxy's end.
      try eventually("the others to be gone") { try active() <= Double(2 * Self.endless.count) }
      scene.weft.signal(SIGTERM)
      scene.weft.signal(SIGTERM)
      #expect(try scene.weft.waitForEnd() == .exited(0))
      return
    }
    try eventually("nobody left") { try active() == 0 }
    for metric in [
      "weft_http_requests_active", "weft_upstream_requests_active", "weft_upstream_requests_pending",
      "weft_filter_suspended", "weft_worker_exchanges_active",
    ] {
      try eventually("\(metric) to be 0") { try scene.weft.metric(metric) == 0 }
    }
    #expect(try scene.get("/echo").status == 200)
  }

  /// What a backend has sent when it ends. The status is what the client must see; nil: the response breaks off.
  static let responses: [(name: String, bytes: String, status: Int?)] = [
    ("nothing", "", 503), ("half a status line", "HTTP/1.1 20", 503),
    ("half a head", "HTTP/1.1 200 OK\r\ncontent-le", 503),
    ("an interim response", "HTTP/1.1 103 Early Hints\r\n\r\n", 503),
    ("an interim response and a half", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 2", 503),
    ("a head", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", nil),
    ("half a body", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12", nil),
    ("a chunked head", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", nil),
    ("half a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12", nil),
    ("a chunk without its end", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345", nil),
    ("chunks without the last", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n", nil),
    ("half of the trailers", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", nil),
    ("a whole response", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
    ("a whole chunked response", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
    ("a response without a body", "HTTP/1.1 204 No Content\r\n\r\n", 204),
  ]

  @Test("backends", arguments: Ending.allCases)
  func backends(ending: Ending) throws {
    let backend = try Backend { connection, request in
      guard let i = Int(request.path.dropFirst()), Self.responses.indices.contains(i) else {
        return try connection.respond(to: request)
      }
      try connection.read(&request)
      try connection.send(Self.responses[i].bytes)
      connection.isFinished = true
      // So that a reset does not take along what was sent before.
      pause(milliseconds: 30)
      Self.end(connection.socket, ending)
      if ending == .halfClose { _ = try connection.reader.some() }
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    for (i, entry) in Self.responses.enumerated() {
      for method in ["GET", "POST"] {
        let client = try scene.client()
        try client.send(
          method == "GET" ? HTTPText.get("/\(i)") : HTTPText.post("/\(i)", body: String(repeating: "b", count: 1000)))
        do {
          let response = try client.response()
          #expect(response.status == entry.status, "\(method): \(entry.name)")
          // The client's connection is as good as before.
          #expect(try client.get("/next").status == 200, "\(method): \(entry.name)")
        } catch {
          #expect(entry.status == nil, "\(method): \(entry.name): \(error)")
        }
      }
    }
    try eventually("nothing under way") { try scene.weft.metric("weft_upstream_requests_active") == 0 }
    try eventually("no client") { try scene.weft.metric("weft_downstream_connections_active") == 0 }
  }

  @Test("backends while a large body is on its way to them", arguments: Ending.allCases)
  func backendsDuringUpload(ending: Ending) throws {
    let backend = try Backend { connection, request in
      connection.isFinished = true
      _ = try connection.reader.some()
      if request.path == "/answer" { try connection.respond(413, ["connection: close"], to: request) }
      pause(milliseconds: 30)
      Self.end(connection.socket, ending)
      if ending == .halfClose { while try !connection.reader.some().isEmpty {} }
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    for path in ["/nothing", "/answer"] {
      for framing in ["Content-Length: 5000000", "Transfer-Encoding: chunked"] {
        let client = try scene.client()
        let socket = client.socket
        let sending = BackgroundWork {
          try? socket.send(Array("POST \(path) HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n".utf8))
          if framing.hasPrefix("T") { try? socket.send(Array("4c4b40\r\n".utf8)) }
          try? socket.send(BackendPaths.pattern(5_000_000))
        }
        #expect(try client.response().status == (path == "/answer" ? 413 : 503), "\(path), \(framing)")
        client.socket.shutdownBoth()
        _ = try sending.value()
      }
    }
    try eventually("nothing under way") { try scene.weft.metric("weft_upstream_requests_active") == 0 }
  }
}
