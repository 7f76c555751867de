import Testing

@Suite("Health of endpoints", .endToEnd)
struct HealthTests {
  /// Answers checks at /healthz and all else with `status`.
  private static func backend(_ name: String, _ status: Locked<Int>) throws -> Backend {
    try Backend(name) { connection, request in
      try connection.read(&request)
      try connection.respond(status.current, to: request)
      if request.path == "/healthz" { connection.isFinished = true }
    }
  }

  /// The `health` of the service's endpoints, as the admin endpoint has it.
  private func health(_ scene: Scene, service: String = "default/backend") throws -> [String] {
    let services = try JSONValue(scene.weft.get("/clusters").text)["services"].list
    let endpoints = services.first { $0["name"].string == service }?["endpoints"].list ?? []
    return endpoints.map { $0["health"].string ?? "none" }
  }

  /// Who answers so many requests.
  private func answerers(_ scene: Scene, _ count: Int = 12) throws -> Set<String> {
    Set(try (0..<count).map { _ in try scene.get("/echo")["x-backend"] ?? "nobody" })
  }

  private static let check = "healthCheck: {path: /healthz, interval: 100ms, timeout: 20s, healthyThreshold: 1"

  @Test("an endpoint that fails its checks gets no requests, over a reload too, and comes back")
  func active() throws {
    let status = Locked(200)
    let scene = try Scene(
      service: "\(Self.check), unhealthyThreshold: 2}",
      backends: [Self.backend("a", Locked(200)), Self.backend("b", status)], workers: 2)
    defer { scene.stop() }
    try eventually("checks") { try scene.weft.metric("weft_upstream_health_checks_total", "success") >= 4 }
    #expect(try answerers(scene) == ["a", "b"])
    status.withLock { $0 = 503 }
    try eventually("b to be unhealthy") { try health(scene) == ["healthy", "unhealthy"] }
    #expect(try scene.weft.get("/clusters").text.contains(#""lastCheck":"status 503""#))
    #expect(try answerers(scene) == ["a"])
    try eventually("the gauge") {
      try scene.weft.metric("weft_upstream_endpoints", "service=\"default/backend\"", "unhealthy") == 1
    }
    // What is known is carried over.
    try scene.weft.reloaded {
      try scene.weft.folder.write(
        "config/weft.yaml",
        scene.configuration(service: "\(Self.check), unhealthyThreshold: 3}, loadBalancer: least-request"))
    }
    #expect(try health(scene) == ["healthy", "unhealthy"])
    #expect(try answerers(scene) == ["a"])
    status.withLock { $0 = 204 }
    try eventually("b to be well") { try health(scene) == ["healthy", "healthy"] }
    try eventually("b to get requests") { try answerers(scene).contains("b") }
    // Without checks there is nothing against anybody.
    status.withLock { $0 = 503 }
    try eventually("b to be unhealthy") { try health(scene) == ["healthy", "unhealthy"] }
    try scene.weft.reloaded { try scene.weft.folder.write("config/weft.yaml", scene.configuration(service: "")) }
    #expect(try health(scene) == ["none", "none"])
    try eventually("b to get requests") { try answerers(scene).contains("b") }
  }

  @Test("too few healthy endpoints: all get requests, unless the panic threshold is 0")
  func panic() throws {
    let status = Locked(500)
    let scene = try Scene(
      service: "\(Self.check)}", backends: [Self.backend("a", status), Self.backend("b", status)])
    defer { scene.stop() }
    try eventually("both to be unhealthy") { try health(scene) == ["unhealthy", "unhealthy"] }
    #expect(try answerers(scene) == ["a", "b"])
    #expect(try scene.weft.metric("weft_upstream_panics_total") >= 12)
    try scene.weft.reloaded {
      try scene.weft.folder.write(
        "config/weft.yaml", scene.configuration(service: "\(Self.check)}, panicThreshold: 0"))
    }
    #expect(try scene.get("/echo").status == 503)
    let line = try #require(try scene.accessLog(13).last)
    #expect(line.flags == "UH" && line.details == "no_healthy_upstream")
  }

  @Test("an endpoint that answers with errors is left out for a while")
  func outlier() throws {
    let status = Locked(500)
    let scene = try Scene(
      service: "outlierDetection: {consecutive5xx: 3, baseEjectionTime: 1s}",
      backends: [Self.backend("a", Locked(200)), Self.backend("b", status)], workers: 2)
    defer { scene.stop() }
    try eventually("b to be left out") {
      _ = try scene.get("/echo")
      return try scene.weft.metric("weft_upstream_ejections_total", "reason=\"consecutive_5xx\"") >= 1
    }
    status.withLock { $0 = 200 }
    try eventually("b to be back") { try health(scene) == ["healthy", "healthy"] }
    try eventually("b to get requests") { try answerers(scene).contains("b") }
    #expect(try scene.weft.get("/clusters").text.contains(#""ejections":1"#))
  }

