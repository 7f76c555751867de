import TestCertificates
import Testing

@Suite("Listeners that pass connections on", .endToEnd)
struct ConnectionRouteTests {
  private static func gateway(_ listeners: String) -> String {
    """
    {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gateway}, spec: {gatewayClassName: weft, \
    addresses: [{value: 127.0.0.1}], listeners: [\(listeners)]}}
    """
  }

  private static func route(_ kind: String, _ name: String, _ backends: [String], _ members: String = "") -> String {
    let version = kind == "TCPRoute" ? "v1alpha2" : "v1"
    return """
      {apiVersion: gateway.networking.k8s.io/\(version), kind: \(kind), metadata: {name: \(name)}, spec: {\
      parentRefs: [{name: gateway}], \(members)rules: [{backendRefs: [\(backends.joined(separator: ", "))]}]}}
      """
  }

  @Test("TCP: bytes both ways, weights, half-close, and the log")
  func tcp() throws {
    let port = try ReservedPort()
    let backends = try ["one", "two"].map { try Backend($0) }
    let folder = try TemporaryFolder()
    let weft = try WeftProcess(
      [
        "weft.yaml": [
          Resources.proxy(accessLog: folder.path("access.log")),
          Self.gateway("{name: tcp, protocol: TCP, port: \(port.number)}"),
          Resources.service("one", [backends[0].endpoint]), Resources.service("two", [backends[1].endpoint]),
          Self.route(
            "TCPRoute", "tcp", [Resources.backendRef("one", weight: 3), Resources.backendRef("two", weight: 1)]),
        ].joined(separator: "\n---\n")
      ], workers: 1, folder: folder)
    defer { weft.stop() }
    var seen: Set<String> = []
    for _ in 0..<60 {
      let response = try RawClient(port.number).get("/echo")
      #expect(response.status == 200)
      // What a TCP listener passes on is not changed.
      #expect(!response.text.contains("x-forwarded"))
      seen.insert(response["x-backend"] ?? "")
    }
    #expect(seen == ["one", "two"])
    let client = try RawClient(port.number)
    try client.send("POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n")
    let sending = BackgroundWork { [socket = client.socket] in
      try socket.send(BackendPaths.pattern(3_000_000))
      socket.shutdownWrite()
    }
    #expect(try client.response().body == BackendPaths.pattern(3_000_000))
    try sending.value()
    let line = try eventually("the log line") {
      (readFile(folder.path("access.log")) ?? "").split(separator: "\n").compactMap { AccessLine(String($0)) }
        .first { $0["bytes_received"].int ?? 0 > 3_000_000 }
    }
    #expect(line["route_name"].string == "default/tcp/0")
  }

  /// Bulk takes another way through the proxy than messages do: it must come out whole, in both directions at once, past
  /// receivers that stop for a while, and mixed with small pieces.
  @Test("TCP: bulk both ways, to receivers that are slow")
  func bulk() throws {
    let port = try ReservedPort()
    let piece = BackendPaths.pattern(251 * 8_000)
    let pieces = 10
    let backend = try Backend { connection, _ in
      let sending = BackgroundWork { [socket = connection.socket] in
        for _ in 0..<200 { try socket.send([0x2e], within: 120) }
        for _ in 0..<pieces { try socket.send(piece, within: 120) }
        socket.shutdownWrite()
      }
      pause(milliseconds: 500)
      connection.isFinished = true
      for i in 0..<pieces where try connection.reader.bytes(piece.count) != piece {
        throw MalformedMessage("the client's piece \(i) is wrong")
      }
      if try !connection.reader.some().isEmpty { throw MalformedMessage("more came than was sent") }
      try sending.value()
    }
    let weft = try WeftProcess(
      [
        "weft.yaml": [
          Self.gateway("{name: tcp, protocol: TCP, port: \(port.number)}"),
          Resources.service("one", [backend.endpoint]),
          Self.route("TCPRoute", "tcp", [Resources.backendRef("one")]),
        ].joined(separator: "\n---\n")
      ], workers: 1)
    defer { weft.stop() }
    let socket = try StreamSocket.connect(.port(port.number))
    try socket.send(Array("GET / HTTP/1.1\r\nhost: a\r\n\r\n".utf8))
    let sending = BackgroundWork {
      for _ in 0..<pieces { try socket.send(piece, within: 120) }
      socket.shutdownWrite()
    }
    let reader = MessageReader(socket, patience: 120)
    #expect(try reader.bytes(200) == [UInt8](repeating: 0x2e, count: 200))
    for i in 0..<pieces {
      try #require(try reader.bytes(piece.count) == piece, "the backend's piece \(i) is wrong")
      if i < 3 { pause(milliseconds: 50) }
    }
    #expect(try reader.some().isEmpty)
    try sending.value()
    try eventually("the connections to be gone", within: 60) {
      try weft.metric("weft_downstream_connections_active") == 0
    }
    #expect(backend.violations == [])
  }

