import NIOHTTP1
import Testing
import WeftConfig
import WeftIdentity

@testable import WeftControl

/// Who may do what: a table of attempts.
@Suite("API: access")
struct AccessTests {
  private static let filters = "/apis/weft.dev/v1/namespaces/default/filters"

  @Test(
    "without credentials, requests from elsewhere or of web pages are refused",
    arguments: [
      ("host", "weft.example", 403), ("host", "weft.example:15080", 403), ("host", "127.0.0.1.weft.example", 403),
      ("host", "localhost.weft.example", 403), ("host", "10.0.0.1", 403), ("host", "localhost", 200),
      ("host", "localhost:1", 200), ("host", "127.0.0.2", 200), ("host", "[::1]:80", 200),
      ("origin", "http://weft.example", 403), ("origin", "null", 403), ("sec-fetch-site", "cross-site", 403),
      ("sec-fetch-site", "same-site", 403), ("sec-fetch-site", "none", 200),
    ])
  func strangers(_ field: String, _ value: String, _ status: Int) async throws {
    try await APIScene.with { api in
      let answer = try await api.call(.GET, Self.filters, headers: [(field, value)])
      #expect(answer.status == status)
    }
  }

  @Test("the first token is an administrator's; then nothing is done without one")
  func first() async throws {
    try await APIScene.with { api in
      #expect(try await api.call(.POST, "/weft/v1/tokens", #"{"name":"ann","role":"viewer"}"#).status == 422)
      #expect(
        try await api.call(.POST, "/weft/v1/tokens", #"{"name":"ann","role":"admin","lifetimeSeconds":60}"#).status
          == 422)
      let made = try await api.call(.POST, "/weft/v1/tokens", #"{"name":"ann","role":"admin"}"#)
      #expect(made.status == 201)
      let token = try #require(made.json["token"]?.string)
      let refused = try await api.call(.GET, Self.filters)
      #expect(refused.status == 401 && refused.json["reason"]?.string == "Unauthorized")
      #expect(try await api.call(.GET, Self.filters, token: token).status == 200)
      let list = try await api.call(.GET, "/weft/v1/tokens", token: token)
      #expect(list.json["tokens"]?.array?.count == 1 && !list.text.contains("hash") && !list.text.contains(token))
      // Nothing in the store lets anybody make the token again.
      let stored = try await api.resources.store.list(prefix: "/control/", after: nil, limit: 100, at: nil)
      for entry in stored.entries { #expect(!String(decoding: entry.value ?? [], as: UTF8.self).contains(token)) }
      _ = try await api.call(.POST, "/weft/v1/tokens", #"{"name":"ci","role":"editor"}"#, token: token)
      #expect(try await api.call(.DELETE, "/weft/v1/tokens/ann", token: token).status == 409)
      #expect(try await api.call(.DELETE, "/weft/v1/tokens/ci", token: token).status == 200)
      #expect(try await api.call(.DELETE, "/weft/v1/tokens/ann", token: token).status == 200)
      #expect(try await api.call(.GET, Self.filters).status == 200)
    }
  }

  @Test("every endpoint asks for its role, and nobody gets in with what is no token")
  func table() async throws {
    try await APIScene.with { api in
      func token(_ name: String, _ role: String, _ by: String?, lifetime: Int? = nil) async throws -> String {
        let end = lifetime.map { ",\"lifetimeSeconds\":\($0)" } ?? ""
        let answer = try await api.call(
          .POST, "/weft/v1/tokens", "{\"name\":\"\(name)\",\"role\":\"\(role)\"\(end)}", token: by)
        return try #require(answer.json["token"]?.string, "\(answer.text)")
      }
      let admin = try await token("admin", "admin", nil)
      var tokens = ["admin": admin]
      for role in ["viewer", "publisher", "editor"] { tokens[role] = try await token(role, role, admin) }
      _ = try await api.yaml(.POST, Self.filters, Manifest.filter(), token: admin)
      let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
      _ = try await api.yaml(.POST, "/api/v1/namespaces/default/secrets", secret, token: admin)

      let attempts: [(HTTPMethod, String, String?, allowed: Set<String>)] = [
        (.GET, Self.filters, nil, ["viewer", "publisher", "editor", "admin"]),
        (.GET, Self.filters + "/tag", nil, ["viewer", "publisher", "editor", "admin"]),
        (
          .GET, Self.filters + "?watch=1&resourceVersion=1&timeoutSeconds=1", nil,
          ["viewer", "publisher", "editor", "admin"]
        ),
        (.GET, "/api/v1/secrets", nil, ["editor", "admin"]),
        (.GET, "/api/v1/namespaces/default/secrets/s", nil, ["editor", "admin"]),
        (.GET, "/api/v1/namespaces/default/secrets?watch=1&timeoutSeconds=1", nil, ["editor", "admin"]),
        (.GET, "/api/v1/namespaces/default/secrets/s?watch=1&timeoutSeconds=1", nil, ["editor", "admin"]),
        (.GET, "/weft/v1/history/core/Secret/default/s?objects=1", nil, ["editor", "admin"]),
        (.POST, Self.filters, Manifest.filter("x"), ["editor", "admin"]),
        (.PUT, Self.filters + "/tag", Manifest.filter(), ["editor", "admin"]),
        (.PATCH, Self.filters + "/tag", Manifest.filter(), ["editor", "admin"]),
        (.DELETE, Self.filters + "/none", nil, ["editor", "admin"]),
        (.POST, "/weft/v1/apply", "{}", ["editor", "admin"]),
        (.POST, "/weft/v1/delete", "{}", ["editor", "admin"]),
        (.POST, "/weft/v1/rollback", "{}", ["editor", "admin"]),
        (.GET, "/weft/v1/audit", nil, ["admin"]),
        (.GET, "/weft/v1/tokens", nil, ["admin"]),
        (.POST, "/weft/v1/tokens", "{}", ["admin"]),
        (.DELETE, "/weft/v1/tokens/none", nil, ["admin"]),
        (.POST, "/weft/v1/bundles", "{}", ["publisher", "admin"]),
        (.PUT, "/weft/v1/bundles/a/b", "{}", ["publisher", "admin"]),
        (.DELETE, "/weft/v1/bundles/a/b", nil, ["publisher", "admin"]),
        (.PUT, "/weft/v1/blobs/a/signatures", "{}", ["publisher", "admin"]),
        (.POST, "/weft/v1/blobs/collect", "{}", ["publisher", "admin"]),
        (.GET, "/weft/v1/bundles", nil, ["viewer", "publisher", "editor", "admin"]),
        (.POST, "/weft/v1/join-tokens", "{}", ["admin"]),
        (.GET, "/weft/v1/authority", nil, ["admin"]),
        (.POST, "/weft/v1/authority/rotate", "{}", ["admin"]),
        (.POST, "/weft/v1/authority/revocations", "{}", ["admin"]),
        (.GET, "/weft/v1/status", nil, ["viewer", "publisher", "editor", "admin"]),
        (.GET, "/metrics", nil, ["viewer", "publisher", "editor", "admin"]),
        (.GET, "/openapi.json", nil, ["viewer", "publisher", "editor", "admin"]),
        (.GET, "/none", nil, ["viewer", "publisher", "editor", "admin"]),
      ]
      let revision = try await api.resources.store.revision()
      let nobody = [
        nil, "", "weft_", "weft__", "x", admin.dropLast() + "0", admin + "0", "weft_\(admin.dropFirst(5).prefix(12))_",
        "weft_../../control_x", String(repeating: "a", count: 5_000), admin.uppercased(),
      ].map { $0.map { String($0) } }
      for (method, path, body, allowed) in attempts {
        for role in ["viewer", "publisher", "editor", "admin"] where !allowed.contains(role) {
          let answer = try await api.call(method, path, body, type: "application/yaml", token: tokens[role])
          #expect(answer.status == 403, "\(method) \(path) as \(role): \(answer.status)")
          #expect(!answer.text.contains("aHVudGVyMg") && !answer.text.contains("hunter2"))
        }
        for text in nobody where text != admin {
          let answer = try await api.call(method, path, body, type: "application/yaml", token: text)
          #expect(answer.status == 401, "\(method) \(path) with \(text?.prefix(30) ?? "nothing"): \(answer.status)")
        }
      }
      #expect(try await api.resources.store.revision() == revision, "nothing of this has changed anything")
      for (method, path, body, allowed) in attempts where method == .GET {
        for role in allowed {
          let answer = try await api.call(method, path, body, token: tokens[role])
          #expect(answer.status == (path == "/none" ? 404 : 200), "\(method) \(path) as \(role): \(answer.text)")
        }
      }
      // Revoked is refused at once.
      _ = try await api.call(.DELETE, "/weft/v1/tokens/viewer", token: admin)
      #expect(try await api.call(.GET, Self.filters, token: tokens["viewer"]).status == 401)
      #expect(try await api.call(.GET, Self.filters, headers: [("authorization", "Basic YTpi")]).status == 401)
      #expect(try await api.call(.GET, "/healthz").status == 200)
    }
  }

  @Test("a token that has ended is refused")
  func expiry() async throws {
    let folder = try TemporaryFolder()
    let store = try await SQLiteStoreForTests.open(folder)
    let clock = TestClock()
    let tokens = APITokens(store, now: { clock.now })
    _ = try await tokens.create(name: "root", role: .admin, lifetime: nil, by: .itself)
    let (text, _) = try await tokens.create(name: "short", role: .viewer, lifetime: 60, by: .itself)
    #expect(try await tokens.verify(text)?.name == "short")
    clock.advance(59)
    #expect(try await tokens.verify(text) != nil)
    clock.advance(1)
    #expect(try await tokens.verify(text) == nil)
    await store.close()
  }

  @Test("the API does not listen beyond the machine without TLS and credentials")
  func wide() async throws {
    try await APIScene.with { api in
      func refusal(_ change: (inout APIOptions) -> Void) async -> String? {
        var options = APIOptions()
        change(&options)
        let server = APIServer(options, resources: api.resources, mesh: NoProxies(), log: .init(label: "test"))
        do { try await server.check() } catch { return "\(error)" }
        return nil
      }
      for host in ["0.0.0.0", "::", "10.0.0.1", "weft.example"] {
        #expect(await refusal { $0.host = host }?.contains("only with TLS") == true)
        #expect(
          await refusal {
            $0.host = host
            $0.certificate = ("a", "b")
          }?.contains("only with credentials") == true)
      }
      for host in ["127.0.0.1", "localhost", "::1"] { #expect(await refusal { $0.host = host } == nil) }
      let role = try #require(ClientRole("spiffe://cluster.local/ns/default/sa/ci=editor"))
      #expect(role.role == .editor)
      #expect(ClientRole("spiffe://cluster.local/ns/default/sa/ci=root") == nil && ClientRole("x=admin") == nil)
      #expect(await refusal { $0.clientRoles = [role] }?.contains("need TLS") == true)
      _ = try await APITokens(api.resources.store).create(name: "a", role: .admin, lifetime: nil, by: .itself)
      #expect(
        await refusal {
          $0.host = "0.0.0.0"
          $0.certificate = ("a", "b")
        } == nil)
    }
  }

  @Test("the audit log is kept within its limit")
  func audit() async throws {
    try await APIScene.with { api in
      _ = try await api.yaml(.POST, Self.filters, Manifest.filter())
      _ = try await api.call(.DELETE, Self.filters + "/tag?fieldManager=me")
      let entries = try await api.call(.GET, "/weft/v1/audit?limit=10").json["entries"]?.array ?? []
      #expect(entries.compactMap { $0["verb"]?.string } == ["delete", "create"])
      #expect(entries[0]["fieldManager"]?.string == "me" && entries[0]["address"]?.string == "127.0.0.1")
      #expect(entries[0]["changes"]?.array?[0]["outcome"]?.string == "deleted")
    }
  }
}
