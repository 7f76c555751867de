import Glibc
import TestCertificates
import Testing

/// A TLS server in Python that offers HTTP/2, HTTP/1.1 or both, and says in each response which of them it spoke and
/// how long the request's body was. Over HTTP/2 it has no extended CONNECT; over HTTP/1.1 it takes upgrades to WebSocket
/// and then sends back what it gets.
private final class TLSServer: Sendable {
  let port: Int
  private let reserved: ReservedPort
  private let process: ChildProcess

  init(_ folder: TemporaryFolder, _ issued: TestAuthority.Issued, offers protocols: String, port: ReservedPort) throws {
    reserved = port
    self.port = port.number
    try folder.write("server.crt", String(decoding: issued.certificate, as: UTF8.self))
    try folder.write("server.key", String(decoding: issued.key, as: UTF8.self))
    try folder.write("server.py", Self.script)
    process = try ChildProcess(
      "/usr/bin/python3",
      [
        folder.path("server.py"), String(port.number), folder.path("server.crt"), folder.path("server.key"), protocols,
      ], in: folder, name: "server")
    try eventually("the server to listen") { (try? StreamSocket.connect(.port(port.number))) != nil }
  }

  func stop() {
    process.signal(SIGKILL)
    _ = try? process.waitForEnd()
  }

  private static let script = """
    import base64, hashlib, socket, ssl, sys, threading
    import h2.config, h2.connection, h2.events
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    if sys.argv[4] != "none": context.set_alpn_protocols(sys.argv[4].split(","))

    def http1(s):
      f = s.makefile("rb")
      while True:
        line = f.readline()
        if not line: return
        fields = {}
        while True:
          h = f.readline().strip()
          if not h: break
          k, v = h.split(b":", 1); fields[k.lower()] = v.strip()
        if fields.get(b"upgrade") == b"websocket":
          accept = base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
          s.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\nsec-websocket-accept: " + accept + b"\\r\\n\\r\\n")
          while True:
            data = f.read1(65536)
            if not data: return
            s.sendall(data)
        n = 0
        if fields.get(b"transfer-encoding") == b"chunked":
          while True:
            size = int(f.readline(), 16)
            f.read(size + 2)
            n += size
            if not size: break
        else:
          n = len(f.read(int(fields.get(b"content-length", b"0"))))
        body = b"1.1 %d" % n
        s.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body) + body)

    def http2(s):
      c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
      c.initiate_connection()
      s.sendall(c.data_to_send())
      counts = {}
      while True:
        data = s.recv(65536)
        if not data: return
        for e in c.receive_data(data):
          if isinstance(e, h2.events.RequestReceived): counts[e.stream_id] = 0
          if isinstance(e, h2.events.DataReceived):
            counts[e.stream_id] += len(e.data)
            c.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
          if isinstance(e, h2.events.StreamEnded):
            c.send_headers(e.stream_id, [(":status", "200")])
            c.send_data(e.stream_id, b"2 %d" % counts.pop(e.stream_id), end_stream=True)
        s.sendall(c.data_to_send())

    def serve(s):
      try:
        # Python takes clients that offer nothing it knows; others end the handshake: no_application_protocol.
        if sys.argv[4] == "h2" and b"\\x02h2" not in s.recv(4096, socket.MSG_PEEK):
          s.sendall(bytes([21, 3, 3, 0, 2, 2, 120]))
          return
        s = context.wrap_socket(s, server_side=True)
        (http2 if s.selected_alpn_protocol() == "h2" else http1)(s)
      except (OSError, ssl.SSLError): pass
      finally: s.close()

    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100)
    while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    """
}

/// A proxy that reaches such a server.
private final class NegotiationScene {
  let folder: TemporaryFolder
  let weft: WeftProcess
  let front: ReservedPort
  private let back: ReservedPort
  private let issued: TestAuthority.Issued
  private(set) var server: TLSServer

  init(offers protocols: String, service: String = "") throws {
    let authority = try TestAuthority()
    (front, back) = (try ReservedPort(), try ReservedPort())
    folder = try TemporaryFolder()
    issued = try authority.issue("a.test", names: ["DNS:a.test"])
    try folder.write("config/ca.crt", String(decoding: authority.certificate, as: UTF8.self))
    server = try TLSServer(folder, issued, offers: protocols, port: back)
    let text = [
      Resources.proxy(), Resources.gateway(front.number),
      Resources.service("backend", [.port(back.number)], service),
      Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]"),
      """
      {apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: policy}, spec: {\
      targetRefs: [{group: weft.dev, kind: Service, name: backend}], validation: {hostname: a.test}, options: {\
      weft.dev/ca-file: ca.crt}}}
      """,
    ].joined(separator: "\n---\n")
    weft = try WeftProcess(["weft.yaml": text + "\n"], workers: 1, folder: folder)
  }

  /// The server comes back with another choice.
  func restart(offers protocols: String) throws {
    server.stop()
    server = try TLSServer(folder, issued, offers: protocols, port: back)
  }

  func stop() {
    weft.stop()
    server.stop()
  }

  func get() throws -> HTTPMessage { try RawClient(front.number).get("/") }

  /// A body whose length is not known beforehand.
  func postChunks() throws -> HTTPMessage {
    let client = try RawClient(front.number)
    try client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    try client.send("6\r\n world\r\n0\r\n\r\n")
    return try client.response(to: "POST")
  }

  func postLength(_ count: Int) throws -> HTTPMessage {
    let client = try RawClient(front.number)
    try client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: \(count)\r\n\r\n")
    try client.socket.send([UInt8](repeating: 0x61, count: count))
    return try client.response(to: "POST")
  }

  /// Opens a WebSocket and sends a few bytes through; what came back, or the status that came instead.
  func webSocket() throws -> String {
    let client = try RawClient(front.number)
    try client.send(
      "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        + "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    let response = try client.response()
    guard response.status == 101 else { return "\(response.status)" }
    #expect(response["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    try client.send("ping")
    return String(decoding: try client.reader.bytes(4), as: UTF8.self)
  }
}

