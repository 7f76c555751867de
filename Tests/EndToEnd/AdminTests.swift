import Glibc
import Testing

@Suite("The admin endpoint", .endToEnd)
struct AdminTests {
  private static let paths = [
    "/", "/healthz", "/readyz", "/metrics", "/stats", "/config", "/clusters", "/filters", "/log-level",
  ]

  @Test("each path answers, with its type, and closes")
  func answers() throws {
    let scene = try Scene(
      rules:
        "[{name: all, filters: [\(Resources.reference("tag"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [Resources.filter("tag", type: "header-modifier", config: "request: {remove: [x]}")], workers: 2)
    defer { scene.stop() }
    #expect(try scene.get("/echo").status == 200)
    let index = try scene.weft.get("/").text
    for path in Self.paths {
      let client = try RawClient(scene.weft.admin)
      try client.send("GET \(path) HTTP/1.1\r\nhost: a\r\n\r\n")
      let response = try client.response()
      #expect(response.status == 200, "\(path)")
      #expect(response["cache-control"] == "no-store")
      #expect(try client.ends(), "\(path)")
      #expect(path == "/" || index.contains(" \(path) "), "\(path) is in the list of what there is")
      let isJSON = ["/stats", "/config", "/clusters", "/filters"].contains(path)
      #expect(response["content-type"]?.hasPrefix(isJSON ? "application/json" : "text/plain") ?? false, "\(path)")
      let head = try RawClient(scene.weft.admin)
      let without = try head.exchange("HEAD \(path) HTTP/1.1\r\nhost: a\r\n\r\n", method: "HEAD")
      #expect(without.status == 200 && without["content-length"] != nil, "\(path)")
      #expect(try head.ends(), "\(path): no body")
    }

    let config = try JSONValue(scene.weft.get("/config").text)
    #expect(config["version"].int == 1)
    #expect(config["workers"].list.count == 2)
    #expect(config["listeners"][0]["name"].string == "default/gateway/http")
    #expect(config["listeners"][0]["address"].string == "127.0.0.1:\(scene.port)")
    #expect(config["rules"][0]["backends"][0]["service"].string == "default/backend")
    #expect(config["files"][0].string == scene.configurationPath)
    #expect(config["lastReload"]["succeeded"].bool == true)

    let service = try JSONValue(scene.weft.get("/clusters").text)["services"][0]
    #expect(service["name"].string == "default/backend")
    #expect(service["endpoints"][0]["address"].string == scene.backend.endpoint.description)
    #expect(service["loadBalancer"].string == "round-robin")

    let filters = try JSONValue(scene.weft.get("/filters").text)
    #expect(filters["filters"].list.contains { $0["name"].string == "default/tag" })
    let types = filters["types"].list.compactMap(\.string)
    for name in ["retry", "rate-limit", "header-modifier", "cors", "fault", "buffer", "compress", "lua", "respond"] {
      #expect(types.contains(name), "\(name)")
    }
  }

  @Test("what is wrong with a request is said")
  func mistakes() throws {
    let scene = try Scene()
    defer { scene.stop() }
    #expect(try scene.weft.get("/nothing").status == 404)
    #expect(try scene.weft.get("/nothing").text.contains("/nothing"))
    for (method, path) in [
      ("GET", "/drain"), ("GET", "/reload"), ("PUT", "/drain"), ("POST", "/config"), ("DELETE", "/healthz"),
      ("DELETE", "/log-level"), ("POST", "/nothing"),
    ] {
      #expect(try scene.weft.admin(method, path).status == 405, "\(method) \(path)")
    }
    for (request, status) in [
      ("GET / HTTP/1.1\r\n\r\n", 400), ("GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n", 400), ("nonsense\r\n\r\n", 400),
      ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
      ("GET /" + String(repeating: "a", count: 10_000) + " HTTP/1.1\r\nhost: a\r\n\r\n", 414),
      ("GET / HTTP/1.0\r\n\r\n", 200),
    ] {
      #expect(try RawClient(scene.weft.admin).exchange(request).status == status, "\(request.prefix(40))")
    }
    // A head without an end is given up; so is a client that is gone.
    let endless = try RawClient(scene.weft.admin)
    _ = try? endless.send("GET / HTTP/1.1\r\nx: " + String(repeating: "a", count: 100_000))
    _ = try endless.untilEnd()
    for _ in 0..<20 { try RawClient(scene.weft.admin).socket.reset() }
    let bytewise = try RawClient(scene.weft.admin)
    for byte in "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".utf8 { try bytewise.send([byte]) }
    #expect(try bytewise.response().text == "ok\n")
    #expect(try scene.get("/echo").status == 200)
  }

  @Test("a web page cannot change anything")
  func webPages() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for path in ["/drain", "/reload", "/log-level?level=trace"] {
      let response = try RawClient(scene.weft.admin).exchange(
        "POST \(path) HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: https://evil.example\r\ncontent-length: 0\r\n\r\n")
      #expect(response.status == 403, "\(path)")
    }
    #expect(try scene.weft.get("/readyz").status == 200)
    #expect(try scene.weft.get("/log-level").text == "debug\n")
  }

