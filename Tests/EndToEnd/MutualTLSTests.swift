import TestCertificates
import Testing

@Suite("Mutual TLS", .endToEnd)
struct MutualTLSTests {
  static let filter = Resources.filter("callers", type: "mtls", config: "allow: [{prefix: \"spiffe://mesh/\"}]")

  @Test("a listener demands valid client certificates, and the filter passes them on")
  func clientCertificates() throws {
    let authority = try TestAuthority()
    let revoked = try authority.issue("revoked", names: ["URI:spiffe://mesh/revoked"])
    let scene = try TLSScene(
      authority,
      options: "weft.dev/client-auth: require, weft.dev/ca-file: ca.crt, weft.dev/crl-file: ca.crl",
      filters: Resources.reference("callers"), more: [Self.filter],
      files: ["ca.crt": try authority.certificate, "ca.crl": try authority.revocationList(revoking: [revoked])])
    defer { scene.stop() }
    func ask(_ client: TestAuthority.Issued?, _ more: String...) throws -> ToolResult {
      let identity = client.map { ["--cert", $0.certificatePath, "--key", $0.keyPath] } ?? ["-4", "-4", "-4", "-4"]
      return try scene.curl(
        "/echo", host: "a.test", identity[0], identity[1], identity[2], identity[3], "-H",
        "x-forwarded-client-cert: Hash=forged", "-w", "\n%{http_code}", "--tls-max", more.first ?? "1.3")
    }
    let good = try authority.issue("cart", names: ["URI:spiffe://mesh/ns/shop/sa/cart"])
    for version in ["1.2", "1.3"] {
      let result = try ask(good, version)
      #expect(result.output.hasSuffix("\n200"), "\(result.errorOutput)")
      let field = TLSScene.fields(result.output).first { $0.lowercased().hasPrefix("x-forwarded-client-cert") }
      #expect(field?.contains("forged") == false)
      #expect(field?.contains("By=spiffe://mesh/edge;Hash=") == true)
      #expect(field?.hasSuffix("Subject=\"CN=cart\";URI=spiffe://mesh/ns/shop/sa/cart") == true)
    }
    let stranger = try ask(authority.issue("evil", names: ["URI:spiffe://evil/x"]))
    #expect(stranger.output.hasSuffix("\n403"))
    let other = try TestAuthority("Other CA")
    for (client, message) in [
      (nil, "the client sent no certificate"), (try authority.issue("late", days: -2), "expired 2 days ago: CN=late"),
      (try other.issue("alien"), "CN=alien"), (revoked, "revoked: CN=revoked"),
    ] {
      #expect(try ask(client).code != 0, "\(message)")
      try eventually("the reason: \(message)") { scene.weft.log.contains(message) }
    }
    for reason in ["no_certificate", "expired", "unknown_authority", "revoked"] {
      #expect(try scene.weft.metric("weft_downstream_tls_failures_total", "reason=\"\(reason)\"") == 1)
    }
  }

  @Test("scripts see the client's certificate")
  func lua() throws {
    let authority = try TestAuthority()
    let script = """
      function on_request(h) local t = h:connection():ssl(); local p = t:parsedSubjectPeerCertificate(); \
      h:headers():replace('x-tls', table.concat({t:tlsVersion(), tostring(t:peerCertificateValidated()), \
      t:uriSanPeerCertificate()[1] or '-', p and p:commonName() or '-', t:uriSanLocalCertificate()[1], \
      t:expirationPeerCertificate() > 0 and 'ends' or '-'}, ' ')) end
      """
    let scene = try TLSScene(
      authority, options: "weft.dev/client-auth: request, weft.dev/ca-file: ca.crt",
      filters: Resources.reference("script"),
      more: [Resources.filter("script", type: "lua", config: "script: \"\(script)\"")],
      files: ["ca.crt": try authority.certificate])
    defer { scene.stop() }
    let client = try authority.issue("cart", names: ["URI:spiffe://mesh/cart"])
    let known = try scene.curl("/echo", host: "a.test", "--cert", client.certificatePath, "--key", client.keyPath)
    #expect(known.output.contains("x-tls: TLSv1.3 true spiffe://mesh/cart cart spiffe://mesh/edge ends"), "\(known)")
    let unknown = try scene.curl("/echo")
    #expect(unknown.output.contains("x-tls: TLSv1.3 false - - spiffe://mesh/edge -"), "\(unknown)")
  }

