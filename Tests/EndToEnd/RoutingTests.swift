import Testing

@Suite("Routing", .endToEnd)
struct RoutingTests {
  /// A proxy with the backends a, b and c, and routes of its own.
  private struct Place {
    let scene: Scene
    let backends: [Backend]

    init(_ documents: [String]) throws {
      backends = try ["a", "b", "c"].map { try Backend($0) }
      let services = backends.map { Resources.service($0.name, [$0.endpoint]) }
      scene = try Scene(rules: "[{matches: [{path: {type: Exact, value: /unused}}]}]", more: services + documents)
    }

    func stop() {
      scene.stop()
      for backend in backends { backend.stop() }
    }
  }

  private static func ref(_ name: String) -> String { "backendRefs: [\(Resources.backendRef(name))]" }

  /// A request, and the backend that must get it, or the status that it is answered with.
  private struct Expectation {
    let request: String
    let result: String

    init(_ method: String, _ url: String, _ result: String, _ fields: String...) {
      let slash = url.firstIndex(of: "/") ?? url.endIndex
      request =
        "\(method) \(url[slash...]) HTTP/1.1\r\nHost: \(url[..<slash])\r\n" + fields.map { $0 + "\r\n" }.joined()
        + "\r\n"
      self.result = result
    }
  }

  private func check(_ place: Place, _ expectations: [Expectation]) throws {
    let client = try place.scene.client()
    for expectation in expectations {
      let response = try client.exchange(expectation.request)
      #expect((response["x-backend"] ?? String(response.status)) == expectation.result, "\(expectation.request)")
    }
  }

  // MARK: Hosts

  @Test("hosts: exact before wildcards, longer wildcards before shorter, whatever case and port")
  func hosts() throws {
    let place = try Place(
      [
        Resources.route("exact", "hostnames: [shop.example.com], rules: [{\(Self.ref("a"))}]"),
        Resources.route("deep", "hostnames: [\"*.shop.example.com\"], rules: [{\(Self.ref("b"))}]"),
        Resources.route("wide", "hostnames: [\"*.example.com\"], rules: [{\(Self.ref("c"))}]"),
      ])
    defer { place.stop() }
    try check(
      place,
      [
        Expectation("GET", "shop.example.com/", "a"), Expectation("GET", "SHOP.Example.COM:8080/", "a"),
        Expectation("GET", "x.shop.example.com/", "b"), Expectation("GET", "x.y.shop.example.com/", "b"),
        Expectation("GET", "other.example.com/", "c"), Expectation("GET", "a.b.example.com/", "c"),
        Expectation("GET", "example.com/", "404"), Expectation("GET", "example.org/", "404"),
        Expectation("GET", "shop.example.com.evil.example/", "404"),
      ])
  }

  @Test("listeners on one port are told apart by host")
  func listeners() throws {
    let port = try ReservedPort()
    let backends = try ["a", "b"].map { try Backend($0) }
    let weft = try WeftProcess([
      "weft.yaml": """
      apiVersion: gateway.networking.k8s.io/v1
      kind: Gateway
      metadata: {name: gateway}
      spec:
        gatewayClassName: weft
        addresses: [{value: 127.0.0.1}]
        listeners:
        - {name: one, protocol: HTTP, port: \(port.number), hostname: one.example}
        - {name: any, protocol: HTTP, port: \(port.number)}
      ---
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: one}
      spec:
        parentRefs: [{name: gateway, sectionName: one}]
        rules: [{backendRefs: [{group: weft.dev, name: a}]}]
      ---
      apiVersion: gateway.networking.k8s.io/v1
      kind: HTTPRoute
      metadata: {name: any}
      spec:
        parentRefs: [{name: gateway, sectionName: any}]
        rules: [{matches: [{path: {value: /any}}], backendRefs: [{group: weft.dev, name: b}]}]
      ---
      \(Resources.service("a", [backends[0].endpoint]))
      ---
      \(Resources.service("b", [backends[1].endpoint]))
      """
    ])
    defer { weft.stop() }
    let client = try RawClient(port.number)
    #expect(try client.exchange("GET /any HTTP/1.1\r\nHost: one.example\r\n\r\n")["x-backend"] == "a")
    #expect(try client.exchange("GET /any HTTP/1.1\r\nHost: two.example\r\n\r\n")["x-backend"] == "b")
    #expect(try client.exchange("GET / HTTP/1.1\r\nHost: two.example\r\n\r\n").status == 404)
    for backend in backends { backend.stop() }
  }

