import Testing

/// The bundles below `filters`, in the proxy, with real clients and services. What each does in detail, its own tests say.
@Suite("Shipped bundles", .endToEnd)
struct ShippedBundleTests {
  private static let filters =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/") + "/filters"

  private static var names: [String] {
    listFolder(filters).filter { readFile("\(filters)/\($0)/bundle.yaml") != nil }.sorted()
  }

  /// A proxy with these bundles as its filters, in that order.
  private static func scene(
    _ chain: [(bundle: String, config: String)], backends: [Backend] = [], more: [String] = [], workers: Int = 2
  ) throws -> Scene {
    let references = chain.map { Resources.reference($0.bundle) }.joined(separator: ", ")
    let resources = chain.map { entry in
      Resources.filter(entry.bundle, type: "lua", config: "bundle: \(filters)/\(entry.bundle), \(entry.config)")
    }
    return try Scene(
      rules: "[{filters: [\(references)], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: resources + more, backends: backends, workers: workers)
  }

  // MARK: Documentation

  @Test("the configuration in each README is right as it stands", arguments: Self.names)
  func examples(_ name: String) throws {
    let readme = try #require(readFile("\(Self.filters)/\(name)/README.md"))
    let start = try #require(readme.firstRange(of: "```yaml\n"))
    let end = try #require(readme[start.upperBound...].firstRange(of: "\n```"))
    let folder = try TemporaryFolder()
    try folder.write("example.yaml", String(readme[start.upperBound..<end.lowerBound]))
    let result = try WeftBinary.run(
      "check", "--strict", "--bundles", Self.filters, "-f", folder.path("example.yaml"))
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
  }

  @Test("settings that cannot work are refused when they are read, at their place; the last good ones stay")
  func checkedSettings() throws {
    let good = "settings: {allow: [127.0.0.0/8], status: 404}"
    let scene = try Self.scene([("ip-allow-deny", good)], backends: [try Backend()])
    defer { scene.stop() }
    #expect(try scene.get("/echo").status == 200)
    let text = try #require(readFile(scene.configurationPath))
    let bad = text.replacing("127.0.0.0/8", with: "127.0.0.0/8, 10.0.0.0/33")
    try writeFile(scene.configurationPath, bad)
    let errors = try eventually("the refusal") {
      let reload = try JSONValue(scene.weft.get("/config").text)["lastReload"]
      return reload["succeeded"].bool == false ? reload["errors"].list.compactMap(\.string) : nil
    }
    #expect(
      errors.contains { $0.contains("spec.config.settings.allow[1]: \"10.0.0.0/33\" is no address or range") },
      "\(errors)")
    #expect(try scene.get("/echo").status == 200)
    let check = try WeftBinary.run("check", "-f", scene.configurationPath)
    #expect(check.code == 1 && check.output.contains("settings.allow[1]: \"10.0.0.0/33\" is no address or range"))
    try scene.weft.reloaded {
      try writeFile(scene.configurationPath, text.replacing("127.0.0.0/8", with: "10.0.0.0/8"))
    }
    #expect(try scene.get("/echo").status == 404)
  }

  @Test("each README names each setting, and the list of bundles each bundle")
  func documentation() throws {
    let list = try #require(readFile("\(Self.filters)/README.md"))
    for name in Self.names {
      #expect(list.contains("| [\(name)](\(name)) |"), "filters/README.md does not list \(name)")
      let readme = try #require(readFile("\(Self.filters)/\(name)/README.md"))
      let manifest = try #require(readFile("\(Self.filters)/\(name)/bundle.yaml"))
      // The properties of the schema's first level.
      for line in manifest.split(separator: "\n") where line.hasPrefix("    ") && !line.hasPrefix("     ") {
        let setting = line.dropFirst(4).prefix { $0 != ":" }
        #expect(readme.contains("`\(setting)"), "the README of \(name) does not name \(setting)")
      }
    }
  }

  // MARK: Who may come

