import Testing

@Suite("Services and their endpoints", .endToEnd)
struct UpstreamTests {
  /// An address of this machine at which nobody listens.
  private static func deadEndpoint() throws -> (ReservedPort, SocketEndpoint) {
    let port = try ReservedPort()
    return (port, .port(port.number))
  }

  /// A rule for a path prefix that leads to a service of its own.
  private static func route(_ name: String) -> String {
    Resources.route(
      name,
      "rules: [{matches: [{path: {type: PathPrefix, value: /\(name)}}], backendRefs: [\(Resources.backendRef(name))]}]")
  }

  // MARK: Connections

  /// Answers the first request of a connection, and resets it at the second.
  private static func forgetful() throws -> Backend {
    try Backend { connection, request in
      try connection.read(&request)
      if connection.requests.count > 1 {
        connection.isFinished = true
        connection.socket.reset()
        return
      }
      try connection.respond(to: request, body: Array("fine".utf8))
    }
  }

  @Test(
    "a pooled connection that was closed meanwhile is no failure of a request that may be repeated",
    arguments: ["GET", "HEAD", "OPTIONS", "DELETE", "PUT"])
  func stale(method: String) throws {
    let scene = try Scene(backends: [Self.forgetful()])
    defer { scene.stop() }
    let client = try scene.client()
    for i in 1...3 {
      let response = try client.exchange("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n", method: method)
      #expect(response.status == 200, "request \(i)")
    }
    #expect(scene.backend.connections.count == 3)
  }

