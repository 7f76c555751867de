import Testing

@Suite("Retries", .endToEnd)
struct RetryTests {
  /// A proxy whose only rule retries, with short pauses and a budget that is no bound.
  private func scene(
    _ config: String, backends: [Backend] = [], service: String = "", more: [String] = [], filters: String = ""
  ) throws -> Scene {
    let budget = "backoff: {base: 1ms}, budget: {percent: 100, minRetryRate: {count: 1000, interval: 1s}}"
    return try Scene(
      service: service,
      rules:
        "[{filters: [\(filters)\(Resources.reference("again"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [Resources.filter("again", type: "retry", config: "\(budget), \(config)")] + more, backends: backends)
  }

  /// Fails the first attempt for each path in the way that the path names, and answers the second.
  private static func fickle() throws -> Backend {
    let seen = Locked<[String: Int]>([:])
    return try Backend("fickle") { connection, request in
      let target = request.target
      let n = seen.withLock { seen in
        seen[target, default: 0] += 1
        return seen[target] ?? 0
      }
      if n > 1 {
        try connection.read(&request)
        return try connection.respond(to: request, body: Array("attempt \(n)".utf8))
      }
      switch request.path {
      case "/reset":
        connection.isFinished = true
        connection.socket.reset()
      case "/close":
        try connection.read(&request)
        connection.isFinished = true
      case "/partial":
        try connection.read(&request)
        try connection.send("HTTP/1.1 200 OK\r\ncontent-")
        connection.isFinished = true
      case "/hang":
        try connection.read(&request)
        _ = try connection.reader.some()
        connection.isFinished = true
      case "/header":
        try connection.read(&request)
        try connection.respond(200, ["x-again: please"], to: request)
      default:
        try connection.read(&request)
        try connection.respond(Int(request.path.dropFirst()) ?? 200, to: request)
      }
    }
  }

  static let conditions: [(name: String, config: String, repeated: [String], passed: [String])] = [
    (
      "5xx", "retryOn: [5xx]", ["/500", "/501", "/503", "/599", "/reset", "/close", "/partial"],
      ["/409", "/429", "/404"]
    ),
    (
      "gateway-error", "retryOn: [gateway-error]", ["/502", "/503", "/504", "/reset"], ["/500", "/501", "/505", "/409"]
    ),
    ("reset", "retryOn: [reset], perTryTimeout: 300ms", ["/reset", "/close", "/partial", "/hang"], ["/503", "/500"]),
    ("retriable-4xx", "retryOn: [retriable-4xx]", ["/409"], ["/400", "/404", "/429", "/503"]),
    (
      "status codes", "retryOn: [retriable-status-codes], statusCodes: [418, 429]", ["/418", "/429"], ["/503", "/409"]
    ),
    (
      "headers", "retryOn: [retriable-headers], retriableHeaders: [{name: x-again, value: please}]", ["/header"],
      ["/503"]
    ),
    ("connect-failure alone", "retryOn: [connect-failure]", [], ["/503", "/reset"]),
    ("the defaults", "attempts: 1", ["/502", "/503", "/504", "/reset"], ["/500", "/409"]),
  ]

  @Test("each condition repeats what it says, and nothing else", arguments: conditions.map(\.name))
  func condition(name: String) throws {
    let entry = try #require(Self.conditions.first { $0.name == name })
    // No request may meet a stale connection, which would be repeated without asking.
    let scene = try scene(
      entry.config, backends: [Self.fickle()], service: "connectionPool: {maxRequestsPerConnection: 1}")
    defer { scene.stop() }
    let client = try scene.client()
    for path in entry.repeated {
      let response = try client.get(path)
      #expect(response.text == "attempt 2", "\(path): \(response.status)")
    }
    for path in entry.passed {
      let response = try client.get(path)
      #expect(response.status == (Int(path.dropFirst()) ?? 503), "\(path)")
      #expect(scene.backend.requests.filter { $0.path == path }.count == 1, "\(path)")
    }
    let result = "result=\"retried\""
    #expect(try scene.weft.metric("weft_filter_retries_total", result) == Double(entry.repeated.count))
  }

  @Test("a failed connect is repeated for any method, elsewhere")
  func connectFailure() throws {
    let ports = try [ReservedPort(), ReservedPort(), ReservedPort(), ReservedPort(), ReservedPort()]
    let alive = try Backend("alive")
    // The proxy itself tries three endpoints an attempt: with five dead ones, only a retry finds the last.
    let endpoints = ports.map { SocketEndpoint.port($0.number) } + [alive.endpoint]
    let scene = try Scene(
      rules: "[{filters: [\(Resources.reference("again"))], backendRefs: [\(Resources.backendRef("mixed"))]}]",
      more: [
        Resources.service("mixed", endpoints),
        Resources.filter(
          "again", type: "retry", config: "attempts: 3, retryOn: [connect-failure], backoff: {base: 1ms}"),
      ])
    defer { scene.stop() }
    #expect(try scene.client().exchange(HTTPText.post("/body", body: "once")).text == "once")
    #expect(alive.requests.count == 1)
  }

  @Test("attempts have their own time, and the last one's end is the client's answer")
  func perTryTimeout() throws {
    let scene = try scene("attempts: 2, retryOn: [reset], perTryTimeout: 200ms")
    defer { scene.stop() }
    let client = try scene.client()
    let start = monotonicSeconds()
    #expect(try client.get("/hang").status == 504)
    #expect(monotonicSeconds() - start > 0.55, "three attempts of 200 ms")
    #expect(scene.backend.requests.count == 3)
    let line = try scene.accessLog(1)[0]
    #expect(line["upstream_attempts"].int == 3 && line.flags.contains("URX") && line.flags.contains("UT"))
    // It is the head that must come in time, not the body.
    #expect(try client.get("/drip?n=8&ms=60").text == "dddddddd")
    try eventually("the abandoned connections' end") {
      scene.backend.connections.filter(\.isOpen).count <= 1
    }
  }

  @Test("a response that has begun is not repeated")
  func begun() throws {
    let scene = try scene("attempts: 3, retryOn: [5xx]")
    defer { scene.stop() }
    #expect(throws: EndOfStream.self) { try scene.get("/cut") }
    #expect(scene.backend.requests.count == 1)
  }

  @Test("Retry-After is waited for when it is short, and passed on when it is not")
  func retryAfter() throws {
    let seen = Locked(0)
    let backend = try Backend { connection, request in
      try connection.read(&request)
      let n = seen.withLock { n in
        n += 1
        return n
      }
      let after = request.path == "/short" ? "1" : "100"
      if n == 1 || request.path == "/long" {
        try connection.respond(503, ["retry-after: \(after)"], to: request)
      } else {
        try connection.respond(to: request)
      }
    }
    let scene = try scene("attempts: 1, retryOn: [5xx], maxRetryAfter: 5s", backends: [backend])
    defer { scene.stop() }
    let start = monotonicSeconds()
    #expect(try scene.get("/short").status == 200)
    #expect(monotonicSeconds() - start > 0.95)
    let long = try scene.get("/long")
    #expect(long.status == 503 && long["retry-after"] == "100")
    #expect(backend.requests.count == 3)
  }

  @Test("another endpoint is preferred to the one that failed")
  func elsewhere() throws {
    let bad = try Backend("bad") { connection, request in
      try connection.read(&request)
      try connection.respond(503, to: request)
    }
    let good = try Backend("good")
    for balancer in ["round-robin", "random", "least-request"] {
      let scene = try scene(
        "attempts: 1, retryOn: [5xx]", backends: [bad, good], service: "loadBalancer: \(balancer)")
      for _ in 0..<20 { #expect(try scene.get("/")["x-backend"] == "good", "\(balancer)") }
      scene.weft.stop()
    }
    bad.stop()
    good.stop()
  }

  // MARK: Bodies

  @Test("a body is repeated whole, up to its bound", arguments: [0, 1, 40_000, 60_000, 200_000, 1_000_000])
  func replay(size: Int) throws {
    let seen = Locked(0)
    let backend = try Backend { connection, request in
      try connection.read(&request)
      let isFirst = seen.withLock { n in
        n += 1
        return n == 1
      }
      try connection.respond(isFirst ? 503 : 200, to: request, body: request.body)
    }
    let scene = try scene("attempts: 1, retryOn: [5xx], maxBodyBytes: 1MiB, methods: [\"*\"]", backends: [backend])
    defer { scene.stop() }
    let body = BackendPaths.pattern(size)
    let client = try scene.client()
    let socket = client.socket
    let sending = BackgroundWork {
      try socket.send(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n".utf8) + body)
    }
    let response = try client.response()
    try sending.value()
    #expect(response.status == 200)
    #expect(response.body == body)
    #expect(try client.get("/").status == 200, "the connection is as good as before")
  }

  @Test("beyond its bound a body is not repeated, to the byte")
  func replayBound() throws {
    let backend = try Backend { connection, request in
      try connection.read(&request)
      try connection.respond(503, to: request)
    }
    let scene = try scene("attempts: 1, retryOn: [5xx], maxBodyBytes: 1KiB, methods: [\"*\"]", backends: [backend])
    defer { scene.stop() }
    for (size, attempts) in [(1023, 2), (1024, 2), (1025, 1)] {
      let before = backend.requests.count
      #expect(try scene.client().exchange(HTTPText.post("/", body: String(repeating: "x", count: size))).status == 503)
      #expect(backend.requests.count - before == attempts, "\(size) bytes")
    }
  }

  @Test("a repetition and a mirror share the copy of a body")
  func mirrored() throws {
    let mirror = try Backend("mirror")
    let backend = try Self.fickle()
    let scene = try scene(
      "attempts: 1, retryOn: [5xx], maxBodyBytes: 1MiB, methods: [\"*\"]", backends: [backend],
      more: [Resources.service("mirror", [mirror.endpoint])],
      filters: "{type: RequestMirror, requestMirror: {backendRef: {group: weft.dev, kind: Service, name: mirror}}}, ")
    defer { scene.stop() }
    let body = String(repeating: "abcdefg ", count: 40_000)
    #expect(try scene.client().exchange(HTTPText.post("/503", body: body)).text == "attempt 2")
    try eventually("the copy") { mirror.requests.count == 1 && mirror.requests[0].bodyLength == body.utf8.count }
    #expect(mirror.requests[0].text == body)
    mirror.stop()
  }

  @Test("the budget bounds retries while everything fails, and lets single failures through")
  func budget() throws {
    let config = """
      attempts: 3, retryOn: [5xx], backoff: {base: 1ms}, \
      budget: {percent: 20, interval: 1h, minRetryRate: {count: 0, interval: 1s}}
      """
    let scene = try Scene(
      rules: "[{filters: [\(Resources.reference("again"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [Resources.filter("again", type: "retry", config: config)])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<200 { _ = try client.get("/status?code=500") }
    let retries = scene.backend.requests.count - 200
    #expect((20...42).contains(retries), "\(retries) retries of 200 requests at 20 %")
    #expect(try scene.weft.metric("weft_filter_retries_total", "no_budget") > 100)
  }
}
