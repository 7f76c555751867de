import Glibc
import Testing

@Suite("HTTP/2 from clients", .endToEnd)
struct HTTP2Tests {
  /// curl, which needs to be told that the server speaks HTTP/2.
  private func curl(_ scene: Scene, _ path: String, _ arguments: String...) throws -> ToolResult {
    try Tool.run(
      "curl",
      ["--http2-prior-knowledge", "-sS", "--max-time", "60", "http://127.0.0.1:\(scene.port)\(path)"] + arguments)
  }

  @Test("A request reaches an HTTP/1.1 backend as any other does")
  func roundTrip() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let result = try curl(scene, "/echo?x=1", "-i", "-H", "X-Mine: yes", "-H", "Cookie: a=1; b=2")
    #expect(result.code == 0, "\(result.errorOutput)")
    #expect(result.output.hasPrefix("HTTP/2 200"))
    #expect(result.output.contains("x-backend: backend\r\n"))
    #expect(result.output.contains("GET /echo?x=1 HTTP/1.1\r\n"))
    #expect(result.output.contains("x-mine: yes\r\n"))
    #expect(result.output.contains("cookie: a=1; b=2\r\n"))
    #expect(result.output.contains("host: 127.0.0.1:\(scene.port)\r\n"))
    #expect(try scene.accessLog(1)[0]["protocol"].string == "HTTP/2")
  }

  @Test("Bodies of known and of unknown length go upstream with the framing of HTTP/1.1")
  func bodies() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let folder = try TemporaryFolder()
    for size in [0, 1, 100, 70_000, 3_000_000] {
      try folder.write("body", String(repeating: "0123456789", count: size / 10 + 1).prefix(size).description)
      let known = try curl(scene, "/body", "--data-binary", "@" + folder.path("body"))
      #expect(known.output == readFile(folder.path("body")), "\(size) bytes of known length")
      let open = try curl(
        scene, "/body", "-X", "POST", "-H", "content-length:", "--data-binary", "@" + folder.path("body"))
      #expect(open.output == readFile(folder.path("body")), "\(size) bytes of unknown length")
    }
  }

  @Test("Responses without a body, and to HEAD")
  func bodiless() throws {
    let scene = try Scene()
    defer { scene.stop() }
    #expect(try curl(scene, "/status?code=204", "-i").output.hasPrefix("HTTP/2 204"))
    #expect(try curl(scene, "/status?code=304", "-i").output.hasPrefix("HTTP/2 304"))
    let head = try curl(scene, "/big?n=100000", "-I")
    #expect(head.code == 0)
    #expect(head.output.contains("content-length: 100000"))
  }

  @Test("Large responses with and without a length, and one that its connection ends")
  func responses() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for path in ["/big?n=5000000", "/chunk?n=5000000", "/close?n=500000"] {
      let result = try curl(scene, path, "-o", "/dev/null", "-w", "%{size_download} %{http_code}")
      #expect(result.code == 0, "\(path): \(result.errorOutput)")
      #expect(result.output == (path.hasPrefix("/close") ? "500000 200" : "5000000 200"), "\(path)")
    }
  }

  @Test("A response that breaks off resets its stream")
  func cut() throws {
    let scene = try Scene()
    defer { scene.stop() }
    for path in ["/cut", "/cut-chunk"] {
      let result = try curl(scene, path, "-o", "/dev/null")
      #expect(result.code == 92, "\(path): \(result.code) \(result.errorOutput)")
    }
  }

  @Test("What HTTP/1.1 is refused for, and CONNECT, is answered and never forwarded")
  func refusals() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let large = String(repeating: "v", count: 20_000)
    #expect(try curl(scene, "/", "-i", "-H", "x-large: \(large)").output.hasPrefix("HTTP/2 431"))
    #expect(try curl(scene, "/a%zz", "-i", "--path-as-is").output.hasPrefix("HTTP/2 400"))
    #expect(try curl(scene, "/", "-i", "-H", "Host: a_b c").output.contains("400") || scene.backend.requests.isEmpty)
    #expect(scene.backend.requests.isEmpty)
  }

  /// Answers every request before it has come.
  private static func denying() throws -> Scene {
    try Scene(
      rules: "[{filters: [\(Resources.reference("no"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [
        "{apiVersion: weft.dev/v1, kind: Filter, metadata: {name: no}, "
          + "spec: {type: respond, config: {status: 403, body: not for you}}}"
      ])
  }

  /// Debian's curl takes the reset that may follow such a response for a failure: what it still sends is swallowed.
  @Test("A response that comes before the end of its request reaches the client whole")
  func early() throws {
    let scene = try Self.denying()
    defer { scene.stop() }
    let folder = try TemporaryFolder()
    try folder.write("body", String(repeating: "0123456789", count: 80_000))
    for _ in 0..<5 {
      let result = try curl(scene, "/", "--data-binary", "@" + folder.path("body"), "-H", "Expect:", "-i")
      #expect(result.code == 0, "\(result.code) \(result.errorOutput)")
      #expect(result.output.hasPrefix("HTTP/2 403"))
      #expect(result.output.hasSuffix("not for you"))
    }
    #expect(scene.backend.requests.isEmpty)
  }

  /// One client that never ends its request, and one that sends more than is swallowed.
  @Test("A client that goes on sending behind its response is told to stop")
  func goesOn() throws {
    let scene = try Self.denying()
    defer { scene.stop() }
    let folder = try TemporaryFolder()
    try folder.write(
      "client.py",
      """
      import socket, sys
      import h2.config, h2.connection, h2.events
      def run(more):
          s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
          c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
          c.initiate_connection()
          c.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/no")])
          s.sendall(c.data_to_send())
          sent, seen = 0, []
          while True:
              for e in c.receive_data(s.recv(65536)):
                  if isinstance(e, h2.events.ResponseReceived): seen.append("head")
                  if isinstance(e, h2.events.StreamEnded): seen.append("end")
                  if isinstance(e, h2.events.StreamReset):
                      return seen + ["reset %d" % e.error_code, sent > (1 << 20)]
              n = min(c.local_flow_control_window(1), c.max_outbound_frame_size)
              while more and n > 0:
                  c.send_data(1, b"z" * n); sent += n
                  n = min(c.local_flow_control_window(1), c.max_outbound_frame_size)
              s.sendall(c.data_to_send())
      print(run(False)); print(run(True))
      """)
    let result = try Tool.run("/usr/bin/python3", [folder.path("client.py"), String(scene.port)], within: 120)
    #expect(
      result.output == "['head', 'end', 'reset 0', False]\n['head', 'end', 'reset 0', True]\n",
      "\(result.output)\(result.errorOutput)")
    #expect(try scene.weft.metric("weft_downstream_http2_resets_total", "direction=\"sent\"") == 2)
    try eventually("the streams to be gone") { try scene.weft.metric("weft_http2_streams_live") == 0 }
  }

  @Test("Many streams of many connections, one after the other and side by side")
  func load() throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let result = try Tool.run(
      "h2load", ["-n", "3000", "-c", "8", "-m", "20", "http://127.0.0.1:\(scene.port)/count?n=100"], within: 120)
    #expect(result.output.contains("3000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(result.output)")
    try eventually("nothing to be under way") { try scene.weft.metric("weft_http_requests_active") == 0 }
    try eventually("the connections to be gone") {
      try scene.weft.metric("weft_downstream_connections_active") == 0
    }
  }

  @Test("Filters see streams as they see connections")
  func filters() throws {
    let bundle = """
      function on_request(request)
        local body = request:body(true)
        request:headers():add("x-length", tostring(body:length()))
      end
      function on_response(response)
        local body = response:body(true)
        body:setBytes((body:getBytes(0, body:length()):gsub("x%-length", "X-COUNTED")))
      end
      """
    let rules = "[{filters: [\(Resources.reference("lua"))], backendRefs: [\(Resources.backendRef("backend"))]}]"
    let folder = try TemporaryFolder()
    try folder.write("filter.lua", bundle)
    let scene = try Scene(
      rules: rules, more: [Resources.filter("lua", type: "lua", config: "file: \(folder.path("filter.lua"))")])
    defer { scene.stop() }
    let result = try curl(scene, "/echo", "-d", "twelve bytes")
    #expect(result.output.contains("X-COUNTED: 12"), "\(result.output)")
  }

  @Test("A process that is told to end lets streams come to their end, and takes no more")
  func drain() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let folder = try TemporaryFolder()
    let client = try ChildProcess(
      "curl",
      [
        "--http2-prior-knowledge", "-sS", "--max-time", "60", "http://127.0.0.1:\(scene.port)/drip?n=10&ms=100", "-w",
        " %{http_code}",
      ], in: folder, name: "curl")
    try eventually("the request to be under way") { try scene.weft.metric("weft_http_requests_active") == 1 }
    scene.weft.signal(SIGTERM)
    #expect(try client.waitForEnd() == .exited(0), "\(client.errorOutput)")
    #expect(client.output.hasSuffix(" 200"))
    #expect(try scene.weft.waitForEnd() == .exited(0))
  }

  @Test("A client that reads nothing of one stream stalls that stream alone, and memory stays bounded")
  func stalled() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let before = scene.weft.process.memory
    let script = """
      import socket, sys, h2.connection, h2.config, h2.events
      s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
      c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
      c.initiate_connection(); c.increment_flow_control_window(1 << 24); s.sendall(c.data_to_send())
      def ask(path):
        n = c.get_next_available_stream_id()
        c.send_headers(n, [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)], end_stream=True)
        s.sendall(c.data_to_send())
        return n
      got = {}
      def until(n, wanted):
        while got.get(n, 0) < wanted:
          for e in c.receive_data(s.recv(65536)):
            if isinstance(e, h2.events.DataReceived):
              got[e.stream_id] = got.get(e.stream_id, 0) + e.flow_controlled_length
              if e.stream_id != 1: c.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
          s.sendall(c.data_to_send())
      ask("/big?n=300000000")
      until(1, 65535)
      for _ in range(20):
        until(ask("/big?n=200000"), 200000)
      assert got[1] == 65535, got
      print("fine", got[1])
      """
    let folder = try TemporaryFolder()
    try folder.write("client.py", script)
    let result = try Tool.run("/usr/bin/python3", [folder.path("client.py"), String(scene.port)], within: 120)
    #expect(result.output == "fine 65535\n", "\(result.output)\(result.errorOutput)")
    #expect(scene.weft.process.memory - before < 16_384, "kilobytes, of a response of 300 MB")
  }
}