  // MARK: Matches

  @Test("paths: exact before regular expressions before prefixes, longer prefixes before shorter")
  func paths() throws {
    let place = try Place(
      [
        Resources.route(
          "paths",
          """
          rules: [{matches: [{path: {type: PathPrefix, value: /}}], \(Self.ref("c"))}, \
          {matches: [{path: {type: PathPrefix, value: /api}}], \(Self.ref("a"))}, \
          {matches: [{path: {type: PathPrefix, value: /api/v2/}}], \(Self.ref("b"))}, \
          {matches: [{path: {type: Exact, value: /api/exact}}], \(Self.ref("b"))}, \
          {matches: [{path: {type: RegularExpression, value: "/regex/[0-9]+"}}], \(Self.ref("a"))}]
          """)
      ])
    defer { place.stop() }
    try check(
      place,
      [
        Expectation("GET", "h/", "c"), Expectation("GET", "h/apis", "c"), Expectation("GET", "h/api", "a"),
        Expectation("GET", "h/api/", "a"), Expectation("GET", "h/api?x=1", "a"), Expectation("GET", "h/api/v2", "b"),
        Expectation("GET", "h/api/v2/x", "b"), Expectation("GET", "h/api/v22", "a"),
        Expectation("GET", "h/api/exact", "b"), Expectation("GET", "h/api/exact/", "a"),
        Expectation("GET", "h/regex/123", "a"), Expectation("GET", "h/regex/12a", "c"),
        Expectation("GET", "h/x/../api/v2/./y", "b"), Expectation("GET", "h/%61pi", "a"),
        Expectation("GET", "h/API", "c"),
      ])
  }

  @Test("headers, query and method narrow a match; more of them come first")
  func conditions() throws {
    let place = try Place(
      [
        Resources.route(
          "conditions",
          """
          rules: [{matches: [{headers: [{name: X-Env, value: canary}]}], \(Self.ref("a"))}, \
          {matches: [{headers: [{name: x-env, value: canary}, {name: x-user, type: RegularExpression, value: "t[0-9]+"}]}], \
          \(Self.ref("b"))}, \
          {matches: [{queryParams: [{name: v, value: "2"}]}], \(Self.ref("b"))}, \
          {matches: [{queryParams: [{name: w, type: RegularExpression, value: "a|b"}]}], \(Self.ref("c"))}, \
          {matches: [{method: DELETE}], \(Self.ref("c"))}, \
          {matches: [{path: {value: /x}, method: POST}, {path: {value: /y}}], \(Self.ref("a"))}]
          """)
      ])
    defer { place.stop() }
    try check(
      place,
      [
        Expectation("GET", "h/", "a", "x-env: canary"), Expectation("GET", "h/", "a", "X-ENV: canary"),
        Expectation("GET", "h/", "404", "x-env: Canary"), Expectation("GET", "h/", "404", "x-env: canary2"),
        Expectation("GET", "h/", "b", "x-env: canary", "x-user: t12"),
        Expectation("GET", "h/", "a", "x-env: canary", "x-user: t12x"),
        Expectation("GET", "h/?v=2", "b"), Expectation("GET", "h/?a=1&v=2&b", "b"),
        Expectation("GET", "h/?v=22", "404"), Expectation("GET", "h/?V=2", "404"),
        Expectation("GET", "h/?w=b", "c"), Expectation("GET", "h/?w=ab", "404"),
        Expectation("DELETE", "h/", "c"), Expectation("GET", "h/", "404"),
        Expectation("POST", "h/x", "a"), Expectation("GET", "h/x", "404"), Expectation("GET", "h/y/z", "a"),
      ])
  }

  // MARK: Backends

