import Foundation
import GRPCCore
import NIOHTTP1
import Testing
import WeftIdentity
import WeftProtocol
import WeftStore

@testable import WeftControl

/// Nobody without a valid identity or token reads or changes anything: a table of attempts, each refused. The same table
/// is in docs/security.md.
@Suite("Attempts without a valid identity or token")
struct AttemptTests {
  private struct Attempt {
    let name: String
    let expected: String
    let make: () async throws -> String

    init(_ name: String, _ expected: String, _ make: @escaping () async throws -> String) {
      self.name = name
      self.expected = expected
      self.make = make
    }
  }

  @Test("each is refused, none changes anything, and docs/security.md has the same table")
  func table() async throws {
    let other = try await Plane(trustDomain: "other.example")
    try await Plane.with { plane in
      try await APIScene.with(of: plane.plane) { api in
        let attempts =
          try await signing(plane, other) + renewing(plane) + streaming(plane, other) + reading(plane)
          + calling(plane, api)
        let before = try await resources(plane)
        var report = ""
        for attempt in attempts {
          let answer = try await attempt.make()
          report += "\(attempt.name.padding(toLength: 76, withPad: " ", startingAt: 0)) \(answer)\n"
          #expect(answer == attempt.expected, "\(attempt.name)")
        }
        print(report, terminator: "")
        #expect(try await resources(plane) == before, "nothing of this has changed anything")

        let docs = try String(contentsOf: Self.root.appending(path: "docs/security.md"), encoding: .utf8)
        for attempt in attempts {
          #expect(docs.contains("| \(attempt.name) | `\(attempt.expected)` |"), "docs/security.md: \(attempt.name)")
        }
        // Each refusal of a certificate and of a connection is in the audit log.
        #expect(
          try await eventually {
            let log = try await AuditLog(plane.plane.store, prefix: IdentityAudit.prefix).entries(limit: 1_000)
            let verbs = log.compactMap { $0["verb"]?.string }
            return verbs.count { $0 == "certificate refuse" } >= 10 && verbs.count { $0 == "connection refuse" } >= 5
          })
      }
    }
    try await other.stop()
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func resources(_ plane: Plane) async throws -> [String] {
    try await plane.plane.store.list(prefix: "/resources/", after: nil, limit: 1_000, at: nil).entries.map {
      "\($0.key) \($0.modified)"
    }
  }

  // MARK: Certificates

  private func sign(
    _ plane: Plane, _ member: Member, token: String, csr: Data? = nil, id: SPIFFEID? = nil
  ) async throws -> String {
    var request = Weft_Discovery_V1_SignRequest()
    request.csr = try csr ?? Data(WorkloadKey().signingRequest(for: id ?? SPIFFEID(known: "admin")))
    request.joinToken = token
    let asked = request
    do {
      let answer = try await withConnection(plane.plane.discovery.port, member.withoutCertificate) { client in
        try await Weft_Discovery_V1_Identity.Client(wrapping: client).sign(asked)
      }
      return "signed \(answer.spiffeID)"
    } catch let error as RPCError { return "\(error.code)" }
  }

  /// A token with other claims, and its signature as it was.
  private func tampered(_ token: String, _ change: (inout [String: Any]) -> Void) throws -> String {
    var parts = token.split(separator: ".").map(String.init)
    let text = parts[1].replacing("-", with: "+").replacing("_", with: "/")
    let padded = text + String(repeating: "=", count: (4 - text.count % 4) % 4)
    let body = try #require(Data(base64Encoded: padded))
    var claims = try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
    change(&claims)
    parts[1] = Self.base64(try JSONSerialization.data(withJSONObject: claims))
    return parts.joined(separator: ".")
  }

