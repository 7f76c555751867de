import Testing

/// gRPC-Web as browsers speak it, over both versions of HTTP, with gRPC's own server behind the proxy.
@Suite("gRPC-Web", .endToEnd)
struct GRPCWebTests {
  private static let server = """
    import grpc, sys, threading
    from concurrent import futures
    same = lambda b: b
    gate = threading.Event()
    def unary(request, context):
      context.send_initial_metadata((("x-initial", "yes"),))
      context.set_trailing_metadata((("x-trailer", "yes"),))
      return request
    def fail(request, context): context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: 100%")
    def broken(request, context):
      yield b"first"
      context.abort(grpc.StatusCode.DATA_LOSS, "lost")
    def gated(request, context):
      yield b"first"
      gate.wait(120)
      gate.clear()
      yield b"second"
    def open_gate(request, context):
      gate.set()
      return b""
    class Echo(grpc.GenericRpcHandler):
      def service(self, details):
        return {
          "Unary": grpc.unary_unary_rpc_method_handler(unary, same, same),
          "Fail": grpc.unary_unary_rpc_method_handler(fail, same, same),
          "Server": grpc.unary_stream_rpc_method_handler(lambda r, c: (b"%d" % i for i in range(100)), same, same),
          "Broken": grpc.unary_stream_rpc_method_handler(broken, same, same),
          "Gated": grpc.unary_stream_rpc_method_handler(gated, same, same),
          "Open": grpc.unary_unary_rpc_method_handler(open_gate, same, same),
        }.get(details.method.split("/")[-1])
    server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Echo(),))
    assert server.add_insecure_port("127.0.0.1:" + sys.argv[1])
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()
    """

  /// Calls through curl, which speaks both versions and passes on what arrives as it arrives.
  private static let client = """
    import base64, struct, subprocess, sys
    port, version = sys.argv[1:]
    origin = "http://app.test"

    def start(path, body, fields):
      command = ["curl", "-sSNi", "-m", "100", version, "--data-binary", "@-", "-H", "origin: " + origin, "-H", "expect:"]
      for field in fields: command += ["-H", field]
      process = subprocess.Popen(
        command + ["http://127.0.0.1:%s%s" % (port, path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
      process.stdin.write(body)
      process.stdin.close()
      return process

    def head(process):
      status = int(process.stdout.readline().split()[1])
      fields = {}
      while True:
        line = process.stdout.readline().decode().strip()
        if not line: return status, fields
        name, value = line.split(":", 1)
        fields[name.lower()] = value.strip()

    class Response:
      def __init__(self, path, message, text=False, accept=None, raw=None):
        kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
        body = b"\\0" + struct.pack(">I", len(message)) + message
        if text: body = base64.b64encode(body)
        fields = ["content-type: " + kind, "x-grpc-web: 1"] + (["accept: " + accept] if accept else [])
        self.process = start(path, raw or body, fields)
        self.status, self.fields = head(self.process)
        self.isText = self.fields.get("content-type", "").startswith("application/grpc-web-text")
        self.buffer = b""
      def read(self, n):
        while len(self.buffer) < n:
          piece = self.process.stdout.read(4 if self.isText else 1)
          if not piece: return None
          self.buffer += base64.b64decode(piece) if self.isText else piece
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken
      def frame(self):
        start = self.read(5)
        return start and (start[0], self.read(struct.unpack(">I", start[1:])[0]))
      def all(self):
        messages, trailers = [], {}
        while True:
          frame = self.frame()
          if not frame: break
          assert not trailers, "something follows the trailers"
          if frame[0] & 0x80:
            trailers = dict(line.split(": ", 1) for line in frame[1].decode().splitlines())
          else:
            messages.append(frame[1])
        assert self.process.wait() == 0, self.process.returncode
        return messages, trailers

    for text in [False, True]:
      kind = "application/grpc-web-text" if text else "application/grpc-web"
      for _ in range(5):
        r = Response("/test.Echo/Unary", b"hello", text)
        assert r.status == 200 and r.fields["content-type"].startswith(kind) and r.fields["x-initial"] == "yes", r.fields
        assert r.fields["access-control-allow-origin"] == origin, r.fields
        messages, trailers = r.all()
        assert messages == [b"hello"] and trailers == {"grpc-status": "0", "x-trailer": "yes"}, (messages, trailers)
      for size in [0, 1, 2, 3, 70000, 500000]:
        assert Response("/test.Echo/Unary", b"x" * size, text).all()[0] == [b"x" * size]
      messages, trailers = Response("/test.Echo/Server", b"", text).all()
      assert messages == [b"%d" % i for i in range(100)] and trailers["grpc-status"] == "0", trailers
      # Each message is there before the next is sent.
      r = Response("/test.Echo/Gated", b"", text)
      assert r.frame() == (0, b"first")
      assert Response("/test.Echo/Open", b"").all()[0] == [b""]
      assert r.all() == ([b"second"], {"grpc-status": "0"})
      # An error without a message stands in the head, which pages may read.
      r = Response("/test.Echo/Fail", b"x", text)
      assert (r.fields["grpc-status"], r.fields["grpc-message"]) == ("5", "no such thing: 100%25"), r.fields
      assert r.fields["access-control-expose-headers"] == "grpc-status, grpc-message", r.fields
      assert r.fields["content-type"].startswith(kind) and r.all() == ([], {}), r.fields
      # One after a message stands in the trailers.
      messages, trailers = Response("/test.Echo/Broken", b"x", text).all()
      assert messages == [b"first"] and trailers == {"grpc-status": "15", "grpc-message": "lost"}, trailers
      # The proxy's own. Over HTTP/2 it comes before the message has been sent, which this curl does not understand.
      for _ in range(10 if version == "--http1.1" else 0):
        assert Response("/test.Echo/None", b"x", text).fields["grpc-status"] == "12"
        r = Response("/down/x", b"x", text)
        assert r.status == 200 and r.fields["grpc-status"] == "14", r.fields
        assert r.fields["content-type"].startswith(kind) and r.fields["access-control-allow-origin"] == origin, r.fields
        assert r.all() == ([], {})
    # The form of the answer may differ from that of the request.
    r = Response("/test.Echo/Unary", b"hello", False, accept="application/grpc-web-text")
    assert r.isText and r.all()[0] == [b"hello"], r.fields
    r = Response("/test.Echo/Unary", b"", True, raw=b"AA*A")
    assert r.status == 400 and r.fields["access-control-allow-origin"] == origin, (r.status, r.fields)
    # What a browser asks before.
    preflight = subprocess.run(
      ["curl", "-sSi", version, "-X", "OPTIONS", "-H", "origin: " + origin, "-H", "access-control-request-method: POST",
       "-H", "access-control-request-headers: content-type,x-grpc-web", "http://127.0.0.1:%s/test.Echo/Unary" % port],
      capture_output=True, text=True).stdout
    assert " 204" in preflight.splitlines()[0] and "access-control-allow-headers: content-type, x-grpc-web" in preflight
    print("all fine")
    """