  @Test("a POST is not repeated: nobody knows whether it was carried out")
  func stalePost() throws {
    let scene = try Scene(backends: [Self.forgetful()])
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.exchange(HTTPText.post("/", body: "1")).status == 200)
    #expect(try client.exchange(HTTPText.post("/", body: "2")).status == 503)
    #expect(scene.backend.requests.filter { $0.text == "2" }.count == 1)
  }

  @Test("repeated once and no more")
  func staleOnce() throws {
    let backend = try Backend { connection, request in
      if request.path == "/first" { return try connection.respond(to: request) }
      connection.isFinished = true
      connection.socket.reset()
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/first").status == 200)
    #expect(try client.get("/second").status == 503)
    #expect(backend.requests.filter { $0.path == "/second" }.count == 2)
  }

  @Test("a backend's Connection: close is honoured")
  func closing() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<3 { #expect(try client.get("/last").text == "last") }
    #expect(scene.backend.connections.count == 3)
  }

  @Test("connections are closed after their number of requests")
  func requestsPerConnection() throws {
    let scene = try Scene(service: "connectionPool: {maxRequestsPerConnection: 3}")
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<9 { #expect(try client.get("/echo").status == 200) }
    #expect(scene.backend.connections.map(\.requests.count) == [3, 3, 3])
  }

  @Test("idle connections are closed after their time")
  func idleTimeout() throws {
    let scene = try Scene(service: "connectionPool: {idleTimeout: 300ms}")
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/echo").status == 200)
    try eventually("the idle connection's end") { !scene.backend.connections[0].isOpen }
    #expect(try client.get("/echo").status == 200)
    #expect(scene.backend.connections.count == 2)
  }

  @Test("no more connections than allowed, and the rest waits its turn")
  func maxConnections() throws {
    let scene = try Scene(service: "connectionPool: {maxConnections: 3}")
    defer { scene.stop() }
    let load = Load(clients: 20, port: { [port = scene.port] in port })
    try load.wait(forMore: 500)
    let mistakes = try load.stop()
    #expect(mistakes == [])
    #expect(scene.backend.connections.count == 3)
    #expect(try scene.weft.metric("weft_upstream_requests_pending") == 0)
  }

  @Test("beyond what may wait, requests are answered with 503")
  func overflow() throws {
    let scene = try Scene(service: "connectionPool: {maxConnections: 1, maxPendingRequests: 1}")
    defer { scene.stop() }
    let first = try scene.client()
    try first.send(HTTPText.get("/hang"))
    try eventually("the first request") { scene.backend.requests.count == 1 }
    let second = try scene.client()
    try second.send(HTTPText.get("/echo"))
    try eventually("the second request to wait") { try scene.weft.metric("weft_upstream_requests_pending") == 1 }
    let third = try scene.get("/echo")
    #expect(third.status == 503)
    let line = try scene.accessLog(1)[0]
    #expect(line.flags == "UO")
    #expect(line.details == "upstream_overflow")
    #expect(try scene.weft.metric("weft_upstream_overflows_total") == 1)
    // The first gives up its connection, and the second gets its turn.
    first.socket.reset()
    #expect(try second.response().status == 200)
  }

  @Test("a client that goes away while it waits leaves its place")
  func leavesQueue() throws {
    let scene = try Scene(service: "connectionPool: {maxConnections: 1, maxPendingRequests: 1}")
    defer { scene.stop() }
    let first = try scene.client()
    try first.send(HTTPText.get("/hang"))
    try eventually("the first request") { scene.backend.requests.count == 1 }
    for _ in 0..<5 {
      let waiting = try scene.client()
      try waiting.send(HTTPText.get("/never"))
      try eventually("it to wait") { try scene.weft.metric("weft_upstream_requests_pending") == 1 }
      waiting.socket.reset()
      try eventually("it to be gone") { try scene.weft.metric("weft_upstream_requests_pending") == 0 }
    }
    first.socket.reset()
    #expect(try scene.get("/echo").status == 200)
    #expect(!scene.backend.requests.contains { $0.path == "/never" })
  }

  // MARK: Endpoints

  @Test("a connect that fails moves on to another endpoint")
  func connectFailure() throws {
    let (reserved, dead) = try Self.deadEndpoint()
    let alive = try Backend()
    let scene = try Scene(more: [Resources.service("mixed", [dead, alive.endpoint, dead]), Self.route("mixed")])
    defer { scene.stop() }
    for _ in 0..<20 { #expect(try scene.get("/mixed").status == 200) }
    #expect(try scene.weft.metric("weft_upstream_connect_failures_total", "service=\"default/mixed\"") >= 1)
    _ = reserved
  }

  @Test("without an endpoint that takes connections, 503")
  func allDead() throws {
    let (a, dead) = try Self.deadEndpoint()
    let (b, deadToo) = try Self.deadEndpoint()
    let scene = try Scene(more: [Resources.service("dead", [dead, deadToo]), Self.route("dead")])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<3 {
      #expect(try client.get("/dead").status == 503)
      #expect(try client.exchange(HTTPText.post("/dead", body: "abc")).status == 503)
    }
    for line in try scene.accessLog(6) {
      #expect(line.flags == "UF")
      #expect(line.details == "upstream_connect_failure")
    }
    _ = (a, b)
  }

  @Test("an endpoint that comes back is used again")
  func recovery() throws {
    let port = try ReservedPort()
    let scene = try Scene(more: [Resources.service("late", [.port(port.number)]), Self.route("late")])
    defer { scene.stop() }
    #expect(try scene.get("/late").status == 503)
    let backend = try Backend("late", at: .port(port.number))
    try eventually("the endpoint to be used") { try scene.get("/late").status == 200 }
    backend.stop()
  }

  @Test("round-robin takes endpoints in turn, each worker for itself")
  func roundRobin() throws {
    let backends = try (1...3).map { try Backend("b\($0)") }
    let scene = try Scene(backends: backends)
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<30 { _ = try client.get("/echo") }
    #expect(backends.map(\.requests.count) == [10, 10, 10])
  }

  private func shares(_ balancer: String, weights: [Int], requests: Int) throws -> [Int] {
    let backends = try weights.indices.map { try Backend("b\($0)") }
    let endpoints = zip(backends, weights).map { "{address: \"\($0.endpoint)\", weight: \($1)}" }
    let scene = try Scene(more: [
      Resources.service("many", endpoints: endpoints, "loadBalancer: \(balancer)"), Self.route("many"),
    ])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<requests { #expect(try client.get("/many").status == 200) }
    for backend in backends { backend.stop() }
    return backends.map(\.requests.count)
  }

  @Test("weights of endpoints are kept exactly in turn, on average at random")
  func weights() throws {
    #expect(try shares("round-robin", weights: [1, 2, 5, 0], requests: 160) == [20, 40, 100, 0])
    for balancer in ["random", "least-request"] {
      let counts = try shares(balancer, weights: [1, 3, 0], requests: 800)
      #expect(counts[2] == 0, "\(balancer)")
      // Expected 200 and 600; the standard deviation of `random` is 12.
      #expect((120...280).contains(counts[0]), "\(balancer): \(counts)")
    }
  }

  @Test("least-request leaves a busy endpoint alone")
  func leastRequest() throws {
    let busy = try Backend("busy") { connection, request in
      try connection.read(&request)
      try eventually("the end of the test", within: 120) { connection.isAbandoned }
      connection.isFinished = true
    }
    let free = try Backend("free")
    let scene = try Scene(
      more: [
        Resources.service("two", [busy.endpoint, free.endpoint], "loadBalancer: least-request"), Self.route("two"),
      ])
    defer { scene.stop() }
    defer { busy.stop() }
    // Clients that meet the busy one stay there.
    var waiting: [RawClient] = []
    for i in 1...200 {
      let client = try scene.client()
      try client.send(HTTPText.get("/two"))
      try eventually("the request") { busy.requests.count + free.requests.count == i }
      if busy.requests.count > waiting.count { waiting.append(client) } else { _ = try client.response() }
    }
    // Both draws fall on the busy one a quarter of the time, which is 50; the standard deviation is 6. A choice that
    // did not look would come to 100.
    #expect((20...77).contains(waiting.count))
  }

  @Test("Unix sockets are endpoints like others")
  func unixSockets() throws {
    let folder = try TemporaryFolder()
    let backend = try Backend("unix", at: .unix(folder.path("app.sock")))
    let scene = try Scene(more: [Resources.service("unix", [backend.endpoint]), Self.route("unix")])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<5 { #expect(try client.get("/unix")["x-backend"] == "unix") }
    #expect(backend.connections.count == 1)
    #expect(try scene.accessLog(5)[0]["upstream_host"].string == "unix:" + folder.path("app.sock"))
    backend.stop()
    #expect(try scene.get("/unix").status == 503)
  }

  @Test("names are resolved")
  func names() throws {
    let backend = try Backend()
    let scene = try Scene(more: [
      Resources.service("named", endpoints: ["\"localhost:\(backend.port)\""]), Self.route("named"),
    ])
    defer { scene.stop() }
    #expect(try scene.get("/named").status == 200, "ready only once names are known")
  }

  @Test("a name that does not exist gives 503")
  func unknownName() throws {
    let scene = try Scene(more: [
      Resources.service("nowhere", endpoints: ["\"nowhere.invalid:80\""]), Self.route("nowhere"),
    ])
    defer { scene.stop() }
    #expect(try scene.get("/nowhere").status == 503)
    #expect(try scene.accessLog(1)[0].flags.split(separator: ",").contains("UH"))
    #expect(try scene.get("/echo").status == 200)
  }

  @Test("IPv6 endpoints")
  func ipv6() throws {
    let scene = try Scene(more: [Resources.service("six", endpoints: ["\"[::1]:1\""]), Self.route("six")])
    defer { scene.stop() }
    #expect(try scene.get("/six").status == 503)
    #expect(try scene.accessLog(1)[0]["upstream_host"].string == "[::1]:1")
  }

  // MARK: Kubernetes

  @Test("a Service's EndpointSlices say where its pods are, and which are ready")
  func endpointSlices() throws {
    let ready = try Backend("ready")
    let other = try Backend("other")
    let (reserved, dead) = try Self.deadEndpoint()
    guard case .port(let deadPort) = dead else { return }
    let scene = try Scene(more: [
      """
      {apiVersion: v1, kind: Service, metadata: {name: pods}, spec: {clusterIP: None, \
      ports: [{name: http, port: 80}, {name: alt, port: 81}]}}
      """,
      """
      {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, \
      metadata: {name: pods-1, labels: {kubernetes.io/service-name: pods}}, \
      ports: [{name: http, port: \(ready.port)}, {name: alt, port: \(other.port)}], \
      endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]}
      """,
      """
      {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, \
      metadata: {name: pods-2, labels: {kubernetes.io/service-name: pods}}, \
      ports: [{name: http, port: \(deadPort)}], endpoints: [{addresses: [127.0.0.1], conditions: {ready: false}}]}
      """,
      Resources.route(
        "pods",
        """
        rules: [{matches: [{path: {value: /http}}], backendRefs: [{name: pods, port: 80}]}, \
        {matches: [{path: {value: /alt}}], backendRefs: [{name: pods, port: 81}]}]
        """),
    ])
    defer { scene.stop() }
    for _ in 0..<10 {
      #expect(try scene.get("/http")["x-backend"] == "ready")
      #expect(try scene.get("/alt")["x-backend"] == "other")
    }
    #expect(try scene.weft.metric("weft_upstream_connect_failures_total") == 0)
    ready.stop()
    other.stop()
    _ = reserved
  }
}
