import Glibc
import Testing

@Suite("Pools of connections", .endToEnd)
struct PoolTests {
  /// A service with one connection, which a request to `path` holds, and others that wait behind it.
  private func queue(
    _ path: String, service: String = "", rules: String = Scene.toBackend, backends: [Backend] = [],
    _ body: (Scene, RawClient, [RawClient]) throws -> Void
  ) throws {
    let scene = try Scene(
      service: "connectionPool: {maxConnections: 1}" + (service.isEmpty ? "" : ", " + service), rules: rules,
      backends: backends)
    defer { scene.stop() }
    let first = try scene.client()
    try first.send(HTTPText.get(path))
    try eventually("the first request") { scene.backend.requests.count == 1 }
    let others = try (0..<5).map { _ in try scene.client() }
    for (i, client) in others.enumerated() {
      try client.send(HTTPText.get("/echo?\(i)"))
      try eventually("it to wait") { try scene.weft.metric("weft_upstream_requests_pending") == Double(i + 1) }
    }
    try body(scene, first, others)
    #expect(try scene.weft.metric("weft_upstream_requests_pending") == 0)
  }

  /// Ends its connection in the way that the path names, once told to.
  private static func ending(_ mayEnd: Locked<Bool>) throws -> Backend {
    try Backend { connection, request in
      try connection.read(&request)
      switch request.path {
      case "/reset", "/close", "/garbage":
        try eventually("leave to end", within: 60) { mayEnd.current || connection.isAbandoned }
        connection.isFinished = true
        if request.path == "/reset" { connection.socket.reset() }
        if request.path == "/garbage" { try connection.send("no HTTP at all\r\n\r\n") }
      default: try BackendPaths.answer(connection, &request)
      }
    }
  }

  @Test(
    "a connection that breaks makes room for who waits, in order",
    arguments: [("/reset", 503), ("/close", 503), ("/garbage", 502)])
  func broken(path: String, status: Int) throws {
    let mayEnd = Locked(false)
    try queue(path, backends: [Self.ending(mayEnd)]) { (scene, first, others) throws in
      mayEnd.withLock { $0 = true }
      #expect(try first.response().status == status)
      for client in others { #expect(try client.response().status == 200) }
      #expect(scene.backend.requests.dropFirst().map(\.target) == (0..<5).map { "/echo?\($0)" })
    }
  }

  @Test("so does an attempt whose time is over")
  func timedOut() throws {
    try queue("/hang", service: "timeouts: {firstByte: 2s}") { (scene, first, others) throws in
      #expect(try first.response().status == 504)
      // Those that wait have the same time for it, and it may be over as well.
      for client in others { #expect([200, 503].contains(try client.response().status)) }
    }
  }

  @Test("so does a rule's time limit")
  func ruleTimedOut() throws {
    let rules = """
      [{matches: [{path: {value: /hang}}], timeouts: {request: 1s}, backendRefs: [\(Resources.backendRef("backend"))]}, \
      {backendRefs: [\(Resources.backendRef("backend"))]}]
      """
    try queue("/hang", rules: rules) { (scene, first, others) throws in
      #expect(try first.response().status == 504)
      for client in others { #expect(try client.response().status == 200) }
    }
  }

  @Test("so does a client that goes away")
  func abandoned() throws {
    try queue("/hang") { (scene, first, others) throws in
      first.socket.reset()
      for client in others { #expect(try client.response().status == 200) }
    }
  }

  @Test("nobody waits for ever: after the time for a first byte, 503")
  func longWait() throws {
    try queue("/drip?n=10000&ms=50", service: "timeouts: {firstByte: 700ms}") { (scene, first, others) throws in
      for client in others {
        let response = try client.response()
        #expect(response.status == 503)
        #expect(response["connection"] == nil)
      }
      for line in try scene.accessLog(5) { #expect(line.flags == "UO" && line.details == "upstream_overflow") }
      #expect(try scene.weft.metric("weft_upstream_overflows_total") == 5)
      first.socket.reset()
      try eventually("the place") { try scene.get("/echo").status == 200 }
    }
  }

  @Test("a higher limit makes room at once")
  func reload() throws {
    try queue("/hang") { (scene, first, others) throws in
      try writeFile(scene.configurationPath, scene.configuration(service: "connectionPool: {maxConnections: 8}"))
      for client in others { #expect(try client.response().status == 200) }
      first.socket.reset()
    }
  }

  @Test("under load a small pool serves everybody, with failures in between")
  func churn() throws {
    let count = Locked(0)
    let backend = try Backend { connection, request in
      try connection.read(&request)
      let n = count.withLock { n in
        n += 1
        return n
      }
      if n % 7 == 0 {
        connection.isFinished = true
        return connection.socket.reset()
      }
      try connection.respond(200, n % 5 == 0 ? ["connection: close"] : [], to: request)
      if n % 5 == 0 { connection.isFinished = true }
    }
    let scene = try Scene(service: "connectionPool: {maxConnections: 4}", backends: [backend], workers: 2)
    defer { scene.stop() }
    let load = Load(
      clients: 32, port: { [port = scene.port] in port },
      check: { [200, 503].contains($0.status) ? nil : "status \($0.status)" })
    try load.wait(forMore: 2000)
    let mistakes = try load.stop()
    #expect(mistakes == [])
    try eventually("nobody to wait") { try scene.weft.metric("weft_upstream_requests_pending") == 0 }
    #expect(try scene.weft.metric("weft_upstream_connections_active") <= 4)
  }

  @Test("few descriptors under load: who is not served is told so, and all is well afterwards")
  func descriptors() throws {
    let scene = try Scene(service: "connectionPool: {maxConnections: 64}", workers: 2, descriptorLimit: 80)
    defer { scene.stop() }
    // Clients alone take what there is, so that connections to the backend find none.
    let load = Load(
      clients: 60, port: { [port = scene.port] in port }, request: HTTPText.get("/slow?ms=5"), reconnects: true,
      check: { [200, 503].contains($0.status) ? nil : "status \($0.status)" })
    try eventually("descriptors to run out") {
      try scene.weft.metric("weft_downstream_accept_failures_total") > 0
        || scene.weft.metric("weft_upstream_connect_failures_total") > 0
    }
    try load.wait(forMore: 300)
    let mistakes = try load.stop()
    // A client that is turned away sees its connection end before an answer, and nothing worse.
    #expect(mistakes.allSatisfy { $0.contains("connection ended") || $0.contains("reset") }, "\(mistakes)")
    try eventually("all to be well") { (try? scene.get("/echo").status) == 200 }
    for _ in 0..<20 { #expect(try scene.get("/echo").status == 200) }
    try eventually("nothing left") { try scene.weft.metric("weft_http_requests_active") == 0 }
    #expect(scene.weft.process.descriptorCount < 70)
  }
}
