import Glibc
import TestCertificates
import Testing

@Suite("An HTTPS listener", .endToEnd)
struct TLSTests {
  @Test("serves curl with TLS 1.3 and 1.2, and no older version")
  func versions() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    for arguments in [["--tlsv1.3"], ["--tls-max", "1.2"]] {
      let result = try scene.curl("/echo", host: "a.test", arguments[0], arguments.count > 1 ? arguments[1] : "-4")
      #expect(result.code == 0, "\(result.errorOutput)")
      #expect(result.output.contains("GET /echo HTTP/1.1"))
      #expect(result.output.contains("x-forwarded-proto: https"))
    }
    for version in ["-tls1", "-tls1_1"] {
      #expect(try scene.handshake(version, "-cipher", "ALL:@SECLEVEL=0").code != 0)
    }
    #expect(try scene.weft.metric("weft_downstream_tls_handshakes_total", "version=\"TLSv1.3\"") == 1)
    #expect(try scene.weft.metric("weft_downstream_tls_handshakes_total", "version=\"TLSv1.2\"") == 1)
    #expect(try scene.weft.metric("weft_downstream_tls_failures_total", "reason=\"protocol_version\"") == 2)
  }

  @Test("speaks HTTP/2 with clients that offer it")
  func applicationProtocol() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    for (offer, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
      let result = try scene.curl("/echo", host: "a.test", offer, "-w", "\nversion %{http_version}")
      #expect(result.output.hasSuffix("version \(version)"), "\(result.errorOutput)")
      #expect(result.output.contains("x-forwarded-proto: https"))
    }
    #expect(try scene.handshake("-alpn", "spdy/3").code != 0)
  }

  @Test("takes no weak cipher")
  func ciphers() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    for cipher in [
      "AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES256-GCM-SHA384", "NULL", "DES-CBC3-SHA", "DHE-RSA-AES128-GCM-SHA256",
    ] {
      #expect(try scene.handshake("-tls1_2", "-cipher", "\(cipher):@SECLEVEL=0").code != 0, "\(cipher)")
    }
    let good = try scene.handshake("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")
    #expect(good.code == 0)
    #expect(good.output.contains("Verify return code: 0 (ok)"))
  }

  @Test("passes bodies of any size both ways, and keeps connections")
  func bodies() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    let result = try scene.python(
      """
      import http.client, ssl, sys
      context = ssl.create_default_context(cafile=sys.argv[2])
      context.check_hostname = False
      c = http.client.HTTPSConnection('127.0.0.1', int(sys.argv[1]), context=context)
      for n in (0, 1, 100, 16383, 16384, 16385, 32768, 70000, 1 << 20, 9000001):
          body = bytes(i % 251 for i in range(n))
          c.request('POST', '/body', body)
          r = c.getresponse()
          assert r.status == 200, r.status
          assert r.read() == body, n
          c.request('GET', '/big?n=%d' % n)
          assert c.getresponse().read() == body, n
          c.request('GET', '/chunk?n=%d' % (n % 100000))
          c.getresponse().read()
      print('fine')
      """, within: 120)
    #expect(result.output == "fine\n", "\(result.errorOutput)")
    #expect(try scene.weft.metric("weft_downstream_tls_handshakes_total") == 1)
  }

  @Test("offers certificates by server name, and refuses names that none is for")
  func serverNames() throws {
    let authority = try TestAuthority()
    func secret(_ name: String, _ dns: String) throws -> String {
      let issued = try authority.issue(name, names: ["DNS:\(dns)"])
      func indented(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { "    \($0)\n" }.joined()
      }
      return """
        apiVersion: v1
        kind: Secret
        metadata: {name: \(name)}
        type: kubernetes.io/tls
        stringData:
          tls.crt: |
        \(indented(issued.certificate))  tls.key: |
        \(indented(issued.key))
        """
    }
    let scene = try TLSScene(
      authority,
      listeners: { port in
        [("one", "one.test"), ("wild", "*.wild.test"), ("deep", "*.deep.wild.test")].map { name, host in
          "{name: \(name), hostname: \"\(host)\", protocol: HTTPS, port: \(port), tls: {certificateRefs: [{name: \(name)}]}}"
        }.joined(separator: ", ")
      },
      more: [
        try secret("one", "one.test"), try secret("wild", "*.wild.test"), try secret("deep", "*.deep.wild.test"),
      ])
    defer { scene.stop() }
    for host in ["one.test", "x.wild.test", "y.deep.wild.test"] {
      let result = try scene.curl("/echo", host: host)
      #expect(result.code == 0, "\(host): \(result.errorOutput)")
    }
    let refused = try scene.curl("/echo", host: "other.test")
    #expect(refused.code == 35, "\(refused.errorOutput)")
    #expect(refused.errorOutput.contains("unrecognized name"))
    // A request for another listener's host on this connection.
    let misdirected = try scene.curl(
      "/echo", host: "one.test", "-o", "/dev/null", "-w", "%{http_code}", "-H", "host: x.wild.test")
    #expect(misdirected.output == "421")
    let unknown = try scene.curl(
      "/echo", host: "one.test", "-o", "/dev/null", "-w", "%{http_code}", "-H", "host: nobody.test")
    #expect(unknown.output == "404")
    #expect(try scene.weft.metric("weft_downstream_tls_failures_total", "reason=\"unknown_server_name\"") == 1)
  }

  @Test("resumes sessions on whichever worker")
  func resumption() throws {
    let scene = try TLSScene(workers: 2)
    defer { scene.stop() }
    let result = try scene.python(
      """
      import socket, ssl, sys
      for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
          context = ssl.create_default_context(cafile=sys.argv[2])
          context.maximum_version = version
          session, reused = None, []
          for _ in range(12):
              with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as raw:
                  with context.wrap_socket(raw, server_hostname='a.test', session=session) as s:
                      s.sendall(b'GET /echo HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n')
                      while s.recv(65536): pass
                      reused.append(s.session_reused)
                      session = s.session
          print(reused.count(True))
      """)
    #expect(result.output == "11\n11\n", "\(result.errorOutput)")
    #expect(try scene.weft.metric("weft_downstream_tls_resumptions_total") == 22)
  }

  @Test("says to plain HTTP that it speaks TLS")
  func plain() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    let client = try RawClient(scene.port)
    let response = try client.exchange(HTTPText.get("/"))
    #expect(response.status == 400)
    #expect(response.text.contains("TLS"))
    #expect(try client.ends())
  }

  @Test("ends slow handshakes, garbage and truncation, and leaves nothing behind")
  func hostileClients() throws {
    let scene = try TLSScene(proxy: "timeouts: {tlsHandshake: 300ms}")
    defer { scene.stop() }
    let slow = try RawClient(scene.port)
    try slow.send([22, 3, 1, 0])
    #expect(try slow.ends())
    let silent = try RawClient(scene.port)
    #expect(try silent.ends())
    for bytes: [UInt8] in [[0], [22, 3, 1, 0xff, 0xff], Array(repeating: 22, count: 600), [21, 3, 3, 0, 2, 2, 40]] {
      let client = try RawClient(scene.port)
      try client.send(bytes)
      client.socket.shutdownWrite()
      _ = try client.untilEnd()
    }
    // Cut off in the middle of a record.
    let cut = try scene.python(
      """
      import socket, ssl, sys
      context = ssl.create_default_context(cafile=sys.argv[2])
      for end in range(5):
          raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
          incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
          tls = context.wrap_bio(incoming, outgoing, server_hostname='a.test')
          while True:
              try:
                  tls.do_handshake()
                  break
              except ssl.SSLWantReadError:
                  raw.sendall(outgoing.read())
                  incoming.write(raw.recv(65536))
          raw.sendall(outgoing.read())
          tls.write(b'GET /echo HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n')
          record = outgoing.read()
          if end == 4:
              record = record[:10] + bytes([record[10] ^ 1]) + record[11:]
          raw.sendall(record if end == 4 else record[:len(record) - 1 - end])
          if end % 2: raw.shutdown(socket.SHUT_WR)
          else: raw.settimeout(0.2)
          try:
              while raw.recv(65536): pass
          except OSError: pass
          raw.close()
      print('fine')
      """)
    #expect(cut.output == "fine\n", "\(cut.errorOutput)")
    #expect(try scene.curl("/echo").code == 0)
    try eventually("no connection to be left") {
      try scene.weft.metric("weft_downstream_connections_active") == 0
    }
    #expect(try scene.weft.metric("weft_downstream_tls_failures_total", "reason=\"timeout\"") == 2)
    #expect(scene.backend.requests.count == 1)
  }

  @Test("turns clients away when too many handshakes are under way")
  func handshakeLimit() throws {
    let scene = try TLSScene(proxy: "limits: {maxHandshakes: 2}")
    defer { scene.stop() }
    let waiting = try (0..<2).map { _ in try RawClient(scene.port) }
    try eventually("two connections") {
      try scene.weft.metric("weft_downstream_connections_active") == 2
    }
    #expect(try RawClient(scene.port).ends())
    #expect(try scene.weft.metric("weft_downstream_tls_failures_total", "reason=\"overload\"") == 1)
    for client in waiting { client.socket.shutdownWrite() }
    try eventually("room for a client") { try scene.curl("/echo").code == 0 }
  }

  @Test("a new certificate serves new connections at once and drops none")
  func rotation() throws {
    let scene = try TLSScene(workers: 2)
    defer { scene.stop() }
    try scene.weft.folder.write(
      "load.py",
      """
      import http.client, os, ssl, sys, threading
      context = ssl.create_default_context(cafile=sys.argv[2])
      context.check_hostname = False
      mistakes, count = [], 0
      def run(keeps):
          global count
          c = None
          while not os.path.exists(sys.argv[3]):
              try:
                  if c is None or not keeps: c = http.client.HTTPSConnection('127.0.0.1', int(sys.argv[1]), context=context)
                  c.request('GET', '/echo')
                  r = c.getresponse()
                  r.read()
                  if r.status != 200: mistakes.append(r.status)
                  count += 1
              except Exception as e:
                  mistakes.append(repr(e))
                  c = None
      threads = [threading.Thread(target=run, args=(i % 2 == 0,)) for i in range(6)]
      for t in threads: t.start()
      for t in threads: t.join()
      print(count > 50, mistakes[:5])
      """)
    let stop = scene.weft.folder.path("stop")
    let load = try ChildProcess(
      "/usr/bin/python3",
      [scene.weft.folder.path("load.py"), String(scene.port), scene.authority.certificatePath, stop],
      in: scene.weft.folder, name: "load")
    try eventually("requests") { try scene.weft.metric("weft_http_requests_total") > 100 }
    for _ in 0..<3 {
      let next = try scene.authority.issue("a.test", names: ["DNS:a.test"])
      // The key first: between the two writes they do not belong together, which is refused and changes nothing.
      try scene.weft.reloaded {
        try writeFile(scene.path("server.key"), String(decoding: next.key, as: UTF8.self))
        try writeFile(scene.path("server.crt"), String(decoding: next.certificate, as: UTF8.self))
      }
      let shown = try scene.handshake("-servername", "a.test").output
      #expect(shown.contains("-----BEGIN CERTIFICATE-----"))
      let line = String(decoding: next.certificate, as: UTF8.self).split(separator: "\n")[5]
      #expect(shown.contains(line), "the new certificate is shown")
    }
    try writeFile(stop, "")
    _ = try load.waitForEnd()
    #expect(load.output == "True []\n", "\(load.errorOutput)")
  }

  @Test("secrets are logged when asked for, and not without a warning")
  func keyLog() throws {
    let folder = try TemporaryFolder()
    let scene = try TLSScene(arguments: ["--tls-key-log", folder.path("keys")])
    defer { scene.stop() }
    #expect(try scene.curl("/echo").code == 0)
    let keys = try #require(readFile(folder.path("keys")))
    #expect(keys.contains("SERVER_TRAFFIC_SECRET_0 "))
    #expect(scene.weft.log.contains("the secrets of all TLS connections are written to"))
  }

  @Test("a broken certificate is refused with its place, and the last good one stays")
  func brokenCertificate() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    try writeFile(scene.path("server.crt"), "nonsense")
    try eventually("the refusal") { scene.weft.log.contains("there is no certificate in PEM form") }
    #expect(scene.weft.log.contains("weft.yaml:3: spec.listeners[0].tls.options"))
    #expect(try scene.curl("/echo").code == 0)
  }

  @Test("memory of idle connections stays small, and comes back")
  func idleConnections() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    let script = """
      import socket, ssl, sys
      context = ssl.create_default_context(cafile=sys.argv[2])
      all = []
      for i in range(300):
          s = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), server_hostname='a.test')
          s.sendall(b'GET /echo HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n')
          assert b'200 OK' in s.recv(65536)
          all.append(s)
      rss = [int(l.split()[1]) for l in open('/proc/%s/status' % sys.argv[3]) if l.startswith('RssAnon')][0]
      print(rss)
      """
    let before = scene.weft.process.memory
    let result = try scene.python(script, String(scene.weft.process.pid), within: 120)
    let during = try #require(Int(result.output.filter(\.isNumber)), "\(result.errorOutput)")
    // A sanitizer's own memory hides the program's.
    if !Sanitizer.isOn { #expect(during - before < 300 * 64, "kilobytes for 300 connections: \(during - before)") }
    try eventually("the connections to go") {
      try scene.weft.metric("weft_downstream_connections_active") == 0
    }
  }

  @Test("upgraded connections pass bytes, and each direction ends on its own")
  func upgrade() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    let result = try scene.python(
      """
      import socket, ssl, sys, threading
      context = ssl.create_default_context(cafile=sys.argv[2])
      s = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), server_hostname='a.test')
      s.sendall(b'GET /upgrade HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n')
      head = b''
      while b'hello\\n' not in head: head += s.recv(65536)
      assert b' 101 ' in head
      data = bytes(i % 251 for i in range(3000000))
      t = threading.Thread(target=lambda: s.sendall(data))
      t.start()
      back = b''
      while len(back) < len(data): back += s.recv(65536)
      t.join()
      assert back == data
      print('fine')
      """, within: 120)
    #expect(result.output == "fine\n", "\(result.errorOutput)")
  }
}