  @Test("access logs tell versions and identities")
  func accessLog() throws {
    let authority = try TestAuthority()
    let folder = try TemporaryFolder()
    let template =
      "%REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SUBJECT%"
    let scene = try TLSScene(
      authority, options: "weft.dev/client-auth: request, weft.dev/ca-file: ca.crt",
      proxy: "accessLog: [{path: \(folder.path("log")), format: text, template: \"\(template)\\n\"}]",
      files: ["ca.crt": try authority.certificate])
    defer { scene.stop() }
    let client = try authority.issue("cart", names: ["URI:spiffe://mesh/cart", "URI:urn:cart"])
    let known = try scene.curl("/echo", host: "a.test", "--cert", client.certificatePath, "--key", client.keyPath)
    #expect(known.code == 0, "\(known.errorOutput)")
    #expect(try scene.curl("/echo", host: "a.test", "--tls-max", "1.2").code == 0)
    try eventually("two lines") { (readFile(folder.path("log")) ?? "").split(separator: "\n").count == 2 }
    #expect(
      readFile(folder.path("log"))
        == "a.test TLSv1.3 spiffe://mesh/cart,urn:cart CN=cart\na.test TLSv1.2 - -\n")
  }

  @Test("the Gateway's frontend validation, with and without fallback")
  func frontendValidation() throws {
    for mode in ["AllowValidOnly", "AllowInsecureFallback"] {
      let authority = try TestAuthority()
      let pem = String(decoding: try authority.certificate, as: UTF8.self)
      let authorities =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca}\ndata:\n  ca.crt: |\n"
        + pem.split(separator: "\n").map { "    \($0)\n" }.joined()
      let scene = try TLSScene(
        authority,
        gateway:
          "tls: {frontend: {default: {validation: {mode: \(mode), caCertificateRefs: [{group: \"\", kind: ConfigMap, name: ca}]}}}}",
        filters: Resources.reference("callers"), more: [Self.filter, authorities])
      defer { scene.stop() }
      let client = try authority.issue("cart", names: ["URI:spiffe://mesh/cart"])
      let good = try scene.curl(
        "/echo", host: "a.test", "--cert", client.certificatePath, "--key", client.keyPath, "-o", "/dev/null", "-w",
        "%{http_code}")
      #expect(good.output == "200", "\(good.errorOutput)")
      let bad = try scene.curl("/echo", host: "a.test", "-o", "/dev/null", "-w", "%{http_code}")
      if mode == "AllowValidOnly" { #expect(bad.code != 0) } else { #expect(bad.output == "403") }
    }
  }

  /// client → proxy → mutual TLS → proxy → backend.
  @Test("two proxies speak mutual TLS with each other, verify names, and resume sessions")
  func sidecars() throws {
    let authority = try TestAuthority()
    let identity = try authority.issue("cart", names: ["URI:spiffe://mesh/cart"])
    let server = try TLSScene(
      authority, options: "weft.dev/client-auth: require, weft.dev/ca-file: ca.crt",
      filters: Resources.reference("callers"), more: [Self.filter], files: ["ca.crt": try authority.certificate])
    defer { server.stop() }
    func policy(_ subject: String) -> String {
      """
      {apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: policy}, spec: {\
      targetRefs: [{group: weft.dev, kind: Service, name: backend}], validation: {hostname: a.test\(subject)}, options: {\
      weft.dev/ca-file: ca.crt, weft.dev/certificate-file: client.crt, weft.dev/key-file: client.key}}}
      """
    }
    let port = try ReservedPort()
    func text(_ subject: String) -> String {
      [
        Resources.proxy(), Resources.gateway(port.number),
        Resources.service(
          "backend", endpoints: ["\"127.0.0.1:\(server.port)\""], "connectionPool: {maxRequestsPerConnection: 4}"),
        Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]"), policy(subject),
      ].joined(separator: "\n---\n") + "\n"
    }
    let folder = try TemporaryFolder()
    try folder.write("config/ca.crt", String(decoding: authority.certificate, as: UTF8.self))
    try folder.write("config/client.crt", String(decoding: identity.certificate, as: UTF8.self))
    try folder.write("config/client.key", String(decoding: identity.key, as: UTF8.self))
    let client = try WeftProcess(["weft.yaml": text("")], workers: 1, folder: folder)
    defer { client.stop() }
    for size in [0, 1, 20_000, 3_000_000] {
      let response = try RawClient(port.number).get("/big?n=\(size)")
      #expect(response.status == 200)
      #expect(response.body == BackendPaths.pattern(size))
    }
    for _ in 0..<12 {
      let response = try RawClient(port.number).get("/echo")
      #expect(response.status == 200)
      #expect(response.text.contains("URI=spiffe://mesh/cart"))
    }
    #expect(try client.metric("weft_upstream_tls_handshakes_total") == 4)
    #expect(try client.metric("weft_upstream_tls_resumptions_total") == 3)
    #expect(try server.weft.metric("weft_downstream_tls_resumptions_total") == 3)

    // Another name is demanded: connections of the old demand are not used again.
    try client.reloaded {
      try writeFile(
        folder.path("config/weft.yaml"), text(", subjectAltNames: [{type: URI, uri: \"spiffe://mesh/edge\"}]"))
    }
    #expect(try RawClient(port.number).get("/echo").status == 200)
    #expect(try client.metric("weft_upstream_tls_handshakes_total") == 5)
    try client.reloaded {
      try writeFile(
        folder.path("config/weft.yaml"), text(", subjectAltNames: [{type: URI, uri: \"spiffe://mesh/other\"}]"))
    }
    let refused = try RawClient(port.number).get("/echo")
    #expect(refused.status == 503)
    #expect(refused.text == "no secure connection to the upstream\n")
    try eventually("the reason") {
      client.log.contains("the certificate is for another name: CN=a.test")
    }
    #expect(try client.metric("weft_upstream_tls_failures_total", "reason=\"wrong_name\"") == 1)
  }

  @Test("two proxies speak HTTP/2 over mutual TLS")
  func sidecarsHTTP2() throws {
    let authority = try TestAuthority()
    let identity = try authority.issue("cart", names: ["URI:spiffe://mesh/cart"])
    let server = try TLSScene(
      authority, options: "weft.dev/client-auth: require, weft.dev/ca-file: ca.crt",
      filters: Resources.reference("callers"), more: [Self.filter], files: ["ca.crt": try authority.certificate])
    defer { server.stop() }
    let folder = try TemporaryFolder()
    try folder.write("config/ca.crt", String(decoding: authority.certificate, as: UTF8.self))
    try folder.write("config/client.crt", String(decoding: identity.certificate, as: UTF8.self))
    try folder.write("config/client.key", String(decoding: identity.key, as: UTF8.self))
    let port = try ReservedPort()
    func text(_ hostname: String) -> String {
      [
        Resources.proxy(), Resources.gateway(port.number),
        Resources.service("backend", endpoints: ["\"127.0.0.1:\(server.port)\""], "protocol: http2"),
        Resources.route("route", "rules: [{backendRefs: [\(Resources.backendRef("backend"))]}]"),
        """
        {apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: policy}, spec: {\
        targetRefs: [{group: weft.dev, kind: Service, name: backend}], validation: {hostname: \(hostname)}, options: {\
        weft.dev/ca-file: ca.crt, weft.dev/certificate-file: client.crt, weft.dev/key-file: client.key}}}
        """,
      ].joined(separator: "\n---\n") + "\n"
    }
    let client = try WeftProcess(["weft.yaml": text("a.test")], workers: 1, folder: folder)
    defer { client.stop() }
    for size in [0, 1, 20_000, 3_000_000] {
      let response = try RawClient(port.number).get("/big?n=\(size)")
      #expect(response.status == 200)
      #expect(response.body == BackendPaths.pattern(size))
    }
    for _ in 0..<12 {
      #expect(try RawClient(port.number).get("/echo").text.contains("URI=spiffe://mesh/cart"))
    }
    let load = Load(clients: 8, port: { port.number })
    try load.wait(forMore: 200)
    #expect(try load.stop() == [])
    let handshakes = try client.metric("weft_upstream_tls_handshakes_total")
    #expect(handshakes == 1)
    try client.reloaded { try writeFile(folder.path("config/weft.yaml"), text("b.test")) }
    try eventually("requests on new connections to be refused") {
      try RawClient(port.number).get("/echo").status == 503
    }
  }

  @Test("a policy whose authorities are missing keeps requests from going out in the clear")
  func unusablePolicy() throws {
    let scene = try Scene(
      more: [
        """
        {apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: policy}, spec: {\
        targetRefs: [{group: weft.dev, kind: Service, name: backend}], validation: {hostname: a.test, \
        caCertificateRefs: [{group: "", kind: ConfigMap, name: nowhere}]}}}
        """
      ])
    defer { scene.stop() }
    #expect(try scene.get("/echo").status == 503)
    #expect(scene.backend.requests.isEmpty)
  }
}