  @Test("weights of backendRefs are kept on average; zero takes nothing")
  func weights() throws {
    let place = try Place(
      [
        Resources.route(
          "weights",
          "rules: [{backendRefs: [\(Resources.backendRef("a", weight: 1)), \(Resources.backendRef("b", weight: 3)), "
            + "\(Resources.backendRef("c", weight: 0))]}]")
      ])
    defer { place.stop() }
    let client = try place.scene.client()
    for _ in 0..<800 { #expect(try client.get("/").status == 200) }
    let counts = place.backends.map(\.requests.count)
    // Expected 200 and 600; the standard deviation is 12.
    #expect((130...270).contains(counts[0]), "\(counts)")
    #expect(counts[2] == 0)
  }

  @Test("a backendRef that does not resolve answers 500 for its share")
  func unresolved() throws {
    let place = try Place(
      [
        Resources.route(
          "share",
          "hostnames: [share.example], rules: [{backendRefs: [\(Resources.backendRef("a", weight: 1)), "
            + "\(Resources.backendRef("nobody", weight: 1))]}]"),
        Resources.route("all", "hostnames: [all.example], rules: [{backendRefs: [\(Resources.backendRef("nobody"))]}]"),
        Resources.route(
          "zero", "hostnames: [zero.example], rules: [{backendRefs: [\(Resources.backendRef("a", weight: 0))]}]"),
        Resources.route("none", "hostnames: [none.example], rules: [{matches: [{path: {value: /}}]}]"),
      ])
    defer { place.stop() }
    let client = try place.scene.client()
    var counts: [Int: Int] = [:]
    for _ in 0..<400 {
      counts[try client.exchange("GET / HTTP/1.1\r\nHost: share.example\r\n\r\n").status, default: 0] += 1
    }
    #expect(Set(counts.keys) == [200, 500])
    // Expected 200; the standard deviation is 10.
    #expect((140...260).contains(counts[500] ?? 0), "\(counts)")
    for host in ["all.example", "zero.example", "none.example"] {
      #expect(try client.exchange("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").status == 500, "\(host)")
    }
    let line = try place.scene.accessLog(401)[400]
    #expect(line.details == "backend_not_found")
    #expect(line.flags == "NC")
  }

  @Test("no route: 404, with the route that there is none in the log")
  func noRoute() throws {
    let scene = try Scene(route: "hostnames: [only.example]")
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<2 {
      let response = try client.get("/")
      #expect(response.status == 404)
      #expect(response["connection"] == nil)
    }
    let line = try scene.accessLog(1)[0]
    #expect(line.details == "route_not_found")
    #expect(line.flags == "NR")
  }

  @Test("a route that is attached to nothing takes nothing")
  func unattached() throws {
    let scene = try Scene(more: [
      Resources.route(
        "elsewhere", "rules: [{matches: [{path: {type: Exact, value: /there}}]}]", gateway: "no-such-gateway")
    ])
    defer { scene.stop() }
    #expect(try scene.get("/there").status == 200)
  }

  // MARK: The Gateway API's filters

  @Test("header modifiers of rules and of single backends")
  func headerModifiers() throws {
    let place = try Place(
      [
        Resources.route(
          "headers",
          """
          rules: [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: \
          {set: [{name: x-set, value: new}], add: [{name: x-add, value: more}], remove: [x-gone]}}, \
          {type: ResponseHeaderModifier, responseHeaderModifier: \
          {set: [{name: x-backend, value: hidden}], add: [{name: x-served, value: "yes"}], remove: [content-type]}}], \
          backendRefs: [{group: weft.dev, name: a, filters: [{type: RequestHeaderModifier, requestHeaderModifier: \
          {set: [{name: x-backend-filter, value: "1"}]}}]}]}]
          """)
      ])
    defer { place.stop() }
    let response = try place.scene.get("/", "x-set: old", "x-add: some", "X-Gone: 1", "x-kept: 1")
    #expect(response["x-backend"] == "hidden")
    #expect(response["x-served"] == "yes")
    let request = try #require(place.backends[0].requests.first)
    #expect(request["x-set"] == "new")
    #expect(request.values("x-add").joined(separator: ",") == "some,more")
    #expect(request["x-gone"] == nil)
    #expect(request["x-kept"] == "1")
    #expect(request["x-backend-filter"] == "1")
  }

  @Test("filters of one backend do not touch what goes to another")
  func perBackend() throws {
    let place = try Place(
      [
        Resources.route(
          "tagged",
          """
          rules: [{backendRefs: [{group: weft.dev, name: a, filters: [{type: RequestHeaderModifier, \
          requestHeaderModifier: {set: [{name: x-tag, value: a}]}}, {type: ResponseHeaderModifier, \
          responseHeaderModifier: {set: [{name: x-tag, value: a}]}}]}, \(Resources.backendRef("b"))]}]
          """)
      ])
    defer { place.stop() }
    let client = try place.scene.client()
    for _ in 0..<50 {
      let response = try client.get("/")
      #expect(response["x-tag"] == (response["x-backend"] == "a" ? "a" : nil))
    }
    #expect(place.backends[0].requests.allSatisfy { $0["x-tag"] == "a" })
    #expect(place.backends[1].requests.allSatisfy { $0["x-tag"] == nil })
    #expect(!place.backends[0].requests.isEmpty && !place.backends[1].requests.isEmpty)
  }

  @Test("redirects, with every field")
  func redirects() throws {
    let cases: [(fields: String, request: String, status: Int, location: String)] = [
      ("hostname: new.example", "/p?q=1", 302, "http://new.example:PORT/p?q=1"),
      ("scheme: https", "/p", 302, "https://old.example/p"),
      ("scheme: https, port: 8443, statusCode: 301", "/p", 301, "https://old.example:8443/p"),
      ("port: 80", "/p", 302, "http://old.example/p"),
      ("path: {type: ReplaceFullPath, replaceFullPath: /whole}", "/p/x?q", 302, "http://old.example:PORT/whole?q"),
      (
        "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}", "/p/x?q", 302, "http://old.example:PORT/new/x?q"
      ),
      ("path: {type: ReplacePrefixMatch, replacePrefixMatch: /}", "/p/x", 302, "http://old.example:PORT/x"),
      ("hostname: new.example, statusCode: 308", "/p", 308, "http://new.example:PORT/p"),
    ]
    for (fields, target, status, location) in cases {
      let scene = try Scene(
        rules: "[{matches: [{path: {type: PathPrefix, value: /p}}], "
          + "filters: [{type: RequestRedirect, requestRedirect: {\(fields)}}]}]")
      defer { scene.stop() }
      let response = try scene.client().exchange("GET \(target) HTTP/1.1\r\nHost: old.example:\(scene.port)\r\n\r\n")
      #expect(response.status == status, "\(fields)")
      #expect(response["location"] == location.replacing("PORT", with: String(scene.port)), "\(fields)")
      #expect(scene.backend.connections.isEmpty)
    }
  }

  @Test("rewrites of host, path and prefix")
  func rewrites() throws {
    let cases: [(fields: String, target: String, path: String, host: String)] = [
      ("hostname: inner.example", "/p/x?q", "/p/x?q", "inner.example"),
      ("path: {type: ReplaceFullPath, replaceFullPath: /whole}", "/p/x?q=1", "/whole?q=1", "outer.example"),
      ("path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2}", "/p/x?q=1", "/v2/x?q=1", "outer.example"),
      ("path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2/}", "/p", "/v2", "outer.example"),
      ("path: {type: ReplacePrefixMatch, replacePrefixMatch: /}", "/p/x", "/x", "outer.example"),
      ("path: {type: ReplacePrefixMatch, replacePrefixMatch: /}", "/p", "/", "outer.example"),
    ]
    for (fields, target, path, host) in cases {
      let scene = try Scene(
        rules: """
          [{matches: [{path: {type: PathPrefix, value: /p}}], filters: [{type: URLRewrite, urlRewrite: {\(fields)}}], \
          backendRefs: [\(Resources.backendRef("backend"))]}]
          """)
      defer { scene.stop() }
      #expect(try scene.client().exchange("GET \(target) HTTP/1.1\r\nHost: outer.example\r\n\r\n").status == 200)
      let request = try #require(scene.backend.requests.first)
      #expect(request.target == path || request.target == path + "/", "\(fields) \(target)")
      #expect(request["host"] == host, "\(fields)")
      #expect(request["x-forwarded-host"] == "outer.example", "\(fields)")
      #expect(try scene.accessLog(1)[0]["path"].string == target, "the log has what the client sent")
    }
  }

  @Test("mirrors get copies, bodies too, and nobody waits for them")
  func mirrors() throws {
    let place = try Place(
      [
        Resources.route(
          "mirrored",
          """
          rules: [{filters: [\
          {type: RequestMirror, requestMirror: {backendRef: \(Resources.backendRef("b"))}}, \
          {type: RequestMirror, requestMirror: {backendRef: \(Resources.backendRef("c")), percent: 0}}, \
          {type: RequestMirror, requestMirror: {backendRef: \(Resources.backendRef("nobody"))}}], \
          \(Self.ref("a"))}]
          """)
      ])
    defer { place.stop() }
    let client = try place.scene.client()
    #expect(try client.get("/hello?x=1", "x-mine: 1")["x-backend"] == "a")
    #expect(try client.exchange(HTTPText.post("/body", body: "with a body")).text == "with a body")
    #expect(
      try client.exchange(
        "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nin ch\r\n4\r\nunks\r\n0\r\n\r\n"
      ).text == "in chunks")
    // The mirror does not answer, and is not waited for.
    #expect(try client.get("/hang-mirror")["x-backend"] == "a")
    try eventually("the copies") { place.backends[1].requests.count == 4 }
    let copies = place.backends[1].requests
    #expect(copies[0].target == "/hello?x=1" || copies.contains { $0.target == "/hello?x=1" && $0["x-mine"] == "1" })
    try eventually("the bodies") {
      Set(place.backends[1].requests.map(\.text)).isSuperset(of: ["with a body", "in chunks"])
    }
    #expect(place.backends[2].requests.isEmpty)
  }

