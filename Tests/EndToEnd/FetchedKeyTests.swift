import TestCertificates
import Testing

@Suite("Keys that are fetched: jwksUri", .endToEnd)
struct FetchedKeyTests {
  private static let issuer = "https://issuer.example"
  private static let claims = #"{"iss":"https://issuer.example","sub":"ann","exp":4000000000}"#

  /// A proxy whose rules fetch their keys.
  private struct Proxy {
    let weft: WeftProcess
    let backend: Backend
    let port: ReservedPort

    /// - Parameters:
    ///   - rules: each issuer with the address of its keys.
    ///   - authorities: a file with whom the proxy believes beside nobody.
    init(_ rules: [(issuer: String, uri: String)], authorities: String? = nil) throws {
      backend = try Backend()
      port = try ReservedPort()
      let list = rules.map { "{issuer: \"\($0.issuer)\", jwksUri: \"\($0.uri)\", timeout: 20s}" }
      let folder = try TemporaryFolder()
      try folder.write(
        "config/weft.yaml",
        [
          Resources.proxy(), Resources.gateway(port.number), Resources.service("backend", [backend.endpoint]),
          Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]"),
          """
          {apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: tokens}, spec: {jwtRules: \
          [\(list.joined(separator: ", "))]}}
          """,
        ].joined(separator: "\n---\n") + "\n")
      try folder.write("none.pem", "")
      weft = try WeftProcess(
        command: ["run", "-f", folder.path("config")], folder: folder,
        environment: ["SSL_CERT_FILE": authorities ?? folder.path("none.pem"), "SSL_CERT_DIR": "/nowhere"])
    }

    func stop() {
      weft.stop()
      backend.stop()
    }

    func status(_ token: String?) throws -> Int {
      let client = try RawClient(port.number)
      let field = token.map { "authorization: Bearer \($0)\r\n" } ?? ""
      try client.send("GET / HTTP/1.1\r\nhost: a\r\n\(field)connection: close\r\n\r\n")
      return try client.response(to: "GET").status
    }

    func keySets(_ state: String) throws -> Double {
      try weft.metric("weft_request_authentication_key_sets", "state=\"\(state)\"")
    }

