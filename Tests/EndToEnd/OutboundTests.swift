import Glibc
import Testing

@Suite("What an app sends through its sidecar, other than plain requests", .endToEnd)
struct OutboundTests {
  @Test("CONNECT opens a tunnel to a service of the mesh, and to nothing else")
  func connect() throws {
    let mesh = try MeshScene()
    let port = try ReservedPort()
    let pair = try MeshPair(
      mesh,
      resources: [
        Resources.gateway(port.number, name: "edge"),
        Resources.route("front", "rules: [{backendRefs: [\(Resources.backendRef("ratings"))]}]", gateway: "edge"),
      ], isAwaited: false)
    let (a, b) = (pair.reviews, pair.ratings)
    let edge = try mesh.gateway("edge")
    defer {
      edge.stop()
      pair.stop()
    }
    func curl(_ url: String, _ arguments: String...) throws -> ToolResult {
      try Tool.run(
        "curl", ["-s", "--max-time", "30", "-x", "http://127.0.0.1:\(a.outbound)"] + arguments + [url])
    }
    // Learned on demand: the tunnel waits for the service as a request does.
    try eventually("the tunnel") { try curl("http://ratings/echo", "-p").output.contains("GET /echo") }
    // What went through the tunnel reached the sidecar of ratings by mutual TLS, and its app from there.
    let echo = try curl("http://ratings.default.svc.cluster.local:80/echo", "-p").output
    #expect(echo.contains("x-forwarded-proto: https"), "\(echo)")
    // The whole URL as the target, as HTTP proxies are asked.
    #expect(try curl("http://ratings/echo").output.contains("x-forwarded-proto: https"))
    // Many requests in one tunnel, and both directions end well.
    let many = try curl("http://ratings/[1-20]", "-p", "-w", "%{http_code}/%{num_connects} ", "-o", "/dev/null")
    #expect(many.output.hasPrefix("200/1 200/0") && many.output.components(of: "200/") == 20, "\(many.output)")

    func answer(_ lines: String, port: Int) throws -> HTTPMessage {
      let client = try RawClient(port)
      try client.send(lines + "\r\n\r\n")
      return try client.response(to: "GET")
    }
    let ghost = try answer("CONNECT ghost:80 HTTP/1.1\r\nhost: ghost:80", port: a.outbound)
    #expect(ghost.status == 503 && ghost.text == "no service of the mesh has this name\n")
    #expect(try answer("CONNECT www.example.com:443 HTTP/1.1\r\nhost: x", port: a.outbound).status == 404)
    // What the target says counts, and not Host.
    #expect(try answer("CONNECT ghost:80 HTTP/1.1\r\nhost: ratings", port: a.outbound).status == 503)
    #expect(
      try answer("CONNECT ratings:80 HTTP/1.1\r\nhost: ratings\r\ncontent-length: 3", port: a.outbound).status == 400)
    // A gateway is no way to wherever a client likes.
    #expect(try answer("CONNECT ratings:80 HTTP/1.1\r\nhost: ratings", port: port.number).status == 405)
    // Over HTTP/2 it is refused in words.
    try mesh.folder.write("connect.py", Self.connectOverHTTP2)
    let refusal = try Tool.run("/usr/bin/python3", [mesh.folder.path("connect.py"), String(a.outbound)])
    #expect(
      refusal.output.contains("405") && refusal.output.contains("over HTTP/1.1"),
      "\(refusal.output)\(refusal.errorOutput)")
    // Everybody of the service has gone.
    b.process.stop()
    try eventually("nobody to be left") {
      try answer("CONNECT ratings:80 HTTP/1.1\r\nhost: ratings", port: a.outbound).status == 503
    }
    #expect(!a.process.log.contains("client went away"))
  }

  /// Prints the answer's payloads; a status that HPACK's static table lacks stands in them as text.
  private static let connectOverHTTP2 = """
    import socket, struct, sys
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
    def field(name, value): return b"\\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
    head = field(b":method", b"CONNECT") + field(b":authority", b"ratings:80")
    client.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, head))
    data = b""
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            piece = client.recv(65536)
            if not piece: sys.exit("closed")
            data += piece
        length = int.from_bytes(data[:3], "big")
        kind, flags, payload, data = data[3], data[4], data[9:9 + length], data[9 + length:]
        if kind in (0, 1): print(payload)
        if kind in (3, 7) or kind in (0, 1) and flags & 1: break
    """

  @Test("TLS of the app's own goes by its server name, inside the mesh's")
  func serverName() throws {
    let mesh = try MeshScene()
    let plain = try Backend("plain")
    let port = try ReservedPort()
    let folder = mesh.folder
    defer { plain.stop() }
    let made = try Tool.run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=vault", "-addext", "subjectAltName=DNS:vault", "-keyout", folder.path("vault.key"), "-out",
        folder.path("vault.crt"),
      ])
    #expect(made.code == 0, "\(made.errorOutput)")
    let vault = try ChildProcess(
      "openssl",
      [
        "s_server", "-accept", "127.0.0.1:\(port.number)", "-cert", folder.path("vault.crt"), "-key",
        folder.path("vault.key"), "-www", "-quiet",
      ], in: folder, name: "vault")
    defer { vault.signal(SIGKILL) }
    try mesh.apply(MeshScene.service("client"), MeshScene.service("vault"))
    let a = try mesh.sidecar("client", app: plain.port)
    let b = try mesh.sidecar("vault", app: port.number, "--app-protocol", "tcp")
    defer { for process in [a.process, b.process] { process.stop() } }
    func curl(_ host: String) throws -> ToolResult {
      try Tool.run(
        "curl",
        [
          "-s", "--max-time", "30", "--cacert", folder.path("vault.crt"), "--connect-to",
          "\(host):443:127.0.0.1:\(a.outbound)", "https://\(host)/",
        ])
    }
    // curl verifies the app's own certificate: nobody in between has ended its TLS.
    try eventually("the service by its server name") { try curl("vault").output.contains("s_server") }
    // No name, no service; and a name of nobody.
    #expect(try Tool.run("curl", ["-sk", "--max-time", "30", "https://127.0.0.1:\(a.outbound)/"]).code != 0)
    #expect(try curl("ghost").code != 0)
    // The same port goes on to take requests.
    #expect(try a.get("ghost").text == "no service of the mesh has this name\n")
  }

  /// Network namespaces and netfilter need rights that not every machine gives.
  private static let mayRedirect: Bool =
    (try? Tool.run(
      "unshare",
      [
        "-n", "sh", "-c",
        "nft add table ip probe && nft add chain ip probe c '{ type nat hook output priority -100; }'",
      ]
    ))?.code == 0

  @Test("connections that are redirected go to where they were meant to go", .enabled(if: mayRedirect))
  func redirected() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "config.yaml",
      """
      {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: out, annotations: {weft.dev/mesh: outbound, \
      weft.dev/redirected: "true"}}, spec: {gatewayClassName: weft, addresses: [{type: IPAddress, value: 127.0.0.1}], \
      listeners: [{name: http, protocol: HTTP, port: 15001}]}}
      ---
      {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: out6, annotations: {weft.dev/mesh: outbound, \
      weft.dev/redirected: "true"}}, spec: {gatewayClassName: weft, addresses: [{type: IPAddress, value: "::1"}], \
      listeners: [{name: http, protocol: HTTP, port: 15001}]}}
      ---
      {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, \
      "fd00:10:96::a"], ports: [{name: http, port: 80, \
      targetPort: 9001}, {name: raw, port: 3306, targetPort: 9002}]}}
      ---
      {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web, labels: {kubernetes.io/service-name: \
      web}}, addressType: IPv4, ports: [{name: http, port: 9001}, {name: raw, port: 9002}], endpoints: [{addresses: \
      ["127.0.0.1"]}]}
      """)
    try folder.write(
      "raw.py",
      """
      import socket
      server = socket.create_server(("127.0.0.1", 9002))
      while True:
          connection, _ = server.accept()
          connection.sendall(b"raw:" + connection.recv(100))
          connection.close()
      """)
    try folder.write(
      "ask.py",
      """
      import socket, sys
      try:
          client = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
          client.sendall(b"\\x03binary")
          print(client.recv(100))
      except OSError as error:
          print("refused", error)
      """)
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    try folder.write(
      "run.sh",
      """
      set -eu
      trap 'kill $(jobs -p)' EXIT
      cd \(folder.path("."))
      ip link set lo up
      ip route add 10.96.0.0/12 dev lo src 127.0.0.1
      ip -6 route add fd00:10:96::/108 dev lo src ::1
      \(WeftBinary.path) redirect --to 10.96.0.0/12 --to fd00:10:96::/108 | nft -f -
      \(WeftBinary.path) redirect --to 10.96.0.0/12 --to fd00:10:96::/108 | nft -f -
      python3 \(root)/examples/backend.py 9001 web &
      python3 raw.py &
      \(WeftBinary.path) run -f config.yaml --admin 127.0.0.1:15000 >weft.log 2>&1 &
      for i in $(seq 300); do curl -sf http://127.0.0.1:15000/readyz >/dev/null && curl -sf http://127.0.0.1:9001/ \
      >/dev/null && break; sleep 0.1; done
      echo "by address: $(curl -s --max-time 20 http://10.96.0.10/a | head -1)"
      echo "by host: $(curl -s --max-time 20 --connect-to web.default:80:10.96.0.10:80 http://web.default/b | head -1)"
      echo "raw: $(python3 ask.py 10.96.0.10 3306)"
      echo "nobody: $(python3 ask.py 10.96.0.99 3306)"
      echo "6 by address: $(curl -s --max-time 20 'http://[fd00:10:96::a]/d' | head -1)"
      echo "6 by host: $(curl -s --max-time 20 --connect-to 'web.default:80:[fd00:10:96::a]:80' http://web.default/e | head -1)"
      echo "6 raw: $(python3 ask.py fd00:10:96::a 3306)"
      echo "6 nobody: $(python3 ask.py fd00:10:96::99 3306)"
      echo "not redirected: $(curl -s --max-time 20 http://127.0.0.1:9001/c | head -1)"
      nft delete table ip weft; nft delete table ip6 weft
      echo "undone: $(curl -s --max-time 5 http://10.96.0.10/ || echo no answer)"
      """)
    let result = try Tool.run("unshare", ["-n", "bash", folder.path("run.sh")], within: 300)
    let log = readFile(folder.path("weft.log")) ?? ""
    #expect(result.code == 0, "\(result.errorOutput)\n\(log)")
    for line in [
      "by address: web got GET /a", "by host: web got GET /b", "raw: b'raw:\\x03binary'", "nobody: ",
      "not redirected: web got GET /c", "undone: no answer", "6 by address: web got GET /d",
      "6 by host: web got GET /e", "6 raw: b'raw:\\x03binary'", "6 nobody: ",
    ] {
      #expect(result.output.contains(line), "\(line): \(result.output)\n\(result.errorOutput)\n\(log)")
    }
    // "6 nobody" as well.
    #expect(!result.output.contains("nobody: b'raw"))
  }

  @Test("weft redirect prints rules and takes nothing that would break out of them")
  func rules() throws {
    let rules = try WeftBinary.run(
      "redirect", "--to", "10.96.0.0/12", "--port", "80", "--proxy-user", "weft", "--app-user", "shop")
    #expect(rules.code == 0)
    for line in [
      "ip daddr != { 10.96.0.0/12 } return", "meta skuid weft return", "meta skuid != shop return",
      "tcp dport { 80 } redirect to :15001",
    ] {
      #expect(rules.output.contains(line), "\(line)")
    }
    let both = try WeftBinary.run("redirect", "--to", "10.96.0.0/12", "--to", "fd00:10:96::/108").output
    for line in [
      "ip daddr != { 10.96.0.0/12 } return", "table ip6 weft {", "ip6 daddr != { fd00:10:96::/108 } return",
      "--redirected --outbound 127.0.0.1:15001 --outbound [::1]:15001", "nft delete table ip6 weft",
    ] {
      #expect(both.contains(line), "\(line)")
    }
    for wrong in [
      ["--to", "10.0.0.0"], ["--to", "10.0.0.0/8 } drop"], ["--to", "10.0.0.0/8", "--app-user", "a;b"], [],
      ["--to", "fd00::/129"], ["--to", "fd00::%lo/64"],
      ["--to", "10.0.0.0/64"],
    ] {
      #expect(try Tool.run(WeftBinary.path, ["redirect"] + wrong).code == 2, "\(wrong)")
    }
  }
}

extension String {
  fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
