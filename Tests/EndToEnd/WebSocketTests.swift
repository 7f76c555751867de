import Testing

@Suite("WebSocket over HTTP/2", .endToEnd)
struct WebSocketTests {
  /// What a client or a service speaks.
  enum Version: String, CaseIterable {
    case http1 = "1"
    case http2 = "2"
  }

  /// A service that echoes messages, and a proxy in front of it.
  private final class EchoScene {
    let scene: Scene
    let server: ChildProcess
    let folder: TemporaryFolder

    /// - Parameter mode: `1` or `2`, or `2-plain`: HTTP/2 without extended CONNECT.
    init(_ mode: String) throws {
      folder = try TemporaryFolder()
      let port = try ReservedPort()
      try folder.write("server.py", WebSocketTests.common + WebSocketTests.server)
      try folder.write("client.py", WebSocketTests.common + WebSocketTests.client)
      let server = try ChildProcess(
        "/usr/bin/python3", [folder.path("server.py"), mode, String(port.number)], in: folder, name: "server")
      self.server = server
      try eventually("the WebSocket server") {
        if let end = server.end {
          throw MissingTool(program: "Debian's python3-websockets, python3-h2 (\(end): \(server.errorOutput))")
        }
        return server.output.contains("ready")
      }
      scene = try Scene(more: [
        Resources.service("websocket", [.port(port.number)], mode == "1" ? "" : "protocol: http2"),
        Resources.route(
          "websocket",
          "rules: [{matches: [{path: {type: PathPrefix, value: /ws}}], backendRefs: [\(Resources.backendRef("websocket"))]}]"
        ),
      ])
    }

    func client(_ version: String, _ act: String, path: String = "/ws") throws -> ToolResult {
      try Tool.run(
        "/usr/bin/python3", [folder.path("client.py"), version, String(scene.port), path, act], within: 120)
    }

    func stop() {
      server.signal(9)
      scene.stop()
    }
  }

