import Testing

/// GRPCRoutes with gRPC's own client and server.
@Suite("GRPCRoute", .endToEnd)
struct GRPCRouteTests {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  /// A server that answers every call with its own name, and the metadata that it got as trailers.
  private static let server = """
    import grpc, sys
    from concurrent import futures
    def answer(request, context):
      got = [(k, v) for k, v in context.invocation_metadata() if k in ("x-canary", "x-set", "x-backend")]
      context.set_trailing_metadata([("got-" + k, v) for k, v in got])
      return sys.argv[2].encode()
    class Any(grpc.GenericRpcHandler):
      def service(self, call): return grpc.unary_unary_rpc_method_handler(answer)
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Any(),))
    assert server.add_insecure_port("127.0.0.1:" + sys.argv[1])
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()
    """

  /// Calls METHOD[,NAME=VALUE...] each; prints answer or status, and what came back as metadata.
  private static let client = """
    import grpc, sys
    options = [("grpc.default_authority", sys.argv[2])] if sys.argv[2] else []
    channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1], options=options)
    for call in sys.argv[3:]:
      method, *fields = call.split(",")
      metadata = [tuple(f.split("=")) for f in fields]
      try:
        answer, done = channel.unary_unary(method).with_call(b"x", timeout=60, metadata=metadata)
        more = sorted(list(done.initial_metadata()) + list(done.trailing_metadata()))
        print(answer.decode(), *[k + "=" + v for k, v in more if k.startswith(("got-", "x-w"))])
      except grpc.RpcError as e:
        print(e.code().name)
    """

  private func python(_ folder: TemporaryFolder, _ name: String, _ text: String, _ arguments: [String]) throws
    -> ChildProcess
  {
    try folder.write("\(name).py", text)
    let server = try ChildProcess("/usr/bin/python3", [folder.path("\(name).py")] + arguments, in: folder, name: name)
    try eventually("the gRPC server") {
      if let end = server.end { throw MissingTool(program: "Debian's python3-grpcio (\(end): \(server.errorOutput))") }
      return server.output.contains("ready")
    }
    return server
  }

  private func calls(
    _ folder: TemporaryFolder, _ port: Int, authority: String = "", _ calls: [String]
  ) throws -> [String] {
    try folder.write("client.py", Self.client)
    let result = try Tool.run(
      "/usr/bin/python3", [folder.path("client.py"), String(port), authority] + calls, within: 180)
    #expect(result.code == 0, "\(result.errorOutput)")
    return result.output.split(separator: "\n").map { String($0).trimmingSpaces() }
  }

  private func route(_ name: String, _ members: String) -> String {
    Resources.route(name, members).replacing("kind: HTTPRoute", with: "kind: GRPCRoute")
  }