  @Test("the log's level can be changed while it runs")
  func logLevel() throws {
    let scene = try Scene()
    defer { scene.stop() }
    #expect(try scene.weft.get("/log-level").text == "debug\n")
    #expect(try scene.weft.admin("POST", "/log-level?level=error").text == "error\n")
    #expect(try scene.weft.get("/log-level").text == "error\n")
    // The start of the configuration's reload would be a notice.
    let before = scene.weft.log.count
    #expect(try scene.weft.admin("POST", "/reload").status == 200)
    #expect(try scene.weft.admin("POST", "/log-level?level=debug").text == "debug\n")
    try eventually("the log to speak again") { scene.weft.log.contains("log level is debug") }
    #expect(!scene.weft.log.dropFirst(before).contains("applied"))
    for query in ["", "?level=", "?level=loud", "?lev=debug"] {
      let response = try scene.weft.admin("POST", "/log-level" + query)
      #expect(response.status == 400 && response.text.contains("warning"), "\(query)")
    }
    #expect(try scene.weft.get("/log-level").text == "debug\n")
  }

  @Test("readiness follows the drain, health does not")
  func readiness() throws {
    let scene = try Scene(proxy: "timeouts: {drain: 60s}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/hang"))
    try eventually("the request") { scene.backend.requests.count == 1 }
    #expect(try scene.weft.get("/readyz").text == "ready\n")
    #expect(try scene.weft.admin("POST", "/drain").text == "draining\n")
    #expect(try scene.weft.get("/readyz").status == 503)
    #expect(try scene.weft.get("/healthz").status == 200)
    #expect(try scene.weft.admin("POST", "/drain").status == 200, "twice is no mistake")
    #expect(try scene.weft.admin("POST", "/reload").status == 400, "too late for a new configuration")
    client.socket.reset()
    #expect(try scene.weft.waitForEnd() == .exited(0))
  }

  @Test("it can be switched off")
  func off() throws {
    let port = try ReservedPort()
    let backend = try Backend()
    let folder = try TemporaryFolder()
    let process = try ChildProcess(
      WeftBinary.path,
      ["run", "--listen", "127.0.0.1:\(port.number)", "--to", "\(backend.endpoint)", "--admin", "off"], in: folder,
      name: "weft")
    try eventually("the proxy") { (try? RawClient(port.number).get("/echo").status) == 200 }
    // It serves before it says so.
    try eventually("the summary") { process.errorOutput.contains(#/\nadmin +off\n/#) }
    process.signal(SIGTERM)
    #expect(try process.waitForEnd() == .exited(0))
  }

  @Test("clients that say nothing do not lock others out for long")
  func silence() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let silent = try (0..<80).map { _ in try RawClient(scene.weft.admin) }
    try eventually("an answer") { (try? scene.weft.get("/healthz"))?.status == 200 }
    _ = silent
  }
}