  @Test("a share of the requests is mirrored, by percentage or fraction")
  func mirrorShares() throws {
    for share in ["percent: 25", "fraction: {numerator: 1, denominator: 4}"] {
      let place = try Place(
        [
          Resources.route(
            "mirrored",
            """
            rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: \(Resources.backendRef("b")), \
            \(share)}}], \(Self.ref("a"))}]
            """)
        ])
      defer { place.stop() }
      let client = try place.scene.client()
      for _ in 0..<400 { _ = try client.get("/") }
      // Expected 100; the standard deviation is 8.7.
      try eventually("the copies") { place.backends[1].requests.count >= 55 }
      pause(milliseconds: 200)
      #expect((55...145).contains(place.backends[1].requests.count), "\(share)")
    }
  }

  @Test("a mirror that is dead or slow does no harm")
  func mirrorFailures() throws {
    let dead = try ReservedPort()
    let scene = try Scene(
      rules: """
        [{filters: [{type: RequestMirror, requestMirror: {backendRef: \(Resources.backendRef("dead"))}}], \
        backendRefs: [\(Resources.backendRef("backend"))]}]
        """, more: [Resources.service("dead", [.port(dead.number)])])
    defer { scene.stop() }
    let client = try scene.client()
    for i in 0..<50 {
      #expect(try client.exchange(HTTPText.post("/body", body: "body \(i)")).text == "body \(i)")
    }
  }

