import Glibc
import TestCertificates
import Testing

@Suite("The PROXY protocol", .endToEnd)
struct ProxyProtocolTests {
  private static let line = "PROXY TCP4 203.0.113.7 198.51.100.2 56324 443\r\n"

  /// The same in version 2, with an extension behind the addresses.
  private static let binary: [UInt8] =
    [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 16]
    + [203, 0, 113, 7, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb, 4, 0, 1, 0]

  private static func gateway(_ modes: String, from: String, _ listeners: String) -> String {
    """
    {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gateway, annotations: \
    {weft.dev/proxy-protocol: "\(modes)", weft.dev/proxy-protocol-from: "\(from)"}}, spec: {gatewayClassName: weft, \
    addresses: [{value: 127.0.0.1}], listeners: [\(listeners)]}}
    """
  }

  /// A proxy with the listener `web`, for HTTP, before a backend.
  private final class Front {
    let port: Int
    let backend: Backend
    let weft: WeftProcess
    private let reserved: ReservedPort

    init(_ mode: String, from: String = "127.0.0.0/8", proxy: String = "", service: String = "") throws {
      reserved = try ReservedPort()
      port = reserved.number
      backend = try Backend()
      let folder = try TemporaryFolder()
      weft = try WeftProcess(
        [
          "weft.yaml": [
            Resources.proxy(proxy, accessLog: folder.path("access.log")),
            gateway("web=\(mode)", from: from, "{name: web, protocol: HTTP, port: \(port)}"),
            Resources.service("backend", [backend.endpoint], service),
            Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]"),
          ].joined(separator: "\n---\n")
        ], workers: 1, folder: folder)
    }

    func failures(_ reason: String) throws -> Double {
      try weft.metric("weft_downstream_proxy_protocol_failures_total", "reason=\"\(reason)\"")
    }