    /// What is wrong with the keys at an address, by the admin endpoint.
    func problem(_ uri: String) throws -> String {
      let sets = try JSONValue(weft.get("/config").text)["keySets"].list
      return sets.first { $0["uri"].string == uri }?["problem"].string ?? "none"
    }
  }

  @Test("keys come over TLS, follow their issuer, and stay in use while it cannot be reached")
  func follows() throws {
    let authority = try TestAuthority()
    let server = try KeyServer(authority.issue("keys", names: ["DNS:localhost"]))
    let (old, new) = (try TokenIssuer(), try TokenIssuer())
    try server.serve("keys", old.jwks, fields: "{\"cache-control\": \"public, max-age=3600\"}")
    let proxy = try Proxy([(Self.issuer, server.uri())], authorities: authority.certificatePath)
    defer { proxy.stop() }
    let (first, second) = (try old.token(Self.claims), try new.token(Self.claims))
    // It is ready once it has the keys.
    #expect(try proxy.status(first) == 200)
    #expect(try proxy.status(second) == 401)
    #expect(try proxy.status(nil) == 200)
    #expect(try proxy.keySets("current") == 1)
    #expect(server.requests.first == "/keys localhost:\(server.port)", "\(server.requests)")
    // A secret that anybody can read signs nothing.
    #expect(try proxy.status(old.token("HS256", "hs", Self.claims)) == 401)

    // The issuer has a new key, long before the answer's age has come; in chunks this time.
    try server.serve("keys", new.jwks, isChunked: true)
    try eventually("the new key to be taken", within: 60) { try proxy.status(second) == 200 }
    // From the worker's memory as well.
    #expect(try proxy.status(first) == 401)

    try server.serve("keys", status: 503)
    try eventually("a fetch that fails", within: 60) {
      _ = try proxy.status(first)
      return try proxy.keySets("stale") == 1
    }
    #expect(try proxy.status(second) == 200)
    #expect(try proxy.problem(server.uri()) == "the server answers 503")
    #expect(try proxy.weft.metric("weft_request_authentication_key_fetches_total", "result=\"failure\"") > 0)
    #expect(proxy.weft.log.contains("keys that were fetched before stay in use"))
    // An answer that is no key set takes nothing away either.
    try server.serve("keys", "{}")
    try eventually("the answer to be refused", within: 60) {
      try proxy.problem(server.uri()).contains("is no key set")
    }
    #expect(try proxy.status(second) == 200)
    try server.serve("keys", old.jwks)
    try eventually("the keys to come again", within: 120) { try proxy.status(first) == 200 }
    #expect(try proxy.keySets("current") == 1 && proxy.keySets("stale") == 0)
    #expect(try proxy.status(second) == 401)
  }

  @Test("what is no good answer gives no keys, says why, and holds up nothing but its issuer's tokens")
  func refuses() throws {
    let authority = try TestAuthority()
    let tls = try KeyServer(authority.issue("keys", names: ["DNS:elsewhere.test"]))
    let server = try KeyServer()
    let (closed, keys) = (try ReservedPort(), try TokenIssuer())
    for name in ["keys", "good"] { try server.serve(name, keys.jwks) }
    try tls.serve("keys", keys.jwks)
    try server.serve("moved", status: 302, fields: "{\"location\": \"/good\"}")
    try server.serve("long", "{\"keys\": [\"" + String(repeating: "x", count: 300_000) + "\"]}")
    try server.serve("text", "hello")
    try server.serve("secret", #"{"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}"#)
    let cases = [
      (server.uri("moved"), "the server answers 302; it sends to /good"),
      (server.uri("long"), "more than 262144 bytes"),
      (server.uri("text"), "the answer is no JSON"), (server.uri("secret"), "holds no public key"),
      (server.uri("missing"), "the server answers 404"), (tls.uri(), "elsewhere.test"),
      ("http://127.0.0.1:\(closed.number)/keys", "Connection refused"),
      // Plain HTTP at a port for TLS, and the other way round.
      ("http://localhost:\(tls.port)/keys", "the connection ended"),
      ("https://localhost:\(server.port)/keys", "closed the connection"),
    ]
    let proxy = try Proxy(
      cases.enumerated().map { ("issuer-\($0.offset)", $0.element.0) } + [(Self.issuer, server.uri("good"))],
      authorities: authority.certificatePath)
    defer { proxy.stop() }
    #expect(try proxy.status(keys.token(Self.claims)) == 200)
    for (number, (uri, message)) in cases.enumerated() {
      let problem = try proxy.problem(uri)
      #expect(problem != "none" && problem.contains(message), "\(uri): \(problem)")
      #expect(try proxy.status(keys.token("{\"iss\":\"issuer-\(number)\",\"sub\":\"a\"}")) == 401, "\(uri)")
    }
    #expect(try proxy.status(nil) == 200)
    #expect(try proxy.keySets("missing") == Double(cases.count) && proxy.keySets("current") == 1)
    #expect(
      try proxy.weft.metric("weft_request_authentication_failures_total", "reason=\"keys\"") == Double(cases.count))
  }

  @Test("in a mesh, describe shows which proxies cannot fetch a rule's keys, until they can")
  func described() throws {
    let mesh = try MeshScene()
    let (app, keys, server, port) = (try Backend("app"), try TokenIssuer(), try KeyServer(), try ReservedPort())
    defer { app.stop() }
    try server.serve("keys", status: 500)
    try mesh.apply(
      Resources.gateway(port.number, name: "edge"), Resources.service("app", [app.endpoint]),
      Resources.route("front", "rules: [{backendRefs: [\(Resources.backendRef("app"))]}]", gateway: "edge"),
      """
      {apiVersion: weft.dev/v1, kind: RequestAuthentication, metadata: {name: users}, spec: {jwtRules: [{issuer: \
      "\(Self.issuer)", jwksUri: "\(server.uri())"}]}}
      """)
    let edge = try mesh.gateway("edge")
    defer { edge.stop() }
    func ask(_ token: String) throws -> Int {
      let client = try RawClient(port.number)
      try client.send(
        "GET / HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer \(token)\r\nconnection: close\r\n\r\n")
      return try client.response(to: "GET").status
    }
    func description() throws -> String { try mesh.weft("describe", "requestauthentication", "users").output }
    try eventually("the failure to be known") { try description().contains("the server answers 500") }
    #expect(try description().contains("gateway/default/edge"))
    let token = try keys.token(Self.claims)
    #expect(try ask(token) == 401)
    try server.serve("keys", keys.jwks)
    try eventually("the keys", within: 120) { try ask(token) == 200 }
    // It stays among the events.
    try eventually("the failure to be taken back") { try description().contains("no proxy") }
    #expect(try description().contains("cannot be fetched"))
  }
}
