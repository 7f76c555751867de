import Glibc
import Testing

@Suite("Built-in filters in a chain", .endToEnd)
struct FilterTests {
  /// A proxy whose only rule has these filters, in order.
  private func scene(
    _ filters: [(type: String, config: String)], proxy: String = "", service: String = "", backends: [Backend] = [],
    workers: Int = 1
  ) throws -> Scene {
    let names = filters.indices.map { "f\($0)" }
    return try Scene(
      proxy: proxy, service: service,
      rules: "[{filters: [\(names.map(Resources.reference).joined(separator: ", "))], "
        + "backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: zip(names, filters).map { Resources.filter($0, type: $1.type, config: $1.config) }, backends: backends,
      workers: workers)
  }

  // MARK: Order

  @Test("requests pass the chain in order, responses in reverse, and the log says who ran")
  func order() throws {
    let scene = try scene([
      (
        "header-modifier",
        "request: {add: [{name: x-order, value: one}]}, response: {add: [{name: x-back, value: one}]}"
      ),
      (
        "header-modifier",
        "request: {add: [{name: x-order, value: two}]}, response: {add: [{name: x-back, value: two}]}"
      ),
      ("header-modifier", "request: {add: [{name: x-order, value: three}]}"),
    ])
    defer { scene.stop() }
    let response = try scene.get("/echo")
    #expect(scene.backend.requests[0].values("x-order") == ["one", "two", "three"])
    #expect(response.values("x-back") == ["two", "one"])
    let ran = try scene.accessLog(1)[0]["filters"].string
    #expect(ran == "default/f0,default/f1,default/f2")
  }