    /// What the backend sees of a request on a connection that begins with `header`.
    func echo(_ header: [UInt8]) throws -> HTTPMessage {
      let client = try RawClient(port)
      try client.send(header + Array(HTTPText.get("/echo").utf8))
      return try client.response()
    }
  }

  @Test("HTTP: a listener that requires it believes the header, piece by piece, and refuses everything else")
  func required() throws {
    let front = try Front("require")
    defer { front.weft.stop() }
    for header in [Array(Self.line.utf8), Self.binary] {
      let response = try front.echo(header)
      #expect(response.status == 200)
      #expect(response.text.lowercased().contains("x-forwarded-for: 203.0.113.7"), "\(response.text)")
      let client = try RawClient(front.port)
      for byte in header { try client.send([byte]) }
      #expect(try client.get("/echo").text.lowercased().contains("x-forwarded-for: 203.0.113.7"))
      #expect(try client.get("/echo").text.lowercased().contains("x-forwarded-for: 203.0.113.7"))
    }
    for header in [
      Array("PROXY UNKNOWN\r\n".utf8), Array(Self.binary.prefix(12)) + [0x20, 0, 0, 0],
    ] {
      #expect(try front.echo(header).text.lowercased().contains("x-forwarded-for: 127.0.0.1"))
    }
    let log = try eventually("the access log") {
      let text = readFile(front.weft.folder.path("access.log")) ?? ""
      return text.contains("203.0.113.7:56324") ? text : nil
    }
    #expect(log.contains("203.0.113.7:56324"))
    let curl = try Tool.run(
      "curl", ["-sS", "--max-time", "30", "--haproxy-protocol", "http://127.0.0.1:\(front.port)/echo"])
    #expect(curl.code == 0, "\(curl.errorOutput)")

    let plain = try RawClient(front.port)
    try plain.send(HTTPText.get("/echo"))
    #expect(try plain.ends())
    #expect(try front.failures("missing") == 1)
    for bad in ["PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"] {
      let client = try RawClient(front.port)
      try client.send(bad + HTTPText.get("/echo"))
      #expect(try client.ends())
    }
    #expect(try front.failures("malformed") == 2)
    let half = try RawClient(front.port)
    try half.send("PROXY TC")
    half.socket.shutdownWrite()
    #expect(try half.ends())
    #expect(try front.failures("closed") == 1)
    #expect(front.weft.log.contains("PROXY protocol header from 127.0.0.1"))
  }

  @Test("A peer that is not named is not believed", arguments: ["require", "optional"])
  func untrusted(_ mode: String) throws {
    let front = try Front(mode, from: "192.0.2.0/24, unix")
    defer { front.weft.stop() }
    for header in [Array(Self.line.utf8), Self.binary] {
      let client = try RawClient(front.port)
      // The connection may be gone before all is sent.
      try? client.send(header + Array(HTTPText.get("/echo").utf8))
      #expect(try client.ends())
    }
    #expect(try front.failures("untrusted") == 2)
    #expect(front.backend.requests.isEmpty)
    if mode == "optional" {
      #expect(try front.echo([]).text.lowercased().contains("x-forwarded-for: 127.0.0.1"))
    }
  }

  @Test("Optional: with and without a header")
  func optional() throws {
    let front = try Front("optional")
    defer { front.weft.stop() }
    #expect(try front.echo([]).text.lowercased().contains("x-forwarded-for: 127.0.0.1"))
    #expect(try front.echo(Self.binary).text.lowercased().contains("x-forwarded-for: 203.0.113.7"))
    // Begins as the header does.
    let client = try RawClient(front.port)
    try client.send("P")
    try client.send("OST /echo HTTP/1.1\r\nhost: test.example\r\ncontent-length: 0\r\n\r\n")
    #expect(try client.response(to: "POST").status == 200)
  }

  @Test("A header that does not come in time ends the connection")
  func slow() throws {
    let front = try Front("require", proxy: "timeouts: {tlsHandshake: 500ms}")
    defer { front.weft.stop() }
    let client = try RawClient(front.port)
    try client.send("PROXY TCP4 203.0")
    #expect(try client.ends())
    #expect(try front.failures("timeout") == 1)
  }

  @Test("TLS: the header stands before the handshake")
  func beforeTLS() throws {
    let scene = try TLSScene(
      gatewayAnnotations: "{weft.dev/proxy-protocol: https=require, weft.dev/proxy-protocol-from: 127.0.0.1}")
    let result = try scene.curl("/echo", host: "a.test", "--haproxy-protocol")
    #expect(result.code == 0, "\(result.errorOutput)")
    #expect(try scene.curl("/echo").code != 0)
    let script = """
      import socket, ssl, struct, sys
      s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
      s.sendall(b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n\\x21\\x11" + struct.pack("!H", 12) + bytes([203, 0, 113, 7, 198, 51, 100, 2])
                + struct.pack("!HH", 1, 2))
      t = ssl.create_default_context(cafile=sys.argv[2]).wrap_socket(s, server_hostname="a.test")
      t.sendall(b"GET /echo HTTP/1.1\\r\\nhost: a.test\\r\\nconnection: close\\r\\n\\r\\n")
      data = b""
      while piece := t.recv(65536): data += piece
      print(data.decode())
      """
    let answer = try scene.python(script)
    #expect(
      answer.output.lowercased().contains("x-forwarded-for: 203.0.113.7"), "\(answer.output) \(answer.errorOutput)")
    scene.weft.stop()
  }

  /// A server in Python that reads a header of either version, says what it said, and closes.
  private static let server = """
    import socket, struct, sys, threading
    l = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    def exactly(c, n):
      data = b""
      while len(data) < n:
        piece = c.recv(n - len(data))
        if not piece: raise EOFError
        data += piece
      return data
    def serve(c):
      first = exactly(c, 12)
      if first == b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n":
        command, family, length = struct.unpack("!BBH", exactly(c, 4))
        block = exactly(c, length)
        said = "v2 %02x %02x " % (command, family)
        if family == 0x11:
          said += "%s %d" % (socket.inet_ntoa(block[0:4]), struct.unpack("!H", block[8:10])[0])
      else:
        while not first.endswith(b"\\r\\n"): first += exactly(c, 1)
        said = "v1 " + first.decode().strip()
      head = b""
      while not head.endswith(b"\\r\\n\\r\\n"): head += exactly(c, 1)
      body = said.encode()
      c.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body) + body)
      while c.recv(65536): pass
    def run(c):
      try: serve(c)
      except Exception: pass
      c.close()
    while True:
      threading.Thread(target=run, args=(l.accept()[0],), daemon=True).start()
    """

  @Test("To endpoints: each connection begins with the client's address", arguments: ["v1", "v2"])
  func out(_ version: String) throws {
    let (web, tcp, server) = (try ReservedPort(), try ReservedPort(), try ReservedPort())
    let folder = try TemporaryFolder()
    try folder.write("server.py", Self.server)
    let python = try ChildProcess(
      "/usr/bin/python3", [folder.path("server.py"), String(server.number)], in: folder, name: "server")
    defer { python.signal(SIGKILL) }
    let weft = try WeftProcess(
      [
        "weft.yaml": [
          Resources.proxy(),
          Self.gateway(
            "web=optional, tcp=optional", from: "127.0.0.1",
            "{name: web, protocol: HTTP, port: \(web.number)}, {name: tcp, protocol: TCP, port: \(tcp.number)}"),
          Resources.service(
            "backend", endpoints: ["\"127.0.0.1:\(server.number)\""],
            "proxyProtocol: \(version), healthCheck: {interval: 100ms}"),
          Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]"),
          """
          {apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: tcp}, spec: {parentRefs: \
          [{name: gateway, sectionName: tcp}], rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]}}
          """,
        ].joined(separator: "\n---\n")
      ], workers: 1, folder: folder)
    defer { weft.stop() }
    // Health checks are introduced too, or the server would not answer them.
    try eventually("a check that succeeds") {
      try weft.metric("weft_upstream_health_checks_total", "result=\"success\"") >= 1
    }
    for port in [web.number, tcp.number] {
      for last in [7, 8] {
        let client = try RawClient(port)
        try client.send(
          "PROXY TCP4 203.0.113.\(last) 198.51.100.2 56324 443\r\n" + HTTPText.get("/"))
        let expected =
          version == "v1"
          ? "v1 PROXY TCP4 203.0.113.\(last) 198.51.100.2 56324 443" : "v2 21 11 203.0.113.\(last) 56324"
        #expect(try client.response().text.hasSuffix(expected))
        if port == web.number { #expect(try client.get("/").text.hasSuffix(expected)) }
      }
    }
  }

  private static func route(_ kind: String, _ name: String, to service: String, on listener: String) -> String {
    """
    {apiVersion: gateway.networking.k8s.io/v1, kind: \(kind), metadata: {name: \(name)}, \
    spec: {parentRefs: [{name: gateway, sectionName: \(listener)}], \
    \(kind == "TLSRoute" ? "hostnames: [a.test], " : "")rules: [{backendRefs: [\(Resources.backendRef(service))]}]}}
    """
  }

  /// Through the proxy twice: what the one listener's service sends, another listener of its own requires.
  @Test("HTTP/2, TLS and passthrough: the header comes first, and each client keeps a connection of its own")
  func chain() throws {
    let (plain, secure, h2, tls, pass) = (
      try ReservedPort(), try ReservedPort(), try ReservedPort(), try ReservedPort(), try ReservedPort()
    )
    let authority = try TestAuthority()
    let issued = try authority.issue("a.test", names: ["DNS:a.test"])
    let folder = try TemporaryFolder()
    for (name, content) in [
      ("server.crt", issued.certificate), ("server.key", issued.key), ("ca.crt", try authority.certificate),
    ] { try folder.write("config/" + name, String(decoding: content, as: UTF8.self)) }
    let backend = try Backend()
    let certificates = "options: {weft.dev/certificate-file: server.crt, weft.dev/key-file: server.key}"
    let weft = try WeftProcess(
      [
        "weft.yaml": [
          Resources.proxy(),
          Self.gateway(
            "plain=require, secure=require, h2=require, tls=require, pass=require", from: "127.0.0.1",
            """
            {name: plain, protocol: HTTP, port: \(plain.number)}, \
            {name: secure, protocol: HTTPS, port: \(secure.number), tls: {\(certificates)}}, \
            {name: h2, protocol: HTTP, port: \(h2.number)}, {name: tls, protocol: HTTP, port: \(tls.number)}, \
            {name: pass, protocol: TLS, hostname: a.test, port: \(pass.number), tls: {mode: Passthrough}}
            """),
          Resources.service("backend", [backend.endpoint]),
          Resources.service("h2", [.port(plain.number)], "proxyProtocol: v2, protocol: http2"),
          Resources.service("tls", [.port(secure.number)], "proxyProtocol: v2"),
          Resources.service("pass", [.port(secure.number)], "proxyProtocol: v1"),
          """
          {apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: policy}, spec: {\
          targetRefs: [{group: weft.dev, kind: Service, name: tls}], validation: {hostname: a.test}, options: {\
          weft.dev/ca-file: ca.crt}}}
          """,
          Self.route("HTTPRoute", "plain", to: "backend", on: "plain"),
          Self.route("HTTPRoute", "secure", to: "backend", on: "secure"),
          Self.route("HTTPRoute", "h2", to: "h2", on: "h2"), Self.route("HTTPRoute", "tls", to: "tls", on: "tls"),
          Self.route("TLSRoute", "pass", to: "pass", on: "pass"),
        ].joined(separator: "\n---\n")
      ], workers: 1, folder: folder)
    defer { weft.stop() }
    for port in [h2.number, tls.number] {
      let clients = try [7, 8, 9].map { last in
        let client = try RawClient(port)
        try client.send("PROXY TCP4 203.0.113.\(last) 198.51.100.2 56324 443\r\n")
        return (client, last)
      }
      for _ in 0..<3 {
        // All at once, so that a shared connection would be found out.
        for (client, _) in clients { try client.send(HTTPText.get("/echo")) }
        for (client, last) in clients {
          let text = try client.response().text.lowercased()
          #expect(text.contains("203.0.113.\(last), 203.0.113.\(last)"), "\(text)")
        }
      }
    }
    #expect(try weft.metric("weft_upstream_connections_total", "service=\"default/h2\"") == 9)
    let script = """
      import socket, ssl, sys
      s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
      s.sendall(b"PROXY TCP4 203.0.113.7 198.51.100.2 56324 443\\r\\n")
      t = ssl.create_default_context(cafile=sys.argv[2]).wrap_socket(s, server_hostname="a.test")
      t.sendall(b"GET /echo HTTP/1.1\\r\\nhost: a.test\\r\\nconnection: close\\r\\n\\r\\n")
      data = b""
      while piece := t.recv(65536): data += piece
      print(data.decode())
      """
    try folder.write("client.py", script)
    let answer = try Tool.run(
      "/usr/bin/python3", [folder.path("client.py"), String(pass.number), authority.certificatePath])
    #expect(
      answer.output.lowercased().contains("x-forwarded-for: 203.0.113.7"), "\(answer.output) \(answer.errorOutput)")
  }

  @Test("Listeners of one port that disagree are an error that names both")
  func disagreement() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "weft.yaml",
      Self.gateway(
        "one=require", from: "127.0.0.1",
        "{name: one, hostname: a.test, protocol: HTTP, port: 8080}, {name: two, hostname: b.test, protocol: HTTP, port: 8080}"
      ) + "\n")
    let result = try WeftBinary.run("check", "-f", folder.path("weft.yaml"))
    #expect(result.code != 0)
    #expect((result.output + result.errorOutput).contains("must say the same of both"), "\(result)")
  }
}
