import Testing

/// gRPC's own client and server, with the proxy between them.
@Suite("gRPC", .endToEnd)
struct GRPCTests {
  private static let server = """
    import grpc, sys, time
    from concurrent import futures
    same = lambda b: b
    def fail(request, context): context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    def slow(request, context):
      time.sleep(5)
      return request
    def unary(request, context):
      context.set_trailing_metadata((("x-trailer", "yes"),))
      return request
    class Echo(grpc.GenericRpcHandler):
      def service(self, details):
        kinds = {
          "Unary": grpc.unary_unary_rpc_method_handler(unary, same, same),
          "Fail": grpc.unary_unary_rpc_method_handler(fail, same, same),
          "Slow": grpc.unary_unary_rpc_method_handler(slow, same, same),
          "Server": grpc.unary_stream_rpc_method_handler(lambda r, c: (b"%d" % i for i in range(100)), same, same),
          "Client": grpc.stream_unary_rpc_method_handler(lambda it, c: b"".join(it), same, same),
          "Both": grpc.stream_stream_rpc_method_handler(lambda it, c: (m for m in it), same, same),
        }
        return kinds.get(details.method.split("/")[-1])
    server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 1)])
    server.add_generic_rpc_handlers((Echo(),))
    assert server.add_insecure_port("127.0.0.1:" + sys.argv[1])
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()
    """

  private static let client = """
    import grpc, sys, threading, queue
    same = lambda b: b
    channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
    unary = channel.unary_unary("/test.Echo/Unary", same, same)
    answer, call = unary.with_call(b"hello", timeout=30)
    assert answer == b"hello" and ("x-trailer", "yes") in call.trailing_metadata(), call.trailing_metadata()
    for size in [0, 1, 70000, 3000000]:
      assert len(unary(b"x" * size, timeout=30)) == size
    def code(method, timeout=30):
      try:
        channel.unary_unary("/test.Echo/" + method, same, same)(b"x", timeout=timeout)
      except grpc.RpcError as e:
        return e.code().name + ": " + e.details()
    assert code("Fail") == "NOT_FOUND: no such thing", code("Fail")
    assert code("None").startswith("UNIMPLEMENTED"), code("None")
    assert code("Slow", 0.3).startswith("DEADLINE_EXCEEDED"), code("Slow", 0.3)
    assert len(list(channel.unary_stream("/test.Echo/Server", same, same)(b"", timeout=30))) == 100
    parts = channel.stream_unary("/test.Echo/Client", same, same)
    assert len(parts((b"z" * 1000 for _ in range(2000)), timeout=30)) == 2000000
    # Each message is answered before the next is sent.
    box = queue.Queue()
    answers = channel.stream_stream("/test.Echo/Both", same, same)(iter(box.get, None), timeout=30)
    for i in range(50):
      box.put(b"%d" % i)
      assert next(answers) == b"%d" % i
    box.put(None)
    assert list(answers) == []
    # Many at once.
    calls = [unary.future(b"%d" % i, timeout=30) for i in range(300)]
    assert [c.result() for c in calls] == [b"%d" % i for i in range(300)]
    print("all fine")
    """

  private func server(_ folder: TemporaryFolder, _ port: Int) throws -> ChildProcess {
    try folder.write("server.py", Self.server)
    let server = try ChildProcess(
      "/usr/bin/python3", [folder.path("server.py"), String(port)], in: folder, name: "grpc-server")
    try eventually("the gRPC server") {
      if let end = server.end { throw MissingTool(program: "Debian's python3-grpcio (\(end): \(server.errorOutput))") }
      return server.output.contains("ready")
    }
    return server
  }

  @Test("Unary calls, streams of all kinds, statuses, deadlines and trailers pass")
  func everything() throws {
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    let server = try server(folder, port.number)
    let scene = try Scene(
      rules: "[{backendRefs: [\(Resources.backendRef("grpc"))]}]",
      more: [Resources.service("grpc", [.port(port.number)], "protocol: http2")])
    defer { scene.stop() }
    try folder.write("client.py", Self.client)
    let result = try Tool.run("/usr/bin/python3", [folder.path("client.py"), String(scene.port)], within: 180)
    #expect(result.output == "all fine\n", "\(result.output)\(result.errorOutput)")
    // All of them shared a connection or few.
    #expect(try scene.weft.metric("weft_upstream_connections_total", "service=\"default/grpc\"") < 8)
    try eventually("nothing to be under way") { try scene.weft.metric("weft_upstream_requests_active") == 0 }
    server.signal(9)
  }

  @Test("What the proxy answers itself is a gRPC status, which retries understand")
  func localErrors() throws {
    let folder = try TemporaryFolder()
    let nobody = try ReservedPort()
    let scene = try Scene(
      rules: """
        [{matches: [{path: {value: /down}}], backendRefs: [\(Resources.backendRef("nobody"))]}, \
        {matches: [{path: {value: /denied}}], filters: [\(Resources.reference("deny"))], \
        backendRefs: [\(Resources.backendRef("nobody"))]}]
        """,
      more: [
        Resources.service("nobody", [.port(nobody.number)], "protocol: http2"),
        Resources.filter("deny", type: "respond", config: "status: 403, body: 'no entry: 100%'"),
      ])
    defer { scene.stop() }
    try folder.write(
      "client.py",
      """
      import grpc, sys
      same = lambda b: b
      channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
      for method in ["/down/x", "/denied/x", "/none/x"]:
        try:
          channel.unary_unary(method, same, same)(b"x", timeout=30)
        except grpc.RpcError as e:
          print(method, e.code().name, "|", e.details())
      """)
    let result = try Tool.run("/usr/bin/python3", [folder.path("client.py"), String(scene.port)], within: 120)
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 3, "\(result.output)\(result.errorOutput)")
    #expect(lines.first?.hasPrefix("/down/x UNAVAILABLE | ") == true, "\(lines)")
    #expect(lines.dropFirst().first == "/denied/x PERMISSION_DENIED | no entry: 100%")
    #expect(lines.last?.hasPrefix("/none/x UNIMPLEMENTED | ") == true)
  }

  @Test("HTTP/1.1 clients reach a service that speaks HTTP/2 alone")
  func downgrade() throws {
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    try folder.write("docs/file.txt", String(repeating: "0123456789", count: 50_000))
    let server = try ChildProcess(
      "nghttpd", ["--no-tls", "-d", folder.path("docs"), "--echo-upload", String(port.number)], in: folder,
      name: "nghttpd")
    let scene = try Scene(
      rules: "[{backendRefs: [\(Resources.backendRef("files"))]}]",
      more: [Resources.service("files", [.port(port.number)], "protocol: http2")])
    defer { scene.stop() }
    try eventually("nghttpd") { try scene.get("/file.txt").status == 200 }
    #expect(try scene.get("/file.txt").body.count == 500_000)
    let client = try scene.client()
    #expect(try client.exchange(HTTPText.post("/upload", body: "some body")).text == "some body")
    let chunked =
      "POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    #expect(try client.exchange(chunked).text == "hello world")
    #expect(try client.get("/none").status == 404)
    // The connection goes away, and the next request makes another.
    server.signal(9)
    _ = try server.waitForEnd()
    #expect(try client.get("/file.txt").status == 503)
  }
}
