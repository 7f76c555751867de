import TestCertificates
import Testing

@Suite("Authorization policies", .endToEnd)
struct AuthorizationTests {
  static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")

  static func policy(_ name: String, _ spec: String, annotations: String = "") -> String {
    """
    {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: \(name), \
    annotations: {\(annotations)}}, spec: {\(spec)}}
    """
  }

  static let gatewayTarget = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gateway}]"
  static let serviceTarget = "targetRefs: [{group: weft.dev, kind: Service, name: backend}]"
  static let noAdmin = policy(
    "no-admin", "\(gatewayTarget), action: DENY, rules: [{to: [{operation: {paths: [/admin, \"/admin/*\"]}}]}]")

  @Test("a denied request is answered before its chain runs, and counted")
  func denied() throws {
    let scene = try Scene(
      rules: "[{matches: [{path: {value: /echo}}, {path: {value: /admin}}], filters: [\(Resources.reference("tag"))], "
        + "backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [
        Self.noAdmin,
        Resources.filter("tag", type: "header-modifier", config: "response: {set: [{name: x-chain, value: ran}]}"),
        Self.policy("watch", "action: AUDIT, rules: [{to: [{operation: {methods: [GET]}}]}]"),
        Self.policy(
          "tried", "action: DENY, rules: [{to: [{operation: {paths: [/echo]}}]}]",
          annotations: "istio.io/dry-run: \"true\""),
      ])
    defer { scene.stop() }
    let client = try scene.client()
    #expect(try client.get("/echo")["x-chain"] == "ran")
    let refused = try client.get("/admin/users")
    #expect(refused.status == 403 && refused.text == "RBAC: access denied" && refused["x-chain"] == nil)
    // The connection goes on, a body and all.
    let post = try client.exchange(HTTPText.post("/admin", body: "abc"), method: "POST")
    #expect(post.status == 403)
    #expect(try client.get("/echo").status == 200)
    for target in ["//admin", "/x/../admin", "/%61dmin", "/admin%2fx", "/echo/..;/admin", "/echo/..%2fadmin"] {
      #expect(try scene.get(target).status == 403, "\(target)")
    }
    // No route takes it, and the policies let it pass.
    #expect(try scene.get("/nowhere").status == 404)
    let lines = try scene.accessLog(11)
    #expect(lines.filter { $0.status == 403 }.allSatisfy { $0.details == "rbac_access_denied" })
    let metric = "weft_authorization_decisions_total"
    #expect(try scene.weft.metric(metric, "policy=\"default/no-admin\"", "decision=\"denied\"") == 8)
    #expect(try scene.weft.metric(metric, "policy=\"default/watch\"", "decision=\"audited\"") == 10)
    #expect(try scene.weft.metric(metric, "policy=\"default/tried\"", "decision=\"would_deny\"") == 2)
    try eventually("the audit's lines") { scene.weft.log.contains("policy default/watch: GET /echo") }
    #expect(scene.backend.requests.allSatisfy { !$0.head.contains("admin") })
  }

  @Test("HTTP/2 and gRPC are denied alike, and both a Gateway's and a service's policies must allow")
  func protocols() throws {
    let scene = try Scene(
      more: [
        Self.policy("hosts", "\(Self.gatewayTarget), rules: [{to: [{operation: {hosts: [a.test, b.test]}}]}]"),
        Self.policy(
          "paths", "\(Self.serviceTarget), rules: [{to: [{operation: {paths: [\"/echo*\", /pkg.Service/Call]}}]}]"),
      ])
    defer { scene.stop() }
    func curl(_ host: String, _ path: String, _ more: String...) throws -> String {
      try Tool.run(
        "curl",
        ["-s", "-o", "/dev/null", "-w", "%{http_code} %header{grpc-status}", "--max-time", "30", "-H", "host: \(host)"]
          + more + ["http://127.0.0.1:\(scene.port)\(path)"]
      ).output
    }
    for version in ["--http1.1", "--http2-prior-knowledge"] {
      #expect(try curl("a.test", "/echo", version) == "200 ")
      #expect(try curl("B.TEST.:81", "/echo", version) == "200 ")
      #expect(try curl("c.test", "/echo", version) == "403 ")
      #expect(try curl("a.test", "/other", version) == "403 ")
      #expect(
        try curl("c.test", "/pkg.Service/Call", version, "-X", "POST", "-H", "content-type: application/grpc")
          == "200 7")
    }
    let metric = "weft_authorization_decisions_total"
    #expect(try scene.weft.metric(metric, "policy=\"default/hosts\"", "decision=\"allowed\"") == 6)
    #expect(try scene.weft.metric(metric, "policy=\"default/paths\"", "decision=\"allowed\"") == 4)
    #expect(try scene.weft.metric(metric, "policy=\"none\"", "decision=\"denied\"") == 6)
  }

  @Test("policies change while requests go on, and a bad one changes nothing")
  func reload() throws {
    let scene = try Scene()
    defer { scene.stop() }
    #expect(try scene.get("/admin").status == 404 || scene.get("/admin").status == 200)
    let client = try scene.client()
    #expect(try client.get("/echo").status == 200)
    let nothing = Self.policy("nothing", "")
    try scene.weft.reloaded {
      try scene.weft.folder.write("config/weft.yaml", scene.configuration(more: [nothing]))
    }
    #expect(try client.get("/echo").status == 403)
    // Without a route as well: who may do nothing learns of nothing.
    #expect(try scene.get("/nowhere").status == 403)
    try scene.weft.folder.write(
      "config/weft.yaml",
      scene.configuration(more: [Self.policy("nothing", "rules: [{when: [{key: source.up, values: [a]}]}]")]))
    try eventually("the mistake in the log") { scene.weft.log.contains("did you mean \"source.ip\"?") }
    #expect(try client.get("/echo").status == 403)
    try scene.weft.reloaded { try scene.weft.folder.write("config/weft.yaml", scene.configuration(more: [])) }
    #expect(try client.get("/echo").status == 200)
  }

  @Test("verified identities count, and others do not")
  func identities() throws {
    let authority = try TestAuthority()
    let folder = try TemporaryFolder()
    let log = folder.path("access.log")
    let scene = try TLSScene(
      authority, options: "weft.dev/client-auth: request, weft.dev/ca-file: ca.crt",
      proxy:
        "accessLog: [{path: \(log), format: text, template: \"LOG %RESPONSE_CODE% %AUTHORIZATION_DECISION% %AUTHORIZATION_POLICY% %AUTHORIZATION_AUDIT%\\n\"}]",
      more: [
        Self.policy(
          "carts",
          "rules: [{from: [{source: {principals: [\"mesh/ns/shop/sa/*\"]}}]}, {from: [{source: {namespaces: [ops]}}], to: [{operation: {methods: [GET]}}]}]"
        ),
        Self.policy("watch", "action: AUDIT, rules: [{from: [{source: {serviceAccounts: [ops/root]}}]}]"),
        Self.policy("retired", "action: DENY, rules: [{from: [{source: {serviceAccounts: [shop/old]}}]}]"),
      ], files: ["ca.crt": try authority.certificate])
    defer { scene.stop() }
    func status(_ id: String?, method: String = "GET") throws -> String {
      let client = try id.map { try authority.issue("client", names: ["URI:\($0)"]) }
      let identity = client.map { ["--cert", $0.certificatePath, "--key", $0.keyPath] } ?? ["-4", "-4", "-4", "-4"]
      return try scene.curl(
        "/echo", host: "a.test", identity[0], identity[1], identity[2], identity[3], "-o", "/dev/null", "-w",
        "%{http_code}", "-X", method
      ).output
    }
    #expect(try status(nil) == "403")
    #expect(try status("spiffe://mesh/ns/shop/sa/cart", method: "POST") == "200")
    #expect(try status("spiffe://mesh/ns/shop/sa/old") == "403")
    #expect(try status("spiffe://mesh/ns/ops/sa/root") == "200")
    #expect(try status("spiffe://mesh/ns/ops/sa/root", method: "POST") == "403")
    #expect(try status("spiffe://mesh/ns/opsy/sa/root") == "403")
    #expect(try status("spiffe://evil/mesh/ns/shop/sa/cart") == "403")
    for line in [
      "LOG 200 allowed default/carts -\n", "LOG 403 denied default/retired -\n", "LOG 403 denied - -\n",
      "LOG 200 allowed default/carts default/watch\n",
    ] {
      try eventually("the line \(line)") { (readFile(log) ?? "").contains(line) }
    }
  }

  @Test("connections of TCP routes and of TLS that is passed through are closed")
  func connections() throws {
    let inner = try TLSScene()
    defer { inner.stop() }
    let backend = try Backend()
    let (tcp, tls) = (try ReservedPort(), try ReservedPort())
    func text(_ policies: String...) -> String {
      ([
        """
        {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gateway}, spec: {gatewayClassName: weft, \
        addresses: [{value: 127.0.0.1}], listeners: [{name: tcp, protocol: TCP, port: \(tcp.number)}, \
        {name: tls, protocol: TLS, port: \(tls.number), tls: {mode: Passthrough}}]}}
        """,
        Resources.service("backend", [backend.endpoint]), Resources.service("inner", [.port(inner.port)]),
        """
        {apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: tcp}, spec: {parentRefs: \
        [{name: gateway, sectionName: tcp}], rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]}}
        """,
        """
        {apiVersion: gateway.networking.k8s.io/v1, kind: TLSRoute, metadata: {name: tls}, spec: {parentRefs: \
        [{name: gateway, sectionName: tls}], rules: [{backendRefs: [\(Resources.backendRef("inner"))]}]}}
        """,
      ] + policies).joined(separator: "\n---\n")
    }
    let weft = try WeftProcess(["weft.yaml": text()], workers: 1)
    defer {
      weft.stop()
      backend.stop()
    }
    func ask(_ name: String) throws -> Bool {
      try Tool.run(
        "curl",
        [
          "-sS", "--max-time", "30", "--cacert", inner.authority.certificatePath, "--connect-to",
          "\(name):\(tls.number):127.0.0.1:\(tls.number)", "https://\(name):\(tls.number)/echo",
        ]
      ).code == 0
    }
    #expect(try RawClient(tcp.number).get("/echo").status == 200)
    #expect(try ask("a.test"))
    func change(_ policies: String...) throws {
      try weft.reloaded { try weft.folder.write("config/weft.yaml", text(policies.joined(separator: "\n---\n"))) }
    }
    try change(
      Self.policy("names", "rules: [{when: [{key: connection.sni, values: [b.test]}]}]"),
      Self.policy("local", "\(Self.serviceTarget), rules: [{from: [{source: {ipBlocks: [127.0.0.0/8]}}]}]"))
    #expect(try RawClient(tcp.number).untilEnd().isEmpty)
    #expect(try !ask("a.test"))
    try change(
      Self.policy(
        "names",
        "rules: [{to: [{operation: {ports: [\"\(tcp.number)\"]}}]}, {when: [{key: connection.sni, values: [a.test]}]}]"),
      Self.policy("local", "\(Self.serviceTarget), rules: [{from: [{source: {ipBlocks: [127.0.0.0/8]}}]}]"))
    #expect(try RawClient(tcp.number).get("/echo").status == 200)
    #expect(try ask("a.test"))
    // Methods mean nothing here: what denies by them denies all, what allows by them nothing.
    try change(
      Self.policy("get", "\(Self.serviceTarget), action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}]"))
    #expect(try RawClient(tcp.number).untilEnd().isEmpty)
    #expect(try ask("a.test"))
    #expect(try weft.metric("weft_authorization_decisions_total", "policy=\"default/get\"") == 1)
  }

  @Test("the example does what its page says")
  func example() throws {
    let path = "\(Self.root)/examples/authorization/gateway.yaml"
    let checked = try WeftBinary.run("check", "--strict", "-f", path)
    #expect(checked.code == 0, "\(checked.output)\(checked.errorOutput)")
    let backend = try Backend()
    defer { backend.stop() }
    let port = try ReservedPort()
    let text = try #require(readFile(path)).replacing("port: 8080", with: "port: \(port.number)")
      .replacing("127.0.0.1:9001", with: "\(backend.endpoint)")
    let weft = try WeftProcess(["gateway.yaml": text], workers: 1)
    defer { weft.stop() }
    func curl(_ path: String, _ arguments: String...) throws -> String {
      try Tool.run(
        "curl",
        ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "30", "--path-as-is", "-A", "tester"] + arguments
          + ["http://127.0.0.1:\(port.number)\(path)"]
      ).output
    }
    #expect(try !["403", "000"].contains(curl("/reviews/1")))
    #expect(try curl("/reviews/1", "-X", "POST") == "403")
    #expect(try curl("/reviews/1", "-X", "POST", "-H", "x-tenant: acme") != "403")
    for path in ["/reviews/..%2fadmin", "/admin", "/reviews/1/2", "/"] { #expect(try curl(path) == "403", "\(path)") }
    #expect(try !["403", "000"].contains(curl("/reviews/1", "-A", "curl/7.88.1")))
    #expect(
      try weft.metric("weft_authorization_decisions_total", "policy=\"default/no-old-clients\"", "would_deny") == 1)
  }

  @Test("weft routes says which policy decides")
  func explained() throws {
    let path = "\(Self.root)/examples/authorization/gateway.yaml"
    func ask(_ arguments: String...) throws -> String {
      let result = try Tool.run(WeftBinary.path, ["routes", "-f", path] + arguments)
      return result.output + result.errorOutput
    }
    let denied = try ask("GET", "http://a:8080/admin", "--source", "192.0.2.1")
    #expect(denied.contains("authorization: denied with 403 by DENY default/no-admin"), "\(denied)")
    #expect(denied.contains("DENY default/no-old-clients, tried only: does not match"), "\(denied)")
    let operators = try ask("GET", "http://a:8080/admin", "--source", "10.0.0.7")
    #expect(operators.contains("authorization: allowed: no policy denies it"), "\(operators)")
    #expect(operators.contains("authorization of the service: allowed by ALLOW default/reviews"), "\(operators)")
    let write = try ask("POST", "http://a:8080/reviews/1")
    #expect(write.contains("denied with 403: there are ALLOW policies, and none matches"), "\(write)")
    #expect(try ask("GET", "http://a:8080/", "--source", "here").contains("is no IP address"))
    #expect(try ask("GET", "http://a:8080/", "--principal", "cart").contains("is no SPIFFE ID"))
  }

  @Test("a selector that finds nobody is said to")
  func idleSelector() throws {
    let folder = try TemporaryFolder()
    let idle = Self.policy("idle", "selector: {matchLabels: {app: nobody}}, action: DENY, rules: [{}]")
    let gateway = Self.policy(
      "named", "selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: gateway}}, rules: [{}]")
    try folder.write("a.yaml", [Resources.gateway(8080), idle, gateway].joined(separator: "\n---\n"))
    let result = try WeftBinary.run("check", "-f", folder.path("a.yaml"))
    let output = result.output + result.errorOutput
    #expect(output.contains("AuthorizationPolicy default/idle governs nothing here"), "\(output)")
    #expect(!output.contains("default/named"), "\(output)")
  }
}