  @Test("TCP: a backend that is not there resets the connection")
  func refused() throws {
    let port = try ReservedPort()
    let nobody = try ReservedPort()
    let weft = try WeftProcess(
      [
        "weft.yaml": [
          Self.gateway("{name: tcp, protocol: TCP, port: \(port.number)}"),
          Resources.service("one", [.port(nobody.number)]),
          Self.route("TCPRoute", "tcp", [Resources.backendRef("one")]),
        ].joined(separator: "\n---\n")
      ], workers: 1)
    defer { weft.stop() }
    #expect(try RawClient(port.number).ends())
    try eventually("no connection to be left") {
      try weft.metric("weft_downstream_connections_active") == 0
    }
  }

  /// One port: HTTPS for one name, TLS that ends here for another, TLS passed through for a third.
  @Test("TLS: the server name chooses between HTTP, termination and passthrough")
  func tls() throws {
    let authority = try TestAuthority()
    let inner = try TLSScene(authority)
    defer { inner.stop() }
    let certificates = "weft.dev/certificate-file: server.crt, weft.dev/key-file: server.key"
    let backend = try Backend("plain")
    let server = try authority.issue("outer", names: ["DNS:http.test", "DNS:ends.test"])
    let port = try ReservedPort()
    let folder = try TemporaryFolder()
    try folder.write("config/server.crt", String(decoding: server.certificate, as: UTF8.self))
    try folder.write("config/server.key", String(decoding: server.key, as: UTF8.self))
    let weft = try WeftProcess(
      [
        "weft.yaml": [
          Self.gateway(
            """
            {name: https, hostname: http.test, protocol: HTTPS, port: \(port.number), tls: {options: {\(certificates)}}}, \
            {name: ends, hostname: ends.test, protocol: TLS, port: \(port.number), tls: {mode: Terminate, options: {\(certificates)}}}, \
            {name: through, hostname: "*.test", protocol: TLS, port: \(port.number), tls: {mode: Passthrough}}
            """),
          Resources.service("plain", [backend.endpoint]), Resources.service("inner", [.port(inner.port)]),
          Resources.route(
            "http", "hostnames: [http.test], rules: [{backendRefs: [\(Resources.backendRef("plain"))]}]"),
          Self.route("TLSRoute", "ends", [Resources.backendRef("plain")], "hostnames: [ends.test], "),
          Self.route("TLSRoute", "through", [Resources.backendRef("inner")], "hostnames: [a.test], "),
        ].joined(separator: "\n---\n")
      ], workers: 1, folder: folder)
    defer { weft.stop() }
    func curl(_ host: String) throws -> ToolResult {
      try Tool.run(
        "curl",
        [
          "-sS", "--max-time", "30", "--cacert", authority.certificatePath, "--resolve",
          "\(host):\(port.number):127.0.0.1", "https://\(host):\(port.number)/echo",
        ])
    }
    let http = try curl("http.test")
    #expect(http.output.contains("x-forwarded-proto: https"), "\(http.errorOutput)")
    let ends = try curl("ends.test")
    #expect(ends.output.contains("GET /echo"), "\(ends.errorOutput)")
    #expect(!ends.output.contains("x-forwarded"))
    // The certificate is the inner proxy's.
    let through = try curl("a.test")
    #expect(through.output.contains("x-forwarded-proto: https"), "\(through.errorOutput)")
    #expect(inner.backend.requests.count == 1)
    #expect(try curl("b.test").code != 0)
    #expect(try curl("example.com").code != 0)
    for bytes: [UInt8] in [[0, 1, 2], Array("GET / HTTP/1.1\r\n\r\n".utf8), [22, 3, 1, 0xff, 0xff, 1]] {
      let client = try RawClient(port.number)
      try client.send(bytes)
      _ = try client.untilEnd()
    }
    // A hello that comes in pieces.
    let slow = try Tool.run(
      "/usr/bin/python3",
      [
        "-c",
        """
        import socket, ssl, sys, time
        context = ssl.create_default_context(cafile=sys.argv[2])
        raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname='a.test')
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                data = outgoing.read()
                for i in range(0, len(data), 97):
                    raw.sendall(data[i:i + 97])
                    time.sleep(0.005)
                incoming.write(raw.recv(65536))
        print('fine')
        """, String(port.number), authority.certificatePath,
      ])
    #expect(slow.output == "fine\n", "\(slow.errorOutput)")
    try eventually("no connection to be left") {
      try weft.metric("weft_downstream_connections_active") == 0
    }
  }
}