  private static func base64(_ data: Data) -> String {
    data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  private func signing(_ plane: Plane, _ other: Plane) async throws -> [Attempt] {
    let member = try await plane.join("witness")
    let admin = try SPIFFEID(known: "admin")
    let used = try await plane.token("admin")
    _ = try await Member.join(plane.plane.discovery.port, token: used)
    let expired = try await plane.token("admin", lifetime: 1)
    let good = try await plane.token("admin", use: .many)
    let foreign = try await other.token("admin")
    let forged = try await JoinTokenKey().sign(
      JoinToken(
        workload: admin, kind: .gateway, use: .many, lifetime: 600,
        roots: await plane.plane.authority.trust.fingerprints))
    let gone = try await plane.token("gone")
    try await plane.plane.authority.revoke(namespace: "default", name: "gone", by: "test", reason: "")
    try await Task.sleep(for: .milliseconds(2_100))
    var broken = Data(try WorkloadKey().signingRequest(for: admin))
    broken[broken.count - 5] ^= 1
    let csr = broken
    let none = "\(Self.base64(Data(#"{"alg":"none","typ":"JWT"}"#.utf8))).\(good.split(separator: ".")[1])."
    let refused = "permissionDenied"
    return [
      Attempt("a certificate without token or certificate", refused) { try await sign(plane, member, token: "") },
      Attempt("a certificate for what is no token", refused) { try await sign(plane, member, token: "x.y.z") },
      Attempt("a certificate for an expired join token", refused) { try await sign(plane, member, token: expired) },
      Attempt("a certificate for a one-time token that was used", refused) {
        try await sign(plane, member, token: used)
      },
      Attempt("a certificate for a token whose claims were changed", refused) {
        try await sign(
          plane, member, token: try tampered(good) { $0["sub"] = "default/other" }, id: try SPIFFEID(known: "other"))
      },
      Attempt("a certificate for a token whose end was put off", refused) {
        try await sign(plane, member, token: try tampered(expired) { $0["exp"] = 4_000_000_000 as Int })
      },
      Attempt("a certificate for a token that is not signed (alg none)", refused) {
        try await sign(plane, member, token: none)
      },
      Attempt("a certificate for a token that another key signed", refused) {
        try await sign(plane, member, token: forged)
      },
      Attempt("a certificate for a token of another mesh", refused) { try await sign(plane, member, token: foreign) },
      Attempt("a certificate for another workload than the token's", refused) {
        try await sign(plane, member, token: good, id: try SPIFFEID(known: "other"))
      },
      Attempt("a certificate for a key that the caller does not hold", refused) {
        try await sign(plane, member, token: good, csr: csr)
      },
      Attempt("a certificate for a token made before the workload was revoked", refused) {
        try await sign(plane, member, token: gone, id: try SPIFFEID(known: "gone"))
      },
    ]
  }

  private func renewing(_ plane: Plane) async throws -> [Attempt] {
    let port = plane.plane.discovery.port
    let member = try await plane.join("renewing")
    let revoked = try await plane.join("revoked")
    try await plane.plane.authority.revoke(namespace: "default", name: "revoked", by: "test", reason: "")
    var expired = try await Member.join(port, token: try await plane.token("renewing"), ttl: 1)
    expired.roots = member.roots
    let late = expired
    try await Task.sleep(for: .milliseconds(2_100))
    func renew(_ member: Member, as id: SPIFFEID? = nil) async throws -> String {
      do { return "signed \(try await member.renew(port, as: id).id)" } catch let error as RPCError {
        return "\(error.code)"
      }
    }
    return [
      Attempt("a renewal as another workload", "permissionDenied") {
        try await renew(member, as: try SPIFFEID(known: "admin"))
      },
      Attempt("a renewal with a certificate that has ended", "permissionDenied") { try await renew(late) },
      Attempt("a renewal by a revoked workload", "permissionDenied") { try await renew(revoked) },
    ]
  }

  // MARK: Discovery

  private func streaming(_ plane: Plane, _ other: Plane) async throws -> [Attempt] {
    let port = plane.plane.discovery.port
    let member = try await plane.join("streaming")
    let revoked = try await plane.join("revoked")
    try await plane.plane.authority.revoke(namespace: "default", name: "revoked", by: "test", reason: "")
    var foreign = try await other.join()
    foreign.roots = member.roots
    var forged = member
    let forger = try CertificateAuthority.makeRoot(trustDomain: "cluster.local")
    forged.chain = try forger.issue(member.id, for: member.key.publicKey, lifetime: 60).chainPEM
    var expired = try await Member.join(port, token: try await plane.token("streaming"), ttl: 1)
    expired.roots = member.roots
    try await Task.sleep(for: .milliseconds(2_100))
    let refused = "unauthenticated"
    var attempts = [
      ("a stream without a certificate", member.withoutCertificate),
      ("a stream with a certificate of another trust domain", foreign.security),
      ("a stream with a certificate of an authority that made itself up", forged.security),
      ("a stream with a certificate that has ended", expired.security),
      ("a stream by a revoked workload", revoked.security),
    ].map { name, security in
      Attempt(name, refused) {
        let end = try await TestProxy(port, security).end()
        return end.error.map { "\($0.code)" } ?? "ended: \(end.goodbye ?? "")"
      }
    }
    attempts.append(
      Attempt("a stream as another workload than the certificate's", "permissionDenied") {
        let proxy = try TestProxy(port, member)
        proxy.send { message in
          message.hello.kind = .gateway
          message.hello.namespace = "default"
          message.hello.name = "admin"
          message.hello.instance = "1"
        }
        let end = try await proxy.end()
        return end.error.map { "\($0.code)" } ?? "ended: \(end.goodbye ?? "")"
      })
    attempts.append(
      Attempt("a bundle without a certificate", refused) {
        var request = Weft_Discovery_V1_BundleRequest()
        request.digest = "sha256:" + String(repeating: "0", count: 64)
        let asked = request
        do {
          return try await withConnection(port, member.withoutCertificate) { client in
            try await Weft_Discovery_V1_Discovery.Client(wrapping: client).fetchBundle(asked) { response in
              for try await _ in response.messages {}
              return "sent"
            }
          }
        } catch let error as RPCError { return "\(error.code)" }
      })
    return attempts
  }

  private func reading(_ plane: Plane) async throws -> [Attempt] {
    for namespace in ["default", "far"] {
      try await plane.put(
        #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"theirs","namespace":"\#(namespace)"},"data":{}}"#,
        at: ResourceKey(group: "", kind: "Secret", namespace: namespace, name: "theirs"))
    }
    try await plane.put(
      "Gateway", "edge", group: "gateway.networking.k8s.io",
      #"{"gatewayClassName":"weft","listeners":[{"name":"https","port":443,"protocol":"HTTPS","tls":{"certificateRefs":[{"name":"theirs"}]}}]}"#
    )
    func ask(_ names: String...) async throws -> String {
      let proxy = try await plane.connect(
        try await plane.join("reading", kind: .sidecar), kind: .sidecar, instance: "\(names.count)-\(names[0].count)")
      proxy.send { message in
        message.subscription.type = "v1/Secret"
        message.subscription.subscribe = names
      }
      let delta = try await proxy.delta()
      return delta.resources.isEmpty ? "not there" : "read \(delta.resources.map(\.name))"
    }
    return [
      Attempt("a sidecar asks for the Secret of a gateway", "not there") { try await ask("default/theirs") },
      Attempt("a sidecar asks for all Secrets", "not there") { try await ask("*", "@default", "@far") },
      Attempt("a sidecar asks for a Secret of another namespace", "not there") { try await ask("far/theirs") },
    ]
  }

  // MARK: The API

  private func calling(_ plane: Plane, _ api: APIScene) async throws -> [Attempt] {
    func make(_ name: String, _ role: String, by: String?, lifetime: Int? = nil) async throws -> String {
      let end = lifetime.map { ",\"lifetimeSeconds\":\($0)" } ?? ""
      let answer = try await api.call(
        .POST, "/weft/v1/tokens", "{\"name\":\"\(name)\",\"role\":\"\(role)\"\(end)}", token: by)
      return try #require(answer.json["token"]?.string, "\(answer.text)")
    }
    let admin = try await make("admin", "admin", by: nil)
    let viewer = try await make("viewer", "viewer", by: admin)
    let publisher = try await make("publisher", "publisher", by: admin)
    let editor = try await make("editor", "editor", by: admin)
    let short = try await make("short", "admin", by: admin, lifetime: 1)
    let ended = try await make("ended", "admin", by: admin)
    _ = try await api.call(.DELETE, "/weft/v1/tokens/ended", token: admin)
    let join = try await plane.token("admin")
    let filters = "/apis/weft.dev/v1/namespaces/default/filters"
    _ = try await api.yaml(.POST, filters, Manifest.filter(), token: admin)
    try await Task.sleep(for: .milliseconds(1_100))
    let last = admin.last == "0" ? "1" : "0"
    func attempt(
      _ name: String, _ expected: Int, _ method: HTTPMethod, _ path: String, _ body: String? = nil, token: String?,
      headers: [(String, String)] = []
    ) -> Attempt {
      Attempt(name, "\(expected)") {
        "\(try await api.call(method, path, body, type: "application/yaml", headers: headers, token: token).status)"
      }
    }
    let (filter, secrets) = (Manifest.filter("new"), "/api/v1/namespaces/default/secrets")
    return [
      attempt("the API without a token, once there is one", 401, .GET, filters, token: nil),
      attempt("the API with a token that nobody made", 401, .GET, filters, token: "weft_000000000000_0000"),
      attempt(
        "the API with a token of which one character differs", 401, .GET, filters, token: admin.dropLast() + last),
      attempt("the API with a token that was revoked", 401, .GET, filters, token: ended),
      attempt("the API with a token that has ended", 401, .GET, filters, token: short),
      attempt("the API with a join token", 401, .GET, filters, token: join),
      attempt("a viewer creates a resource", 403, .POST, filters, filter, token: viewer),
      attempt("a viewer reads a Secret", 403, .GET, secrets + "/theirs", token: viewer),
      attempt("a viewer watches Secrets", 403, .GET, secrets + "?watch=1&timeoutSeconds=1", token: viewer),
      attempt("a publisher deletes a resource", 403, .DELETE, filters + "/tag", token: publisher),
      attempt("a publisher reads a Secret", 403, .GET, secrets + "/theirs", token: publisher),
      attempt("an editor pushes a bundle", 403, .POST, "/weft/v1/bundles", "x", token: editor),
      attempt("an editor makes a token", 403, .POST, "/weft/v1/tokens", "{}", token: editor),
      attempt("an editor makes a join token", 403, .POST, "/weft/v1/join-tokens", "{}", token: editor),
      attempt("an editor reads the audit log", 403, .GET, "/weft/v1/audit", token: editor),
      attempt("an editor looks at the authority", 403, .GET, "/weft/v1/authority", token: editor),
      attempt("an editor rotates the root", 403, .POST, "/weft/v1/authority/rotate", "{}", token: editor),
      attempt("an editor revokes a workload", 403, .POST, "/weft/v1/authority/revocations", "{}", token: editor),
      attempt(
        "a web page uses the browser of an administrator", 403, .DELETE, filters + "/tag", token: admin,
        headers: [("origin", "https://elsewhere.example")]),
      attempt(
        "a web page by a name of its own for this machine", 403, .GET, filters, token: admin,
        headers: [("host", "elsewhere.example")]),
    ]
  }
}

extension SPIFFEID {
  fileprivate init(known name: String) throws {
    self = try #require(SPIFFEID(trustDomain: "cluster.local", namespace: "default", name: name))
  }
}