  @Test("Calls are routed by service, method, headers and weight, through filters")
  func routing() throws {
    let folder = try TemporaryFolder()
    let ports = try (0..<2).map { _ in try ReservedPort() }
    let servers = try zip(ports, ["one", "two"]).map {
      try python(folder, "server-\($1)", Self.server, [String($0.number), $1])
    }
    defer { for server in servers { server.signal(9) } }
    let (one, two) = (Resources.backendRef("one"), Resources.backendRef("two"))
    let rules = """
      [{matches: [{method: {service: pkg.A, method: Get}}], backendRefs: [\(one)]}, \
      {matches: [{method: {service: pkg.A}}], backendRefs: [\(two)]}, \
      {matches: [{method: {service: pkg.A}, headers: [{name: x-canary, value: always}]}], backendRefs: [\(one)]}, \
      {matches: [{method: {type: RegularExpression, service: 'pkg[.]R[0-9]+', method: 'Get|Put'}}], \
      backendRefs: [\(two)]}, \
      {matches: [{method: {method: Anywhere}}], filters: [\
      {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: request}]}}, \
      {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-weft, value: response}]}}], \
      backendRefs: [{group: weft.dev, kind: Service, name: one, filters: [\
      {type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-backend, value: own}]}}]}]}, \
      {matches: [{method: {service: pkg.Gone}}], backendRefs: [\(Resources.backendRef("gone"))]}, \
      {matches: [{method: {service: pkg.Empty}}]}, \
      {matches: [{method: {service: pkg.Mixed}}], \
      backendRefs: [\(Resources.backendRef("gone", weight: 0)), \(Resources.backendRef("two", weight: 1))]}]
      """
    let scene = try Scene(
      rules: "[{backendRefs: [\(one)]}]", route: "hostnames: [web.example.com]",
      more: [
        route("calls", "hostnames: [calls.example.com], rules: \(rules)"),
        Resources.service("one", [.port(ports[0].number)]), Resources.service("two", [.port(ports[1].number)]),
      ])
    defer { scene.stop() }
    let answers = try calls(
      folder, scene.port, authority: "calls.example.com",
      [
        "/pkg.A/Get", "/pkg.A/Put", "/pkg.A/Put,x-canary=always", "/pkg.R7/Put", "/pkg.R7/Delete", "/pkg.B/Anywhere",
        "/pkg.Gone/X", "/pkg.Empty/X", "/pkg.Mixed/X", "/pkg.Nothing/X",
      ])
    #expect(
      answers == [
        "one", "two", "one got-x-canary=always", "two", "UNIMPLEMENTED",
        "one got-x-backend=own got-x-set=request x-weft=response", "UNAVAILABLE", "UNAVAILABLE", "two", "UNIMPLEMENTED",
      ], "\(answers)")
    // Trailers-only, with HTTP status 200. Without a body: Debian's curl (7.88) fails on a response before its end.
    let head = try Tool.run(
      "curl",
      [
        "-si", "--http2-prior-knowledge", "-H", "host: calls.example.com", "-H", "content-type: application/grpc",
        "-X", "POST", "http://127.0.0.1:\(scene.port)/pkg.Nothing/X",
      ])
    #expect(head.output.hasPrefix("HTTP/2 200"), "\(head.output)")
    #expect(head.output.contains("grpc-status: 12\r\n"), "\(head.output)")
    // Other hosts are those of the HTTPRoute.
    #expect(try calls(folder, scene.port, authority: "web.example.com", ["/any/Thing"]) == ["one"])
  }

  @Test("A route of the other kind with the same hostname is not attached, and its condition says so")
  func conflict() throws {
    let scene = try Scene(
      more: [route("z-calls", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]")])
    defer { scene.stop() }
    #expect(try scene.get("/echo").status == 200)
    let dump = try scene.weft.get("/config").text
    #expect(dump.contains("HostnameConflict") && dump.contains("GRPCRoute"), "\(dump)")
    #expect(scene.weft.log.contains("an HTTPRoute and a GRPCRoute cannot share one"))
  }

  @Test("weft routes explains where a call goes")
  func explained() throws {
    let result = try WeftBinary.run(
      "routes", "-f", "\(Self.root)/examples/grpc/gateway.yaml", "POST",
      "http://localhost:8080/helloworld.Greeter/SayHello")
    #expect(result.code == 0 && result.output.contains("rule default/greeter/greeter"), "\(result.output)")
    #expect(result.output.contains("filter default/browsers (grpc-web)"), "\(result.output)")
    let other = try WeftBinary.run(
      "routes", "-f", "\(Self.root)/examples/grpc/gateway.yaml", "POST", "http://localhost:8080/other.Service/Call")
    #expect(other.code != 0 && other.output.contains("UNIMPLEMENTED"), "\(other.output)")
  }

  @Test("The gRPC example runs as it stands, but for its ports")
  func example() throws {
    let folder = try TemporaryFolder()
    let (port, backend) = (try ReservedPort(), try ReservedPort())
    let text = try #require(readFile("\(Self.root)/examples/grpc/gateway.yaml"))
    let checked = try WeftBinary.run("check", "--strict", "-f", "\(Self.root)/examples/grpc/gateway.yaml")
    #expect(checked.code == 0, "\(checked.output)\(checked.errorOutput)")
    let script = try #require(readFile("\(Self.root)/examples/grpc/server.py"))
    let server = try python(folder, "server", script, [String(backend.number)])
    defer { server.signal(9) }
    let weft = try WeftProcess([
      "gateway.yaml": text.replacing("port: 8080", with: "port: \(port.number)").replacing(
        "127.0.0.1:50051", with: "127.0.0.1:\(backend.number)")
    ])
    defer { weft.stop() }
    let client = "\(Self.root)/examples/grpc/client.py"
    let result = try Tool.run("/usr/bin/python3", [client, "127.0.0.1:\(port.number)"], within: 120)
    #expect(result.output == "Hello World\nHello World 0\nHello World 1\nHello World 2\n", "\(result.errorOutput)")
    let missing = try Tool.run("/usr/bin/python3", [client, "127.0.0.1:\(port.number)", "nobody"], within: 120)
    #expect(missing.errorOutput.contains("NOT_FOUND: there is nobody"))
  }
}

extension String {
  fileprivate func trimmingSpaces() -> String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