@Suite("Services that choose their version of HTTP", .endToEnd)
struct NegotiationTests {
  @Test("HTTP/2 where the endpoint takes it, else HTTP/1.1", arguments: ["h2,http/1.1", "h2", "http/1.1", "none"])
  func chosen(protocols: String) throws {
    let scene = try NegotiationScene(offers: protocols)
    defer { scene.stop() }
    let version = protocols.hasPrefix("h2") ? "2" : "1.1"
    // Before anything is known of the endpoint, and all at once.
    let first = (0..<6).map { _ in
      BackgroundWork { [port = scene.front.number] in try RawClient(port).get("/").text }
    }
    #expect(try first.map { try $0.value() } == Array(repeating: "\(version) 0", count: 6))
    #expect(try scene.postChunks().text == "\(version) 11")
    #expect(try scene.postLength(100_000).text == "\(version) 100000")
    #expect(try scene.get().text == "\(version) 0")
    let sessions = try scene.weft.metric("weft_upstream_http2_sessions_total")
    #expect(sessions == (version == "2" ? 1 : 0))
    try eventually("nothing to be under way") { try scene.weft.metric("weft_upstream_requests_active") == 0 }
    #expect(try scene.weft.metric("weft_upstream_tls_failures_total") == 0)
  }

  @Test("A service of HTTP/2 without extended CONNECT opens WebSockets over HTTP/1.1 if it speaks that too")
  func webSockets() throws {
    let scene = try NegotiationScene(offers: "h2,http/1.1")
    defer { scene.stop() }
    for _ in 0..<3 {
      #expect(try scene.webSocket() == "ping")
      #expect(try scene.get().text == "2 0")
    }
    #expect(try scene.weft.metric("weft_upstream_http2_sessions_total") == 1)
  }

  @Test("Of a service that speaks nothing but HTTP/2 without extended CONNECT it is an error")
  func noWebSockets() throws {
    let scene = try NegotiationScene(offers: "h2")
    defer { scene.stop() }
    for _ in 0..<3 {
      #expect(try scene.webSocket() == "502")
      #expect(try scene.get().text == "2 0")
    }
  }

  @Test("WebSockets of a service of HTTP/1.1", arguments: ["http/1.1", "none"])
  func plainWebSockets(protocols: String) throws {
    let scene = try NegotiationScene(offers: protocols)
    defer { scene.stop() }
    for _ in 0..<3 { #expect(try scene.webSocket() == "ping") }
    #expect(try scene.get().text == "1.1 0")
    #expect(try scene.webSocket() == "ping")
  }

  @Test("An endpoint that comes back with another choice is spoken to accordingly")
  func changes() throws {
    let scene = try NegotiationScene(offers: "h2,http/1.1")
    defer { scene.stop() }
    for protocols in ["http/1.1", "h2", "none", "h2,http/1.1"] {
      _ = try scene.get()
      try scene.restart(offers: protocols)
      let version = protocols.hasPrefix("h2") ? "2" : "1.1"
      try eventually("the endpoint's new choice, \(protocols)") { try scene.get().text == "\(version) 0" }
      #expect(try scene.postChunks().text == "\(version) 11")
      #expect(try scene.postLength(3).text == "\(version) 3")
    }
  }

  @Test("A fixed protocol is the only one that is offered", arguments: ["http1", "http2"])
  func fixed(version: String) throws {
    let scene = try NegotiationScene(offers: "h2,http/1.1", service: "protocol: \(version)")
    defer { scene.stop() }
    #expect(try scene.get().text == (version == "http2" ? "2 0" : "1.1 0"))
    #expect(try scene.webSocket() == (version == "http2" ? "502" : "ping"))
  }

  @Test("Checks of health go with what the endpoint chooses", arguments: ["h2", "http/1.1"])
  func health(protocols: String) throws {
    let scene = try NegotiationScene(
      offers: protocols, service: "healthCheck: {type: http, path: /, interval: 1s, timeout: 30s}")
    defer { scene.stop() }
    try eventually("a check that succeeds") {
      try scene.weft.metric("weft_upstream_health_checks_total", "result=\"success\"") >= 2
    }
    #expect(try scene.weft.metric("weft_upstream_health_checks_total", "result=\"failure\"") == 0)
  }
}