  @Test("the only endpoint is never left out for its answers")
  func alone() throws {
    let scene = try Scene(
      service: "outlierDetection: {consecutive5xx: 1}, panicThreshold: 0", backends: [Self.backend("a", Locked(500))])
    defer { scene.stop() }
    for _ in 0..<5 { #expect(try scene.get("/echo").status == 500) }
    #expect(try scene.weft.metric("weft_upstream_ejections_total") == 0)
  }

  @Test("checks by connection, and by a policy for the service")
  func connections() throws {
    let nobody = try ReservedPort()
    let scene = try Scene(
      more: [
        Resources.service("pair", [.port(nobody.number)]),
        """
        {apiVersion: weft.dev/v1, kind: BackendTrafficPolicy, metadata: {name: checks}, spec: {targetRefs: \
        [{group: weft.dev, kind: Service, name: pair}, {group: weft.dev, kind: Service, name: backend}], \
        healthCheck: {type: tcp, interval: 100ms, timeout: 20s}}}
        """,
      ])
    defer { scene.stop() }
    try eventually("the checks") {
      try health(scene, service: "default/pair") == ["unhealthy"]
        && scene.weft.metric("weft_upstream_health_checks_total", "default/backend", "success") > 1
    }
    #expect(try health(scene) == ["healthy"])
  }

  private static let grpcServer = """
    import grpc, sys
    from concurrent import futures
    same = lambda b: b
    serving = True
    def check(request, context):
      name = request[2:].decode()
      if name != "test.Echo": context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
      return b"\\x08\\x01" if serving else b"\\x08\\x02"
    def turn(request, context):
      global serving
      serving = not serving
      return b""
    class Health(grpc.GenericRpcHandler):
      def service(self, details):
        return {
          "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(check, same, same),
          "/test.Echo/Turn": grpc.unary_unary_rpc_method_handler(turn, same, same),
        }.get(details.method)
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Health(),))
    assert server.add_insecure_port("127.0.0.1:" + sys.argv[1])
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()
    """

  @Test("checks by gRPC's health protocol")
  func grpc() throws {
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    try folder.write("server.py", Self.grpcServer)
    let server = try ChildProcess(
      "/usr/bin/python3", [folder.path("server.py"), String(port.number)], in: folder, name: "grpc-server")
    try eventually("the gRPC server") { server.output.contains("ready") }
    let check = "healthyThreshold: 1, unhealthyThreshold: 1, interval: 100ms, timeout: 20s"
    let scene = try Scene(
      rules: "[{backendRefs: [\(Resources.backendRef("named"))]}]",
      more: [
        Resources.service(
          "named", [.port(port.number)], "protocol: http2, healthCheck: {type: grpc, service: test.Echo, \(check)}"),
        Resources.service(
          "other", [.port(port.number)], "protocol: http2, healthCheck: {type: grpc, service: test.None, \(check)}"),
      ])
    defer { scene.stop() }
    try eventually("the checks") {
      try scene.weft.metric("weft_upstream_health_checks_total", "default/named", "success") >= 1
        && health(scene, service: "default/other") == ["unhealthy"]
    }
    #expect(try health(scene, service: "default/named") == ["healthy"])
    #expect(try scene.weft.get("/clusters").text.contains("gRPC status 5"))
    try folder.write(
      "turn.py",
      """
      import grpc, sys
      same = lambda b: b
      channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
      channel.unary_unary("/test.Echo/Turn", same, same)(b"", timeout=60)
      """)
    for expected in ["unhealthy", "healthy"] {
      #expect(try Tool.run("/usr/bin/python3", [folder.path("turn.py"), String(port.number)], within: 120).code == 0)
      try eventually(expected) { try health(scene, service: "default/named") == [expected] }
    }
    server.signal(9)
    try eventually("unhealthy") { try health(scene, service: "default/named") == ["unhealthy"] }
  }

  @Test("requests beyond the limit are answered with 503")
  func requestLimit() throws {
    let scene = try Scene(service: "connectionPool: {maxRequests: 1}")
    defer { scene.stop() }
    let first = try scene.client()
    try first.send(HTTPText.get("/hang"))
    try eventually("the first request") { scene.backend.requests.count == 1 }
    #expect(try scene.get("/echo").status == 503)
    let line = try #require(try scene.accessLog(1).first)
    #expect(line.flags == "UO" && line.details == "upstream_request_limit")
    #expect(try scene.weft.metric("weft_upstream_overflows_total") == 1)
    first.socket.reset()
    try eventually("the place") { try scene.get("/echo").status == 200 }
  }
}