  private static let keySet = #"""
    {"keys":[{"kty":"EC","kid":"e","crv":"P-256","x":"u93MYCjPyeZ8uf_aVLYp0eCOspc66FEnAc0RPhz0bCU",\#
    "y":"XuM476SMtMf0wXDcj3Gm-L3aubKH6VsvTObXKEaD3E8"},{"kty":"OKP","kid":"d","crv":"Ed25519",\#
    "x":"z-xmCeN0jw1A7htQpJcKRMw0Cnpo9OvHfRlYBz2El_M"}]}
    """#

  /// Tokens of `ann` for `shop`, signed with the keys above; valid until 2100, but for the last, which ended in 2023.
  private static let es256 = """
    eyJhbGciOiJFUzI1NiIsImtpZCI6ImUifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoic2hvcCIsInN1YiI6ImFubiIsImV4cCI6\
    NDEwMjQ0NDgwMH0.E6Ef2LrOkGNLVMAkBh-GInnURAZ0ods8Vg_0mm0K2-QoGjtIR6X6Ibmx2yoBys_qq7hZVWCosDk8WZl5Zv_Idg
    """
  private static let edDSA = """
    eyJhbGciOiJFZERTQSIsImtpZCI6ImQifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoic2hvcCIsInN1YiI6ImFubiIsImV4cCI6\
    NDEwMjQ0NDgwMH0.Cq9dcs5TOw4gRB8gH80Jcbw0FHc1sMQY51pIreK5r2UvjJmJxSRXcfFOapX_8ExIZpai0Ps-4bDmyueE-7lpDg
    """
  private static let expired = """
    eyJhbGciOiJFZERTQSIsImtpZCI6ImQifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoic2hvcCIsInN1YiI6ImFubiIsImV4cCI6\
    MTcwMDAwMDAwMH0.IY3AVgMjWfm0tef0qxtPacFm9r6IeL6gEGC9DPjHodsEy-6wwj478T_gU2pRA0X9MgRFYtbNkKldZseYJ-nCAw
    """

  @Test("jwt: keys come from an identity provider, and claims reach the service")
  func jwt() throws {
    let provider = try Backend("provider") { connection, request in
      try connection.read(&request)
      try connection.respond(
        request.path == "/keys" ? 200 : 404, ["content-type: application/json"], to: request,
        body: Array(Self.keySet.utf8))
    }
    defer { provider.stop() }
    let settings = "{jwks: {service: idp, path: /keys}, issuers: [\"https://idp.example\"], audiences: [shop]}"
    let scene = try Self.scene(
      [("jwt", "services: [idp], settings: \(settings)")], more: [Resources.service("idp", [provider.endpoint])],
      workers: 1)
    defer { scene.stop() }
    let client = try scene.client()
    for token in [Self.es256, Self.edDSA] {
      let answer = try client.get("/echo", "authorization: Bearer \(token)", "x-jwt-subject: root")
      #expect(answer.status == 200)
      #expect(answer.text.contains("x-jwt-subject: ann\r\n") && !answer.text.contains("root"))
      #expect(!answer.text.lowercased().contains("authorization:"))
    }
    #expect(provider.requests.count == 1, "the keys are fetched once")
    // Out of date, changed at its end, and under the name of another key.
    for token in [Self.expired, String(Self.es256.dropLast(4)) + "AAAA", Self.edDSA.replacing("ImQi", with: "ImUi")] {
      let answer = try client.get("/echo", "authorization: Bearer \(token)")
      #expect(answer.status == 401)
      #expect(answer["www-authenticate"]?.hasPrefix("Bearer realm=\"api\", error=\"invalid_token\"") == true)
    }
    #expect(try client.get("/echo").status == 401)
    #expect(scene.backend.requests.count == 2)
    #expect(provider.violations == [])
  }

  @Test("basic-auth: a hash in the configuration, a name for the service")
  func basicAuth() throws {
    // "open sesame", 1,000 iterations.
    let hash = "pbkdf2_sha256$1000$c2FsdHNhbHQ$BBvj7XFtABmFGsta82Q6tpRofhCpoDq0466+j3iKMAs="
    let scene = try Self.scene([("basic-auth", "settings: {users: [{name: ann, password: \"\(hash)\"}]}")])
    defer { scene.stop() }
    let client = try scene.client()
    for _ in 0..<3 {
      let answer = try client.get("/echo", "authorization: Basic YW5uOm9wZW4gc2VzYW1l", "x-user: root")
      #expect(answer.status == 200 && answer.text.contains("x-user: ann\r\n"))
      #expect(!answer.text.contains("root") && !answer.text.lowercased().contains("authorization:"))
    }
    // "ann:open sesam", and none.
    for fields in [["authorization: Basic YW5uOm9wZW4gc2VzYW0="], []] {
      let answer = try client.exchange(HTTPText.get("/echo", fields))
      #expect(answer.status == 401)
      #expect(answer["www-authenticate"] == "Basic realm=\"restricted\", charset=\"UTF-8\"")
    }
    #expect(scene.backend.requests.count == 3)
  }

  @Test("webhook-signature: the example of GitHub's documentation, whole and in pieces")
  func webhookSignature() throws {
    let scene = try Self.scene([("webhook-signature", "settings: {secrets: [\"It's a Secret to Everybody\"]}")])
    defer { scene.stop() }
    let signature = "x-hub-signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    let client = try scene.client()
    #expect(try client.exchange(HTTPText.post("/body", body: "Hello, World!", signature)).text == "Hello, World!")
    let chunked = try client.exchange(
      "POST /body HTTP/1.1\r\nhost: a\r\n\(signature)\r\ntransfer-encoding: chunked\r\n\r\n"
        + "5\r\nHello\r\n8\r\n, World!\r\n0\r\n\r\n")
    #expect(chunked.status == 200 && chunked.text == "Hello, World!")
    #expect(try client.exchange(HTTPText.post("/body", body: "Hello, World?", signature)).status == 403)
    #expect(try client.exchange(HTTPText.post("/body", body: "Hello, World!")).status == 403)
    #expect(scene.backend.requests.count == 2)
  }

  @Test("api-key and quota: all workers count together")
  func quota() throws {
    // The SHA-256 of "k-1".
    let digest = "7c35c5a1785d20704e44d5de4beb81c1fce91b6fe48ed7c3159af6f7f832078b"
    let scene = try Self.scene([
      ("api-key", "settings: {keys: [{consumer: ann, sha256: \(digest)}]}"),
      ("quota", "settings: {windows: [{requests: 20, per: day}]}"),
    ])
    defer { scene.stop() }
    var statuses: [Int: Int] = [:]
    // Connections of their own, which the system shares out among the workers.
    for _ in 0..<30 {
      let answer = try scene.get("/", "x-api-key: k-1")
      statuses[answer.status, default: 0] += 1
      #expect(answer["ratelimit-policy"] == "\"day\";q=20;w=86400")
      if answer.status == 429 { #expect(answer["retry-after"] != nil) }
    }
    #expect(statuses == [200: 20, 429: 10])
    #expect(try scene.get("/", "x-api-key: k-2", "x-consumer: bob").status == 401)
    #expect(scene.backend.requests.count == 20)
  }

  // MARK: How often

  @Test("response-cache: one request for all workers, 304, HEAD, and nothing that broke off")
  func responseCache() throws {
    let backend = try Backend { connection, request in
      try connection.read(&request)
      let control = "cache-control: max-age=600"
      switch request.path {
      case "/cut":
        try connection.send("HTTP/1.1 200 OK\r\n\(control)\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n5\r\ncu")
        connection.isFinished = true
      case "/private": try connection.respond(200, ["cache-control: private"], to: request, body: Array("p".utf8))
      default:
        try connection.respond(
          200, [control, "etag: \"v1\"", "content-type: text/plain", "server: origin"], to: request,
          body: BackendPaths.pattern(100_000))
      }
    }
    let scene = try Self.scene([("response-cache", "settings: {}")], backends: [backend])
    defer { scene.stop() }
    for i in 0..<10 {
      let answer = try scene.get("/page")
      #expect(answer.status == 200 && answer.body == BackendPaths.pattern(100_000))
      #expect(answer["content-type"] == "text/plain")
      #expect(answer["cache-status"]?.hasPrefix(i == 0 ? "weft; fwd=uri-miss" : "weft; hit; ttl=") == true)
      #expect((answer["age"] == nil) == (i == 0))
      #expect(answer.values("server") == ["origin"] && (i == 0 || answer.values("date").count == 1))
    }
    let unchanged = try scene.get("/page", "if-none-match: \"v1\"")
    #expect(unchanged.status == 304 && unchanged.body.isEmpty && unchanged["etag"] == "\"v1\"")
    let client = try scene.client()
    let head = try client.exchange("HEAD /page HTTP/1.1\r\nhost: test.example\r\n\r\n", method: "HEAD")
    #expect(head.status == 200 && head["content-length"] == "100000")
    // The connection is in order after it.
    #expect(try client.get("/page").body.count == 100_000)
    #expect(backend.requests.count == 1)

    #expect(try client.exchange(HTTPText.post("/page", body: "change")).status == 200)
    #expect(try client.get("/page")["cache-status"] == "weft; fwd=uri-miss")
    for _ in 0..<2 { #expect(try scene.get("/private").text == "p") }
    #expect(backend.requests.count == 5)
    for _ in 0..<2 {
      let broken = try scene.client()
      try broken.send(HTTPText.get("/cut"))
      #expect(throws: (any Error).self) { _ = try broken.response() }
    }
    #expect(backend.requests.count == 7, "what broke off is not kept")
  }

  @Test("coalesce: a crowd asks for a page, and the service is asked once by each worker")
  func coalesce() throws {
    let gate = Locked(false)
    let backend = try Backend { connection, request in
      try connection.read(&request)
      try eventually("the crowd", within: 60) { gate.withLock { $0 } || connection.isAbandoned }
      try connection.respond(to: request, body: Array("page".utf8))
    }
    let scene = try Self.scene([("coalesce", "settings: {wait: 60000}")], backends: [backend])
    defer { scene.stop() }
    let crowd = try (0..<20).map { _ in try scene.client() }
    for client in crowd { try client.send(HTTPText.get("/page")) }
    try eventually("everybody to wait") {
      let suspended = try scene.weft.metric("weft_filter_suspended")
      return suspended + Double(backend.requests.count) >= 20
    }
    let asked = backend.requests.count
    gate.withLock { $0 = true }
    for client in crowd {
      let answer = try client.response()
      #expect(answer.status == 200 && answer.text == "page")
    }
    #expect((1...2).contains(asked) && backend.requests.count == asked)
  }

  // MARK: Where to

  @Test("canary: a cookie finds another route, and a mark that a client has made up finds none")
  func canary() throws {
    let new = try Backend("new")
    defer { new.stop() }
    let filter = Resources.reference("canary")
    let scene = try Scene(
      rules: """
        [{matches: [{headers: [{name: x-release, value: "true"}]}], filters: [\(filter)], \
        backendRefs: [\(Resources.backendRef("new"))]}, \
        {filters: [\(filter)], backendRefs: [\(Resources.backendRef("backend"))]}]
        """,
      more: [
        Resources.filter("canary", type: "lua", config: "bundle: \(Self.filters)/canary, settings: {mark: x-release}"),
        Resources.service("new", [new.endpoint]),
      ])
    defer { scene.stop() }
    #expect(try scene.get("/")["x-backend"] == "backend")
    #expect(try scene.get("/", "cookie: a=1; canary=always")["x-backend"] == "new")
    #expect(try scene.get("/", "x-canary: always")["x-backend"] == "new")
    #expect(try scene.get("/", "x-release: true")["x-backend"] == "backend")
    #expect(try scene.get("/", "x-release: true", "cookie: canary=always")["x-backend"] == "new")
  }
}
