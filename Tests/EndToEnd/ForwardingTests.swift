import Testing

@Suite("What is told to the backend about the client", .endToEnd)
struct ForwardingTests {
  // MARK: Hop by hop

  @Test("fields of one connection end with it")
  func hopByHop() throws {
    let scene = try Scene()
    defer { scene.stop() }
    _ = try scene.get(
      "/", "connection: keep-alive, X-Mine, x-absent", "keep-alive: timeout=5", "proxy-connection: keep-alive",
      "te: trailers, gzip", "x-mine: 1", "x-other: 2", "X-MINE: 3", "proxy-authorization: Basic eDp5", "cookie: a=b")
    let request = try #require(scene.backend.requests.first)
    for name in ["connection", "keep-alive", "proxy-connection", "x-mine", "upgrade", "transfer-encoding"] {
      #expect(request[name] == nil, "\(name)")
    }
    // RFC 9110 section 10.1.4: only `trailers` may go on, for trailers are passed on.
    #expect(request["te"] == nil || request["te"] == "trailers")
    #expect(request["x-other"] == "2")
    #expect(request["cookie"] == "a=b")
  }

  @Test("Connection cannot take away what others rely on")
  func protectedFields() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let response = try scene.client().exchange(
      "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Real-IP: 1.2.3.4\r\nAuthorization: Basic eDp5\r\n"
        + "Connection: host, content-length, x-forwarded-for, x-forwarded-proto, authorization, x-real-ip\r\n\r\nabc")
    #expect(response.text == "abc")
    let request = try #require(scene.backend.requests.first)
    #expect(request["host"] == "a")
    #expect(request["x-forwarded-for"] == "127.0.0.1")
    #expect(request["x-forwarded-proto"] == "http")
    #expect(request["authorization"] == "Basic eDp5")
    #expect(request["x-real-ip"] == "1.2.3.4")
  }

  @Test("fields of the backend's connection do not reach the client")
  func responses() throws {
    let backend = try Backend { connection, request in
      try connection.respond(
        200,
        [
          "connection: keep-alive, x-inner", "keep-alive: timeout=5", "x-inner: 1", "proxy-connection: x",
          "upgrade: h2c",
          "x-outer: 2", "set-cookie: a=1", "set-cookie: b=2", "server: inner/1", "date: Thu, 01 Jan 1970 00:00:00 GMT",
        ], to: request)
    }
    let scene = try Scene(backends: [backend])
    defer { scene.stop() }
    let response = try scene.get("/")
    for name in ["connection", "keep-alive", "x-inner", "proxy-connection", "upgrade"] {
      #expect(response[name] == nil, "\(name)")
    }
    #expect(response["x-outer"] == "2")
    #expect(response.values("set-cookie") == ["a=1", "b=2"])
    #expect(response["server"] == "inner/1", "the backend's own name stays")
    #expect(response["date"] == "Thu, 01 Jan 1970 00:00:00 GMT")
  }

  // MARK: X-Forwarded

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    /// The Proxy resource's `forwarding`.
    let settings: String
    let sent: [String]
    /// What the backend sees; nil: no such field.
    let received: [String: String?]
    /// The access log's client.
    var client = "127.0.0.1"
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "by default, the client's address is added and what it says is not believed", settings: "",
      sent: ["x-forwarded-for: 10.1.1.1", "x-forwarded-proto: https", "x-forwarded-host: evil.example"],
      received: [
        "x-forwarded-for": "10.1.1.1, 127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "test.example",
        "via": nil, "forwarded": nil,
      ]),
    Case(
      name: "several X-Forwarded-For fields become one", settings: "",
      sent: ["x-forwarded-for: 10.1.1.1", "x-forwarded-for: 10.1.1.2, 10.1.1.3"],
      received: ["x-forwarded-for": "10.1.1.1,10.1.1.2, 10.1.1.3, 127.0.0.1"]),
    Case(
      name: "replace", settings: "xForwardedFor: replace", sent: ["x-forwarded-for: 10.1.1.1"],
      received: ["x-forwarded-for": "127.0.0.1"]),
    Case(
      name: "off leaves X-Forwarded-For as it came", settings: "xForwardedFor: off",
      sent: ["x-forwarded-for: 10.1.1.1"], received: ["x-forwarded-for": "10.1.1.1"]),
    Case(
      name: "one trusted hop", settings: "trustedHops: 1",
      sent: [
        "x-forwarded-for: 10.1.1.1, 10.1.1.2", "x-forwarded-proto: https", "x-forwarded-host: shop.example",
      ],
      received: [
        "x-forwarded-for": "10.1.1.1, 10.1.1.2, 127.0.0.1", "x-forwarded-proto": "https",
        "x-forwarded-host": "shop.example",
      ], client: "10.1.1.2"),
    Case(
      name: "two trusted hops", settings: "trustedHops: 2", sent: ["x-forwarded-for: 10.1.1.1, 10.1.1.2"],
      received: ["x-forwarded-for": "10.1.1.1, 10.1.1.2, 127.0.0.1"], client: "10.1.1.1"),
    Case(
      name: "more trusted hops than there are", settings: "trustedHops: 5", sent: ["x-forwarded-for: 10.1.1.1"],
      received: ["x-forwarded-for": "10.1.1.1, 127.0.0.1"], client: "10.1.1.1"),
    Case(
      name: "a trusted proxy and, behind it, one of a trusted network",
      settings: "trustedProxies: [127.0.0.1, 10.0.0.0/8]",
      sent: ["x-forwarded-for: 198.51.100.7, 192.0.2.9, 10.1.1.1", "x-forwarded-proto: https"],
      received: [
        "x-forwarded-for": "198.51.100.7, 192.0.2.9, 10.1.1.1, 127.0.0.1", "x-forwarded-proto": "https",
      ], client: "192.0.2.9"),
    Case(
      name: "a peer that is not trusted", settings: "trustedProxies: [10.0.0.0/8]",
      sent: ["x-forwarded-for: 192.0.2.9", "x-forwarded-proto: https"],
      received: ["x-forwarded-for": "192.0.2.9, 127.0.0.1", "x-forwarded-proto": "http"]),
    Case(
      name: "an address that is none ends the walk", settings: "trustedHops: 2",
      sent: ["x-forwarded-for: 10.1.1.1, unknown"], received: ["x-forwarded-for": "10.1.1.1, unknown, 127.0.0.1"]),
    Case(
      name: "an IPv6 client behind a trusted proxy", settings: "trustedHops: 1",
      sent: ["x-forwarded-for: 2001:db8::7"], received: ["x-forwarded-for": "2001:db8::7, 127.0.0.1"],
      client: "[2001:db8::7]"),
    Case(
      name: "Forwarded, untrusted", settings: "forwarded: true", sent: ["forwarded: for=10.1.1.1"],
      received: ["forwarded": "for=127.0.0.1;host=\"test.example\";proto=http"]),
    Case(
      name: "Forwarded, trusted", settings: "forwarded: true, trustedHops: 1", sent: ["forwarded: for=10.1.1.1"],
      received: ["forwarded": "for=10.1.1.1, for=127.0.0.1;host=\"test.example\";proto=http"]),
    Case(
      name: "Forwarded that the proxy does not write is left alone", settings: "", sent: ["forwarded: for=10.1.1.1"],
      received: ["forwarded": "for=10.1.1.1"]),
    Case(name: "Via", settings: "via: weft-1", sent: [], received: ["via": "1.1 weft-1"]),
    Case(
      name: "Via behind another", settings: "via: weft-1", sent: ["via: 1.0 first"],
      received: ["via": "1.0 first, 1.1 weft-1"]),
    Case(
      name: "a client's request id is kept", settings: "", sent: ["x-request-id: mine"],
      received: ["x-request-id": "mine"]),
    Case(
      name: "request ids off", settings: "requestId: off", sent: [], received: ["x-request-id": nil]),
    Case(
      name: "request ids off leaves a client's", settings: "requestId: off", sent: ["x-request-id: mine"],
      received: ["x-request-id": "mine"]),
  ]

  @Test("X-Forwarded, Forwarded, Via and X-Request-Id are as configured", arguments: cases)
  func forwarding(entry: Case) throws {
    let scene = try Scene(proxy: entry.settings.isEmpty ? "" : "forwarding: {\(entry.settings)}")
    defer { scene.stop() }
    #expect(try scene.client().exchange(HTTPText.get("/echo", entry.sent)).status == 200)
    let request = try #require(scene.backend.requests.first)
    for (name, value) in entry.received { #expect(request[name] == value, "\(name)") }
    let line = try scene.accessLog(1)[0]
    let client = line["downstream_remote_address"].string ?? ""
    #expect(client.hasPrefix(entry.client))
  }

  @Test("a made request id is a UUID of its own for each request")
  func requestIDs() throws {
    for mode in ["keep", "generate"] {
      let scene = try Scene(proxy: "forwarding: {requestId: \(mode)}")
      defer { scene.stop() }
      let client = try scene.client()
      for _ in 0..<20 { _ = mode == "keep" ? try client.get("/") : try client.get("/", "x-request-id: mine") }
      let ids = scene.backend.requests.compactMap { $0["x-request-id"] }
      #expect(Set(ids).count == 20)
      for id in ids {
        #expect(
          id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil, "\(id)")
      }
      #expect(try scene.accessLog(20).map { $0["request_id"].string } == ids)
    }
  }

  @Test("responses that the proxy makes carry its name, or none")
  func serverName() throws {
    for (setting, expected) in [("", "weft"), ("serverHeader: edge", "edge"), ("serverHeader: \"\"", nil as String?)] {
      let scene = try Scene(proxy: "forwarding: {\(setting)}", rules: "[{matches: [{path: {value: /only}}]}]")
      defer { scene.stop() }
      let response = try scene.get("/nowhere")
      #expect(response.status == 404)
      #expect(response["server"] == expected)
      #expect(response["date"]?.hasSuffix(" GMT") ?? false)
      #expect(response["content-type"] == "text/plain; charset=utf-8")
    }
  }
}