  @Test(
    "Messages of all sizes pass both ways, and the closing handshake",
    arguments: Version.allCases, Version.allCases)
  func messages(client: Version, server: Version) throws {
    let echo = try EchoScene(server.rawValue)
    defer { echo.stop() }
    let result = try echo.client(client.rawValue, "talk")
    #expect(result.output.contains("all fine"), "\(result.output)\(result.errorOutput)\(echo.server.errorOutput)")
    let line = try echo.scene.accessLog(1)[0]
    #expect(line["method"].string == "GET")
    #expect(line.status == (client == .http2 ? 200 : 101))
    #expect((line["bytes_received"].int ?? 0) > 1_100_000)
    #expect((line["bytes_sent"].int ?? 0) > 1_100_000)
    #expect(
      try echo.scene.weft.metric("weft_upstream_requests_total", server == .http2 ? "2xx" : "1xx") == 1)
    try eventually("nothing to be under way") { try echo.scene.weft.metric("weft_http_requests_active") == 0 }
  }

  @Test(
    "A side that breaks off takes the other one with it, and each direction ends on its own",
    arguments: Version.allCases, Version.allCases)
  func ends(client: Version, server: Version) throws {
    let echo = try EchoScene(server.rawValue)
    defer { echo.stop() }
    for act in ["reset", "half", "server-reset"] {
      let result = try echo.client(client.rawValue, act)
      #expect(
        result.output.contains("all fine"), "\(act): \(result.output)\(result.errorOutput)\(echo.server.errorOutput)")
      try eventually("nothing to be under way") { try echo.scene.weft.metric("weft_http_requests_active") == 0 }
    }
    try eventually("the service to have seen its end") { echo.server.output.contains("reset seen") }
  }

  @Test("A receiver that reads nothing stalls the sender, and memory stays bounded", arguments: Version.allCases)
  func stalls(server: Version) throws {
    let echo = try EchoScene(server.rawValue)
    defer { echo.stop() }
    let before = echo.scene.weft.process.memory
    let result = try echo.client("2", "stall", path: "/ws/sink")
    #expect(result.output.contains("all fine"), "\(result.output)\(result.errorOutput)")
    #expect(echo.scene.weft.process.memory - before < 8 << 20)
  }

  @Test("What the service answers instead of switching reaches the client", arguments: Version.allCases)
  func refused(server: Version) throws {
    let echo = try EchoScene(server.rawValue)
    defer { echo.stop() }
    let result = try echo.client("2", "status", path: "/ws/forbidden")
    #expect(result.output.contains("status 403"), "\(result.output)\(result.errorOutput)")
    #expect(result.output.contains("body not for you"), "\(result.output)")
  }

  @Test("A service that answers 200 instead of switching, or proves nothing, is no WebSocket")
  func notSwitched() throws {
    let backend = try Backend { connection, request in
      connection.isFinished = true
      if request.target == "/plain" {
        try connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
      } else {
        let accept = request.target == "/none" ? "" : "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        let name = request.target == "/other" ? "other" : "websocket"
        try connection.send(
          "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: \(name)\r\n\(accept)\r\n")
      }
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let folder = try TemporaryFolder()
    try folder.write("client.py", Self.common + Self.client)
    for path in ["/plain", "/none", "/wrong", "/other"] {
      let result = try Tool.run(
        "/usr/bin/python3", [folder.path("client.py"), "2", String(scene.port), path, "status"], within: 120)
      #expect(result.output.contains("status 502"), "\(path): \(result.output)\(result.errorOutput)")
    }
    #expect(backend.requests.allSatisfy { $0["upgrade"] == "websocket" && $0["sec-websocket-key"]?.count == 24 })
    #expect(try scene.accessLog(4).allSatisfy { $0["response_code_details"].string == "upstream_upgrade_refused" })
  }

  @Test(
    "A service of HTTP/2 that does not offer extended CONNECT is an error that says so", arguments: Version.allCases)
  func unsupported(client: Version) throws {
    let echo = try EchoScene("2-plain")
    defer { echo.stop() }
    let result = try echo.client(client.rawValue, "status")
    #expect(result.output.contains("status 502"), "\(result.output)\(result.errorOutput)")
    #expect(result.output.contains("RFC 8441"), "\(result.output)")
    #expect(try echo.scene.accessLog(1)[0]["response_code_details"].string == "upstream_upgrade_unsupported")
  }

  @Test("CONNECT to other protocols is answered with 501, and never forwarded")
  func otherProtocol() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let folder = try TemporaryFolder()
    try folder.write("client.py", Self.common + Self.client)
    let result = try Tool.run(
      "/usr/bin/python3", [folder.path("client.py"), "2:connect-udp", String(scene.port), "/", "status"], within: 120)
    #expect(result.output.contains("status 501"), "\(result.output)\(result.errorOutput)")
    #expect(scene.backend.requests.isEmpty)
  }

  /// Byte pipes over either version, with the same few methods.
  private static let common = """
    import base64, os, socket, struct, sys, threading
    import h2.config, h2.connection, h2.events, h2.settings
    from websockets.frames import Frame, Opcode
    try: from websockets.protocol import Protocol, Side, State
    except ImportError: from websockets.connection import Connection as Protocol, Side, State

    class End(Exception): pass
    class Reset(Exception): pass

    class Pipe1:
      def __init__(self, s, early=b""): self.s, self.early = s, early
      def send(self, data): self.s.sendall(data)
      def recv(self):
        if self.early:
          data, self.early = self.early, b""
          return data
        try: return self.s.recv(65536)
        except ConnectionError: raise Reset()
      def end(self): self.s.shutdown(socket.SHUT_WR)
      def reset(self):
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.s.close()

    class Pipe2:
      def __init__(self, s, c, n): self.s, self.c, self.n, self.data, self.ended, self.broken = s, c, n, b"", False, False
      def flush(self): self.s.sendall(self.c.data_to_send())
      def take(self, more):
        for e in self.c.receive_data(more):
          if isinstance(e, h2.events.DataReceived):
            self.data += e.data
            if e.flow_controlled_length: self.c.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
          elif isinstance(e, h2.events.StreamEnded): self.ended = True
          elif isinstance(e, h2.events.StreamReset): self.broken = True
          else: self.other(e)
        self.flush()
      def other(self, e): pass
      def step(self):
        more = self.s.recv(65536)
        if not more: raise Reset()
        self.take(more)
      def send(self, data, limit=None):
        while data:
          room = min(self.c.local_flow_control_window(self.n), self.c.max_outbound_frame_size, len(data))
          if room <= 0:
            self.step()
            if self.broken: raise Reset()
            continue
          self.c.send_data(self.n, data[:room]); data = data[room:]
          self.flush()
      def recv(self):
        while not self.data and not self.ended and not self.broken: self.step()
        data, self.data = self.data, b""
        if not data and self.broken and not self.ended: raise Reset()
        return data
      def end(self): self.c.end_stream(self.n); self.flush()
      def reset(self): self.broken = True; self.c.reset_stream(self.n, 8); self.flush()

    class WebSocket:
      def __init__(self, pipe, side):
        self.pipe, self.p = pipe, Protocol(side, state=State.OPEN, max_size=None)
        self.frames = []
      def flush(self):
        for data in self.p.data_to_send():
          if data: self.pipe.send(data)
      def send(self, data): self.p.send_binary(data); self.flush()
      def frame(self):
        while not self.frames:
          data = self.pipe.recv()
          if not data: return None
          self.p.receive_data(data)
          self.frames += self.p.events_received()
          self.flush()
        return self.frames.pop(0)
      def message(self):
        data = b""
        while True:
          f = self.frame()
          if f is None: return None
          if f.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
            data += f.data
            if f.fin: return data
          elif f.opcode is Opcode.CLOSE: return None

    """

  private static let client = """
    version, port, path, act = sys.argv[1:5]
    version, _, token = version.partition(":")
    token = token or "websocket"
    s = socket.create_connection(("127.0.0.1", int(port))); s.settimeout(60)

    def refused(status, body):
      print("status", status); print("body", body.decode()); sys.exit(0)

    def open1():
      key = base64.b64encode(os.urandom(16)).decode()
      s.sendall(f"GET {path} HTTP/1.1\\r\\nHost: a\\r\\nConnection: Upgrade\\r\\nUpgrade: {token}\\r\\nSec-WebSocket-Key: {key}\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n".encode())
      data = b""
      while b"\\r\\n\\r\\n" not in data:
        more = s.recv(65536); assert more, data
        data += more
      head, rest = data.split(b"\\r\\n\\r\\n", 1)
      status = int(head.split()[1])
      if status != 101:
        s.settimeout(2)
        try:
          while more := s.recv(65536): rest += more
        except TimeoutError: pass
        refused(status, rest)
      from websockets.utils import accept_key
      assert f"sec-websocket-accept: {accept_key(key)}" in head.decode().replace("Sec-WebSocket-Accept", "sec-websocket-accept"), head
      return Pipe1(s, rest)

    def open2():
      c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, validate_outbound_headers=False))
      c.initiate_connection(); s.sendall(c.data_to_send())
      pipe = Pipe2(s, c, 1)
      while h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL not in c.remote_settings or not c.remote_settings.enable_connect_protocol: pipe.step()
      head = []
      def other(e):
        if isinstance(e, h2.events.ResponseReceived): head.extend(e.headers)
      pipe.other = other
      c.send_headers(1, [(":method", "CONNECT"), (":protocol", token), (":scheme", "http"), (":authority", "a"), (":path", path), ("sec-websocket-version", "13")])
      pipe.flush()
      while not head and not pipe.broken: pipe.step()
      assert head, "reset"
      status = int(dict((bytes(k, "ascii") if isinstance(k, str) else k, v) for k, v in head)[b":status"])
      if status != 200 or act == "status":
        body = b""
        while more := pipe.recv(): body += more
        refused(status, body)
      assert not any("sec-websocket-accept" in str(k) for k, _ in head), head
      return pipe

    pipe = open1() if version == "1" else open2()
    w = WebSocket(pipe, Side.CLIENT)
    if act == "talk":
      for size in [0, 1, 125, 126, 65535, 65536, 1000000]:
        data = os.urandom(size)
        w.send(data)
        assert w.message() == data, size
      w.p.send_close(1000, "bye"); w.flush()
      assert w.message() is None
      assert w.p.close_rcvd.code == 1000, w.p.close_rcvd
      if version == "1":
        while pipe.recv(): pass
      else:
        while not pipe.ended: pipe.step()
        pipe.end()
        pipe.c.ping(b"12345678"); pipe.flush(); pipe.step()
        assert not pipe.broken
    elif act == "reset":
      w.send(b"hello"); assert w.message() == b"hello"
      pipe.reset()
    elif act == "server-reset":
      w.send(b"reset me")
      try:
        while pipe.recv(): pass
        assert False, "an orderly end"
      except Reset: pass
    elif act == "half":
      # The service answers to what came before our end, though it has seen the end.
      w.send(b"count until the end")
      for _ in range(100): w.p.send_binary(bytes(1000)); w.flush()
      pipe.end()
      assert w.message() == b"100000", "count"
      if version == "1": assert pipe.recv() == b""
      else:
        while not pipe.ended: pipe.step()
        assert not pipe.broken
    elif act == "stall":
      import time
      sent = 0
      data = bytes(16384)
      s.setblocking(True)
      s.settimeout(2)
      try:
        while sent < 64 << 20:
          room = min(pipe.c.local_flow_control_window(1), 16384)
          if room > 0:
            pipe.c.send_data(1, data[:room]); pipe.flush(); sent += room
          else: pipe.take(s.recv(65536))
      except TimeoutError: pass
      assert sent < 32 << 20, sent
    print("all fine")
    """

  private static let server = """
    mode, port = sys.argv[1:3]

    def handle(pipe, path):
      w = WebSocket(pipe, Side.SERVER)
      try:
        if path == "/ws/sink": threading.Event().wait()
        while (m := w.message()) is not None:
          if m == b"reset me": return pipe.reset()
          if m == b"count until the end":
            n = 0
            while (m := w.message()) is not None: n += len(m)
            w.send(str(n).encode())
            break
          w.send(m)
        if isinstance(pipe, Pipe1) or not pipe.broken: pipe.end()
      except (Reset, OSError):
        print("reset seen", flush=True)

    def serve1(s):
      from websockets.utils import accept_key
      data = b""
      while b"\\r\\n\\r\\n" not in data:
        more = s.recv(65536)
        if not more: return
        data += more
      head, rest = data.split(b"\\r\\n\\r\\n", 1)
      lines = head.decode().split("\\r\\n")
      path = lines[0].split()[1]
      fields = {k.lower(): v for k, v in (l.split(": ", 1) for l in lines[1:])}
      assert fields["sec-websocket-version"] == "13", fields
      if path == "/ws/forbidden":
        s.sendall(b"HTTP/1.1 403 Forbidden\\r\\nContent-Length: 11\\r\\n\\r\\nnot for you"); return
      s.sendall(f"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: {accept_key(fields['sec-websocket-key'])}\\r\\n\\r\\n".encode())
      handle(Pipe1(s, rest), path)

    def serve2(s):
      # One stream a connection at a time is enough for the tests.
      c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
      if mode == "2":
        c.local_settings = h2.settings.Settings(
          client=False, initial_values={h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
      c.initiate_connection(); s.sendall(c.data_to_send())
      while True:
        pipe, head = Pipe2(s, c, 0), []
        def other(e):
          if isinstance(e, h2.events.RequestReceived): pipe.n = e.stream_id; head.extend(e.headers)
        pipe.other = other
        while not pipe.n: pipe.step()
        fields = dict(head)
        if fields[":method"] == "CONNECT":
          assert fields[":protocol"] == "websocket" and "sec-websocket-key" not in fields, fields
          assert fields["sec-websocket-version"] == "13", fields
        if fields[":method"] != "CONNECT" or fields[":path"] == "/ws/forbidden":
          c.send_headers(pipe.n, [(":status", "403")]); c.send_data(pipe.n, b"not for you", end_stream=True); pipe.flush()
          while not pipe.ended and not pipe.broken: pipe.step()
          continue
        c.send_headers(pipe.n, [(":status", "200")]); pipe.flush()
        handle(pipe, fields[":path"])
        while not pipe.ended and not pipe.broken: pipe.step()

    def serve(s):
      try: serve1(s) if mode == "1" else serve2(s)
      except (Reset, OSError): pass
      finally: s.close()

    listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", int(port))); listener.listen(64)
    print("ready", flush=True)
    while True:
      s, _ = listener.accept()
      threading.Thread(target=serve, args=(s,), daemon=True).start()
    """
}
