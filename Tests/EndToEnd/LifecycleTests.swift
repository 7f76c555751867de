import Glibc
import Testing

@Suite("A proxy's start and end", .endToEnd)
struct LifecycleTests {
  @Test("the short form needs no file", arguments: [":", "127.0.0.1:", "[::1]:"])
  func shortForm(host: String) throws {
    if host.hasPrefix("[") && readFile("/proc/net/if_inet6")?.isEmpty ?? true { return }
    let backend = try Backend()
    let port = try ReservedPort()
    let weft = try WeftProcess([:], ["--listen", "\(host)\(port.number)", "--to", "\(backend.endpoint)"])
    defer { weft.stop() }
    if host.hasPrefix("[") {
      let result = try Tool.run("curl", ["-sS", "-g", "http://[::1]:\(port.number)/echo"])
      #expect(result.output.hasPrefix("GET /echo HTTP/1.1"), "\(result)")
    } else {
      #expect(try RawClient(port.number).get("/echo").status == 200)
    }
    #expect(weft.log.contains(":\(port.number)"))
  }

  @Test("SIGTERM ends an idle proxy, with connections that wait for nothing", arguments: [SIGTERM, SIGINT])
  func idle(signal: Int32) throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/echo").status == 200)
    scene.weft.signal(signal)
    #expect(try scene.weft.waitForEnd() == .exited(0))
    #expect(try client.ends())
    #expect(throws: (any Error).self) { try scene.client() }
  }

  @Test("SIGTERM lets what is under way come to its end")
  func drain() throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let slow = try scene.client()
    try slow.send(HTTPText.get("/slow?ms=1500"))
    let upload = try scene.client()
    try upload.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nfirst")
    try eventually("the requests") { scene.backend.requests.count == 2 }
    scene.weft.signal(SIGTERM)
    try eventually("the drain to begin") { try scene.weft.get("/readyz").status == 503 }
    #expect(try scene.weft.get("/healthz").status == 200)
    try eventually("no listener") { (try? scene.client()) == nil }
    try upload.send("!")
    let uploaded = try upload.response()
    #expect(uploaded.text == "first!")
    #expect(uploaded["connection"] == "close")
    let response = try slow.response()
    #expect(response.text == "slow")
    #expect(response["connection"] == "close")
    #expect(try slow.ends())
    #expect(try scene.weft.waitForEnd() == .exited(0))
    #expect(scene.accessLogNow.count == 2, "what the workers have logged is written before the end")
  }

  @Test("what does not end in the drain time is ended")
  func drainTime() throws {
    let scene = try Scene(proxy: "timeouts: {drain: 500ms}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/hang"))
    try eventually("the request") { scene.backend.requests.count == 1 }
    scene.weft.signal(SIGTERM)
    #expect(try scene.weft.waitForEnd() == .exited(0))
    _ = try client.untilEnd()
  }

  @Test("a second SIGTERM does not wait")
  func impatient() throws {
    let scene = try Scene(proxy: "timeouts: {drain: 300s}")
    defer { scene.stop() }
    let client = try scene.client()
    try client.send(HTTPText.get("/hang"))
    try eventually("the request") { scene.backend.requests.count == 1 }
    scene.weft.signal(SIGTERM)
    try eventually("the drain to begin") { scene.weft.log.contains("draining") }
    scene.weft.signal(SIGTERM)
    #expect(try scene.weft.waitForEnd() == .exited(0))
  }

  @Test("POST /drain does what SIGTERM does")
  func drainByAdmin() throws {
    let scene = try Scene()
    defer { scene.stop() }
    #expect(try scene.weft.get("/drain").status == 405)
    #expect(try scene.weft.admin("POST", "/drain").status == 200)
    #expect(try scene.weft.waitForEnd() == .exited(0))
  }

  @Test("a drain under load fails no request that was accepted")
  func drainUnderLoad() throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let isDraining = Locked(false)
    let port = scene.port
    let load = Load(clients: 16, port: { port }, request: HTTPText.get("/slow?ms=20"), reconnects: true)
    try load.wait(forMore: 200)
    isDraining.withLock { $0 = true }
    scene.weft.signal(SIGTERM)
    #expect(try scene.weft.waitForEnd() == .exited(0))
    // Afterwards nobody can connect; nothing else may have gone wrong.
    let mistakes = try load.stop()
    #expect(mistakes.allSatisfy { $0.contains("connect to") || $0.contains("reset, fresh: true") }, "\(mistakes)")
  }

  @Test("a drain answers who has just connected, and the request that has just arrived")
  func drainOfTheLast() throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let fresh = try (0..<10).map { _ in try scene.client() }
    let kept = try (0..<10).map { _ in try scene.client() }
    for client in kept { #expect(try client.get("/echo").status == 200) }
    // These arrive before the signal does.
    for client in kept { try client.send(HTTPText.get("/slow?ms=50")) }
    scene.weft.signal(SIGTERM)
    for client in fresh { try client.send(HTTPText.get("/slow?ms=50")) }
    for client in fresh + kept {
      #expect(try client.response().text == "slow")
      #expect(try client.ends())
    }
    #expect(try scene.weft.waitForEnd() == .exited(0))
  }

  // MARK: Descriptors

  @Test("without a free descriptor clients are turned away, and all is well once there are some")
  func descriptors() throws {
    let scene = try Scene(descriptorLimit: 100)
    defer { scene.stop() }
    let kept = try scene.client()
    #expect(try kept.get("/echo").status == 200)
    // More clients than descriptors: the last ones are let go at once, not left waiting.
    var clients: [RawClient] = []
    for _ in 0..<150 { clients.append(try scene.client()) }
    #expect(try clients[149].ends())
    #expect(try kept.get("/echo").status == 200, "who is there is served")
    for _ in 0..<10 {
      #expect(try scene.weft.get("/healthz").status == 200, "the admin endpoint keeps descriptors for itself")
    }
    clients.removeAll()
    try eventually("a place for a new client") { (try? scene.get("/echo").status) == 200 }
    #expect(try scene.weft.metric("weft_downstream_accept_failures_total", "descriptors") > 0)
    #expect(scene.weft.log.contains("Too many open files"))
  }

  @Test("no more clients than the limit")
  func maxConnections() throws {
    let scene = try Scene(proxy: "limits: {maxConnections: 3}")
    defer { scene.stop() }
    var clients: [RawClient] = []
    for _ in 0..<3 {
      let client = try scene.client()
      #expect(try client.get("/echo").status == 200)
      clients.append(client)
    }
    #expect(try scene.client().ends())
    clients[0].socket.close()
    try eventually("a free place") { (try? scene.get("/echo").status) == 200 }
  }

  @Test("a connection is closed after its number of requests")
  func requestsPerConnection() throws {
    let scene = try Scene(proxy: "limits: {maxRequestsPerConnection: 3}")
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/")["connection"] == nil)
    #expect(try client.get("/")["connection"] == nil)
    #expect(try client.get("/")["connection"] == "close")
    #expect(try client.ends())
  }

  // MARK: What cannot start

  /// Runs `weft run` to its end.
  private func run(_ arguments: String...) throws -> ToolResult {
    try Tool.run(WeftBinary.path, ["run", "--admin", "off"] + arguments)
  }

  @Test("a configuration with errors starts nothing, and exits with 1")
  func badConfiguration() throws {
    let folder = try TemporaryFolder()
    try folder.write("a.yaml", "apiVersion: weft.dev/v1\nkind: Service\nmetadata: {name: a}\nspec: {endpoint: []}\n")
    let result = try run("-f", folder.path("a.yaml"))
    #expect(result.code == 1)
    #expect(result.errorOutput.contains("a.yaml:4"))
    #expect(result.errorOutput.contains("endpoint"))
    #expect(try run("-f", folder.path("missing.yaml")).code == 1)
  }

  @Test("an address that is taken is said with its place, and exits with 1")
  func addressInUse() throws {
    let taken = try Backend()
    let folder = try TemporaryFolder()
    try folder.write("a.yaml", Resources.gateway(taken.port))
    let result = try run("-f", folder.path("a.yaml"))
    #expect(result.code == 1)
    #expect(result.errorOutput.contains("a.yaml:1"))
    #expect(result.errorOutput.contains("in use"))
    let scene = try Scene()
    defer { scene.stop() }
    #expect(try run("--listen", "127.0.0.1:\(scene.port)", "--to", "127.0.0.1:1").code == 1, "by another proxy, too")
  }

  @Test("a command line that makes no sense exits with 2")
  func usage() throws {
    for arguments in [
      ["run"], ["run", "--listen", ":8080"], ["run", "--workers", "x", "-f", "a"],
      ["run", "--workers", "-1", "-f", "a"],
      ["frobnicate"], ["run", "--no-such-option"], ["check"], ["routes", "-f", "a"],
      ["run", "-f", "a", "--listen", ":1", "--to", "127.0.0.1:1"], ["run", "-f", "a", "--admin", "nowhere"],
    ] {
      let result = try Tool.run(WeftBinary.path, arguments)
      #expect(result.code == 2, "weft \(arguments.joined(separator: " ")): \(result.errorOutput)")
      #expect(!result.errorOutput.isEmpty)
    }
  }

  @Test("the log is text or JSON, at the level that was asked for")
  func logs() throws {
    let scene = try Scene(arguments: ["--log-format", "json"])
    defer { scene.stop() }
    for line in scene.weft.log.split(separator: "\n") {
      let object = try JSONValue(String(line))
      #expect(object["level"].string != nil && object["message"].string != nil, "\(line)")
    }
    #expect(scene.weft.log.contains("\"ready\""))
  }
}