  /// Sends heads alone, and prints what comes back.
  private static let early = """
    import socket, sys
    import h2.connection, h2.events
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60) as s:
      c = h2.connection.H2Connection()
      c.initiate_connection()
      for stream, path in [(1, "/down/x"), (3, "/test.Echo/None"), (5, "/down/x")]:
        c.send_headers(stream, [
          (":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", path),
          ("content-type", "application/grpc-web+proto")])
        s.sendall(c.data_to_send())
        events = []
        while not events or not isinstance(events[-1], h2.events.StreamReset):
          data = s.recv(65536)
          if not data: sys.exit("the connection has ended")
          events += c.receive_data(data)
          s.sendall(c.data_to_send())
        for event in events:
          if isinstance(event, h2.events.ResponseReceived): print(path, dict(event.headers)[b"grpc-status"].decode())
          if isinstance(event, h2.events.StreamEnded): print("ended")
        print("reset", int(events[-1].error_code))
    """

  @Test(
    "Binary and text, streams, trailers, errors and CORS", arguments: ["--http1.1", "--http2-prior-knowledge"])
  func everything(version: String) throws {
    let folder = try TemporaryFolder()
    let (port, nobody) = (try ReservedPort(), try ReservedPort())
    try folder.write("server.py", Self.server)
    let server = try ChildProcess(
      "/usr/bin/python3", [folder.path("server.py"), String(port.number)], in: folder, name: "grpc-server")
    try eventually("the gRPC server") {
      if let end = server.end { throw MissingTool(program: "Debian's python3-grpcio (\(end): \(server.errorOutput))") }
      return server.output.contains("ready")
    }
    let filters = "filters: [\(Resources.reference("pages")), \(Resources.reference("browsers"))]"
    let scene = try Scene(
      rules: """
        [{matches: [{path: {value: /down}}], \(filters), backendRefs: [\(Resources.backendRef("nobody"))]}, \
        {\(filters), backendRefs: [\(Resources.backendRef("grpc"))]}]
        """,
      more: [
        Resources.service("grpc", [.port(port.number)], "protocol: http2"),
        Resources.service("nobody", [.port(nobody.number)], "protocol: http2"),
        Resources.filter("browsers", type: "grpc-web", config: ""),
        Resources.filter(
          "pages", type: "cors",
          config: """
            allowOrigins: ["http://app.test"], allowHeaders: [content-type, x-grpc-web], \
            exposeHeaders: [grpc-status, grpc-message]
            """),
      ], workers: 2)
    defer { scene.stop() }
    try folder.write("client.py", Self.client)
    let result = try Tool.run("/usr/bin/python3", [folder.path("client.py"), String(scene.port), version], within: 240)
    #expect(result.output == "all fine\n", "\(result.output)\(result.errorOutput)")
    // A response before the end of its request is whole, and the reset comes behind it.
    try folder.write("early.py", Self.early)
    let early = try Tool.run("/usr/bin/python3", [folder.path("early.py"), String(scene.port)], within: 120)
    let expected = [("/down/x", 14), ("/test.Echo/None", 12), ("/down/x", 14)]
    #expect(
      early.output == expected.map { "\($0) \($1)\nended\nreset 0\n" }.joined(), "\(early.output)\(early.errorOutput)")
    server.signal(9)
  }
}