  @Test("a filter's own answer is seen by the filters before it, and by no other")
  func respond() throws {
    let scene = try scene([
      ("header-modifier", "response: {set: [{name: x-before, value: \"1\"}]}"),
      ("respond", "status: 418, body: \"short\\n\", contentType: text/teapot, headers: [{name: x-tea, value: green}]"),
      ("header-modifier", "response: {set: [{name: x-behind, value: \"1\"}]}"),
    ])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let response = try client.get("/")
      #expect(response.status == 418)
      #expect(response.text == "short\n")
      #expect(response["content-type"] == "text/teapot")
      #expect(response["x-tea"] == "green")
      #expect(response["x-before"] == "1")
      #expect(response["x-behind"] == nil)
      let head = try client.exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", method: "HEAD")
      #expect(head["content-length"] == "6" && head.body.isEmpty)
    }
    // A body that nobody wants: small and here, it is taken off; otherwise the connection ends.
    #expect(try client.exchange(HTTPText.post("/", body: "unwanted")).status == 418)
    #expect(try client.get("/").status == 418)
    try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    let last = try client.response()
    #expect(last.status == 418 && last["connection"] == "close")
    #expect(scene.backend.connections.isEmpty)
  }

  @Test("operators in header values")
  func operators() throws {
    let scene = try scene([
      (
        "header-modifier",
        """
        request: {set: [{name: x-client, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}, \
        {name: x-asked, value: "%REQ(:method)% %REQ(:path)%"}]}, \
        response: {set: [{name: x-status, value: "%RESPONSE_CODE%"}]}
        """
      )
    ])
    defer { scene.stop() }
    #expect(try scene.get("/status?code=202")["x-status"] == "202")
    #expect(scene.backend.requests[0]["x-client"] == "127.0.0.1")
    #expect(scene.backend.requests[0]["x-asked"] == "GET /status?code=202")
  }

  // MARK: Retry

  /// Fails the first so many attempts of each path.
  private static func failing(_ name: String = "failing", times: Int, _ fail: @escaping Backend.Handler) throws
    -> Backend
  {
    let seen = Locked<[String: Int]>([:])
    return try Backend(name) { connection, request in
      let n = seen.withLock { seen in
        seen[request.target, default: 0] += 1
        return seen[request.target] ?? 0
      }
      if n <= times { return try fail(connection, &request) }
      try connection.read(&request)
      try connection.respond(to: request, body: Array("attempt \(n): \(request.text)".utf8))
    }
  }

  private static let patient =
    "attempts: 3, retryOn: [gateway-error, reset, connect-failure], backoff: {base: 1ms}, budget: {percent: 100}"

  @Test("retry repeats a status, body and all")
  func retryStatus() throws {
    let backend = try Self.failing(times: 2) { connection, request in
      try connection.read(&request)
      try connection.respond(503, to: request, body: Array("not yet".utf8))
    }
    let scene = try scene([("retry", Self.patient + ", methods: [\"*\"]")], backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/get").text == "attempt 3: ")
    #expect(try client.exchange(HTTPText.post("/post", body: "the body")).text == "attempt 3: the body")
    let chunked = "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    #expect(try client.exchange(chunked).text == "attempt 3: abc")
    #expect(try scene.weft.metric("weft_upstream_retries_total") == 6)
    #expect(try scene.accessLog(1)[0]["upstream_attempts"].int == 3)
  }

  @Test("retry repeats after a reset, in the body's middle too")
  func retryReset() throws {
    let backend = try Self.failing(times: 1) { connection, _ in
      connection.isFinished = true
      connection.socket.reset()
    }
    let scene = try scene([("retry", Self.patient + ", methods: [\"*\"]")], backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/a").text == "attempt 2: ")
    try client.send("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst")
    try eventually("the second attempt") { backend.requests.filter { $0.path == "/b" }.count == 2 }
    try client.send("-last")
    #expect(try client.response().text == "attempt 2: first-last"[...].description)
  }

  @Test("retry gives the last answer when no attempt is left")
  func retryExhausted() throws {
    let scene = try scene([("retry", Self.patient)])
    defer { scene.stop() }
    let response = try scene.get("/status?code=503")
    #expect(response.status == 503)
    #expect(response["x-backend"] == "backend")
    #expect(scene.backend.requests.count == 4)
    #expect(try scene.accessLog(1)[0].flags == "URX")
  }

  @Test("retry leaves alone what may have been carried out, and bodies beyond its bound")
  func retryNot() throws {
    let scene = try scene([("retry", Self.patient + ", maxBodyBytes: 1KiB")])
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.exchange(HTTPText.post("/status?code=503", body: "x")).status == 503)
    #expect(scene.backend.requests.count == 1)
    let large = "PUT /status?code=503 HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n"
    #expect(try client.exchange(large + String(repeating: "x", count: 5000)).status == 503)
    #expect(scene.backend.requests.count == 2)
    #expect(try client.get("/status?code=500").status == 500)
    #expect(scene.backend.requests.count == 3, "500 is no gateway error")
  }

  @Test("retry prefers another endpoint, and ends an attempt that takes too long")
  func retryElsewhere() throws {
    let slow = try Backend("slow") { connection, request in
      try connection.read(&request)
      _ = try connection.reader.some()
      connection.isFinished = true
    }
    let fast = try Backend("fast")
    let scene = try scene([("retry", Self.patient + ", perTryTimeout: 300ms")], backends: [slow, fast])
    defer { scene.stop() }
    for _ in 0..<4 { #expect(try scene.get("/")["x-backend"] == "fast") }
  }

  @Test("a rule's own retry")
  func retryOfRule() throws {
    let backend = try Self.failing(times: 1) { connection, request in
      try connection.read(&request)
      try connection.respond(502, to: request)
    }
    let scene = try Scene(
      rules: "[{retry: {codes: [502], attempts: 2, backoff: 1ms}, backendRefs: [\(Resources.backendRef("backend"))]}]",
      backends: [backend])
    defer { scene.stop() }
    #expect(try scene.get("/").text == "attempt 2: ")
  }

  @Test("a retry budget bounds what retries add")
  func retryBudget() throws {
    let scene = try scene([
      (
        "retry",
        "attempts: 5, retryOn: [5xx], backoff: {base: 1ms}, "
          + "budget: {percent: 10, interval: 60s, minRetryRate: {count: 5, interval: 60s}}"
      )
    ])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<100 { #expect(try client.get("/status?code=500").status == 500) }
    // 100 requests, and at most 10 % or 5 of them in retries, whichever way the two add up.
    #expect((100...120).contains(scene.backend.requests.count), "\(scene.backend.requests.count)")
  }

  // MARK: Rate limit

  @Test("rate-limit lets a burst through, and says when to come back")
  func rateLimit() throws {
    let scene = try scene([("rate-limit", "requests: 1, per: 1h, burst: 3, key: [{type: header, name: x-key}]")])
    defer { scene.stop() }
    let client = try scene.client()
    for key in ["a", "b"] {
      for _ in 0..<3 { #expect(try client.get("/", "x-key: \(key)").status == 200) }
      let refused = try client.get("/", "x-key: \(key)")
      #expect(refused.status == 429)
      #expect((Int(refused["retry-after"] ?? "") ?? 0) > 3000)
      #expect(refused["ratelimit"]?.contains("r=0") ?? false)
      #expect(refused["ratelimit-policy"] != nil)
    }
    #expect(scene.backend.requests.count == 6)
    #expect(try scene.accessLog(8)[3].flags == "RL")
  }

  @Test("rate-limit is exact over all workers")
  func rateLimitOverWorkers() throws {
    let scene = try scene([("rate-limit", "requests: 100, per: 1h, key: []")], workers: 4)
    defer { scene.stop() }
    var statuses: [Int: Int] = [:]
    for _ in 0..<20 {
      // A connection falls on any worker.
      let client = try scene.client()
      for _ in 0..<10 { statuses[try client.get("/").status, default: 0] += 1 }
    }
    // 100 at once, and one more each 36 s.
    #expect((100...103).contains(statuses[200] ?? 0), "\(statuses)")
  }

  @Test("rate-limit keeps its count over reloads that do not change it")
  func rateLimitOverReloads() throws {
    let scene = try scene([("rate-limit", "requests: 1, per: 1h, burst: 5, key: []")])
    defer { scene.stop() }
    for _ in 0..<5 { #expect(try scene.get("/").status == 200) }
    try scene.weft.reloaded {
      try writeFile(scene.configurationPath, scene.configuration(service: "connectionPool: {maxConnections: 7}"))
    }
    #expect(try scene.get("/").status == 429)
  }

  // MARK: Others

  @Test("fault delays and aborts")
  func fault() throws {
    let scene = try scene([
      ("fault", "abort: {httpStatus: 503}, headers: [{name: x-fault, value: abort}]"),
      ("fault", "delay: {fixedDelay: 500ms}, headers: [{name: x-fault, value: delay}]"),
    ])
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/", "x-fault: abort").status == 503)
    #expect(scene.backend.requests.isEmpty)
    let start = monotonicSeconds()
    #expect(try client.get("/", "x-fault: delay").status == 200)
    #expect(monotonicSeconds() - start > 0.45)
    #expect(try client.get("/").status == 200)
    let log = try scene.accessLog(3)
    #expect(log.map(\.flags) == ["FI", "DI", "-"])
  }

  @Test("a client that goes away while its request is held back leaves nothing behind")
  func faultAbandoned() throws {
    let scene = try scene([("fault", "delay: {fixedDelay: 600s}")])
    defer { scene.stop() }
    for _ in 0..<10 {
      let client = try scene.client()
      try client.send(HTTPText.get("/"))
      try eventually("the request") { try scene.weft.metric("weft_http_requests_active") == 1 }
      client.socket.reset()
      try eventually("it to be gone") { try scene.weft.metric("weft_http_requests_active") == 0 }
    }
    #expect(scene.backend.connections.isEmpty)
  }

  @Test("buffer collects a body, gives it a length, and refuses what is too long")
  func buffer() throws {
    let scene = try scene([("buffer", "maxBytes: 10KiB")])
    defer { scene.stop() }
    let client = try scene.client()
    try client.send("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    pause(milliseconds: 100)
    #expect(scene.backend.connections.isEmpty, "nothing goes on before the body is there")
    try client.send("6\r\n world\r\n0\r\n\r\n")
    #expect(try client.response().text == "hello world")
    #expect(scene.backend.requests[0]["content-length"] == "11")
    #expect(scene.backend.requests[0]["transfer-encoding"] == nil)

    // 100-continue comes from the proxy, for the backend has not been asked yet.
    try client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    #expect(try client.reader.responseHead(to: "POST").status == 100)
    try client.send("there")
    #expect(try client.response().text == "there")
    #expect(scene.backend.requests[1]["expect"] == nil)

    let tooLong = try scene.client()
    try tooLong.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
    let refused = try tooLong.response()
    #expect(refused.status == 413 && refused["connection"] == "close")
    let chunks = try scene.client()
    try chunks.send("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in 0..<3 { try? chunks.send("1000\r\n\(String(repeating: "x", count: 4096))\r\n") }
    #expect(try chunks.response().status == 413)
    #expect(scene.backend.requests.count == 2)
  }

  @Test("compress packs what a client accepts, and real clients can unpack it")
  func compress() throws {
    let text = (0..<2000).map { "line \($0) of a text that repeats itself\n" }.joined()
    let backend = try Backend { connection, request in
      try connection.read(&request)
      if request.path == "/chunked" {
        try connection.send(
          "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\netag: \"abc\"\r\n\r\n")
        for line in text.split(separator: "\n") {
          try connection.send("\(String(line.utf8.count + 1, radix: 16))\r\n\(line)\n\r\n")
        }
        try connection.send("0\r\n\r\n")
      } else {
        try connection.respond(
          200, ["content-type: \(request.path == "/image" ? "image/png" : "text/plain")", "etag: \"abc\""],
          to: request, body: Array(text.utf8))
      }
    }
    let scene = try scene([("compress", "level: 6")], backends: [backend])
    defer { scene.stop() }
    let url = "http://127.0.0.1:\(scene.port)"
    for path in ["/plain", "/chunked"] {
      let packed = try scene.get(path, "accept-encoding: gzip")
      #expect(packed["content-encoding"] == "gzip")
      #expect(packed["vary"]?.lowercased().contains("accept-encoding") ?? false)
      #expect(packed["etag"] == "W/\"abc\"")
      #expect(packed.body.count < text.utf8.count / 3)
      let curl = try Tool.run("curl", ["-sS", "--compressed", url + path])
      #expect(curl.output == text, "\(curl.errorOutput)")
      let plain = try scene.get(path)
      #expect(plain["content-encoding"] == nil)
      #expect(plain.text == text)
      #expect(plain["etag"] == "\"abc\"")
    }
    #expect(try scene.get("/image", "accept-encoding: gzip")["content-encoding"] == nil)
    let head = try scene.client().exchange(
      "HEAD /plain HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", method: "HEAD")
    #expect(head.body.isEmpty)
    let old = try scene.client().exchange("GET /plain HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    #expect(old["content-encoding"] == "gzip" && old["transfer-encoding"] == nil)
  }

  @Test("a body that flows through decoding filters is held back like any other")
  func compressBackpressure() throws {
    let scene = try scene([("compress", "contentTypes: [\"*/*\"]"), ("buffer", "maxBytes: 1MiB")])
    defer { scene.stop() }
    let client = try scene.client(receiveBuffer: 4096)
    let before = scene.weft.process.memory
    try client.send(HTTPText.get("/big?n=100000000", ["accept-encoding: gzip"]))
    pause(milliseconds: 500)
    #expect(scene.weft.process.memory - before < 8192)
    client.socket.reset()
    try eventually("the end") { try scene.weft.metric("weft_http_requests_active") == 0 }
  }
}