  @Test("CORS: preflights are answered, other requests go on")
  func cors() throws {
    let scene = try Scene(
      rules: """
        [{filters: [{type: CORS, cors: {allowOrigins: ["https://app.example", "https://*.dev.example"], \
        allowMethods: [GET, PUT], allowHeaders: [x-token], exposeHeaders: [x-backend], allowCredentials: true, \
        maxAge: 600}}], backendRefs: [\(Resources.backendRef("backend"))]}]
        """)
    defer { scene.stop() }
    let client = try scene.client()
    func preflight(_ origin: String) throws -> HTTPMessage {
      try client.exchange(
        "OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: \(origin)\r\nAccess-Control-Request-Method: PUT\r\n"
          + "Access-Control-Request-Headers: x-token\r\n\r\n")
    }
    let allowed = try preflight("https://app.example")
    #expect(allowed.status == 204 || allowed.status == 200)
    #expect(allowed["access-control-allow-origin"] == "https://app.example")
    #expect(allowed["access-control-allow-credentials"] == "true")
    #expect(allowed["access-control-max-age"] == "600")
    #expect(allowed["access-control-allow-methods"]?.contains("PUT") ?? false)
    #expect(allowed["access-control-allow-headers"]?.lowercased().contains("x-token") ?? false)
    #expect(try preflight("https://a.dev.example")["access-control-allow-origin"] == "https://a.dev.example")
    #expect(try preflight("https://evil.example")["access-control-allow-origin"] == nil)
    #expect(scene.backend.requests.isEmpty)
    let simple = try client.get("/x", "origin: https://app.example")
    #expect(simple["x-backend"] == "backend")
    #expect(simple["access-control-allow-origin"] == "https://app.example")
    #expect(simple["access-control-expose-headers"]?.contains("x-backend") ?? false)
    #expect(try client.get("/x", "origin: https://evil.example")["access-control-allow-origin"] == nil)
  }
}
