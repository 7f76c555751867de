import TestCertificates
import Testing

@Suite("Listeners of the mesh, from files", .endToEnd)
struct MeshListenerTests {
  private static func quoted(_ text: [UInt8]) -> String {
    "\"" + String(decoding: text, as: UTF8.self).replacing("\n", with: "\\n") + "\""
  }

  private static func workload(_ name: String, _ service: String, _ address: String, _ more: String = "") -> String {
    """
    {apiVersion: weft.dev/v1, kind: Workload, metadata: {name: \(name)}, \
    spec: {service: \(service), address: "\(address)"\(more)}}
    """
  }

  private static func service(_ name: String) -> String {
    "{apiVersion: weft.dev/v1, kind: Service, metadata: {name: \(name)}, spec: {}}"
  }

  private static func secret(_ identity: TestAuthority.Issued, _ authority: TestAuthority) throws -> String {
    """
    {apiVersion: v1, kind: Secret, metadata: {name: workload-identity, namespace: weft-system}, stringData: \
    {tls.crt: \(quoted(identity.certificate)), tls.key: \(quoted(identity.key)), ca.crt: \(quoted(try authority.certificate))}}
    """
  }

  private static func outbound(_ port: Int) -> String {
    """
    {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: out, annotations: \
    {weft.dev/mesh: outbound}}, spec: {gatewayClassName: weft, addresses: [{value: 127.0.0.1}], \
    listeners: [{name: http, protocol: HTTP, port: \(port)}]}}
    """
  }

  @Test("requests go to services by host, over mutual TLS to those who are what they say, by routes of the service")
  func outboundListener() throws {
    let authority = try TestAuthority()
    let mesh = "spiffe://mesh/ns/default/sa"
    let inbound = try TLSScene(
      authority, options: "weft.dev/client-auth: require, weft.dev/ca-file: ca.crt",
      files: ["ca.crt": try authority.certificate])
    defer { inbound.stop() }
    let plain = try Backend("plain")
    defer { plain.stop() }
    let port = try ReservedPort()
    let identity = try authority.issue("cart", names: ["URI:\(mesh)/cart"])
    let mutual = ", mutualTLS: true, identity: \"spiffe://mesh/edge\""
    let weft = try WeftProcess([
      "weft.yaml": [
        Self.outbound(port.number), try Self.secret(identity, authority),
        Self.service("reviews"), Self.workload("r1", "reviews", "127.0.0.1:\(inbound.port)", mutual),
        Self.workload(
          "r2", "reviews", "127.0.0.1:9", ", health: Unhealthy, mutualTLS: true, identity: \"spiffe://a/b\""),
        Self.service("details"), Self.workload("d1", "details", "127.0.0.1:\(plain.port)"),
        Self.service("ratings"),
        Self.workload("x1", "ratings", "127.0.0.1:\(inbound.port)", ", mutualTLS: true, identity: \"\(mesh)/ratings\""),
        Self.service("mixed"), Self.workload("m1", "mixed", "127.0.0.1:\(inbound.port)", mutual),
        Self.workload("m2", "mixed", "127.0.0.1:\(plain.port)"),
        """
        {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: split}, spec: {parentRefs: \
        [{group: weft.dev, kind: Service, name: details}], hostnames: [nobody.example], rules: [{matches: \
        [{headers: [{name: x-go, value: away}]}], backendRefs: [\(Resources.backendRef("reviews"))]}, \
        {matches: [{path: {value: /}}], backendRefs: [\(Resources.backendRef("details"))]}]}}
        """,
      ].joined(separator: "\n---\n")
    ])
    defer { weft.stop() }
    func ask(_ host: String, _ path: String = "/echo", _ more: String...) throws -> ToolResult {
      try Tool.run(
        "curl",
        ["-sS", "--max-time", "30", "-w", "\n%{http_code}", "-H", "host: \(host)"] + more
          + ["http://127.0.0.1:\(port.number)\(path)"])
    }
    for host in [
      "reviews", "Reviews:9080", "reviews.default", "reviews.default.svc", "reviews.default.svc.cluster.local",
    ] {
      let answer = try ask(host)
      #expect(answer.output.hasSuffix("\n200"), "\(host): \(answer.output)")
      #expect(answer.output.contains("x-forwarded-proto: https"), "it came over TLS: \(answer.output)")
    }
    let proxied = try Tool.run(
      "curl",
      [
        "-sS", "--max-time", "30", "-x", "http://127.0.0.1:\(port.number)",
        "http://reviews.default.svc.cluster.local/body",
      ])
    #expect(proxied.code == 0, "\(proxied.errorOutput)")

    #expect(try ask("details").output.contains("x-forwarded-proto: http\r\n"))
    #expect(try ask("details", "/echo", "-H", "x-go: away").output.contains("x-forwarded-proto: https"))

    // The other side is somebody else than the workload says.
    let wrong = try ask("ratings")
    #expect(wrong.output.hasSuffix("\n503"), "\(wrong.output)")
    // No such service, and nobody who could know one.
    #expect(try ask("ghost").output.hasSuffix("\n404"))

    var protocols: Set<String> = []
    for _ in 0..<6 {
      let output = try ask("mixed").output
      #expect(output.hasSuffix("\n200"), "\(output)")
      protocols.insert(output.contains("x-forwarded-proto: https") ? "https" : "http")
    }
    #expect(protocols == ["http", "https"], "each endpoint as it wants it")
  }

  @Test("the ports of a core Service are told apart by the host's port; without one it is port 80, or the first")
  func ports() throws {
    let (web, admin) = (try Backend("web"), try Backend("admin"))
    defer {
      web.stop()
      admin.stop()
    }
    let port = try ReservedPort()
    let weft = try WeftProcess([
      "weft.yaml": [
        Self.outbound(port.number),
        """
        {apiVersion: v1, kind: Service, metadata: {name: app, namespace: shop}, spec: {clusterIP: 10.9.8.7, ports: \
        [{name: admin, port: 81}, {name: web, port: 80}]}}
        """,
        """
        {apiVersion: weft.dev/v1, kind: Workload, metadata: {name: a, namespace: shop}, \
        spec: {service: app, port: 80, address: "127.0.0.1:\(web.port)"}}
        """,
        """
        {apiVersion: weft.dev/v1, kind: Workload, metadata: {name: b, namespace: shop}, \
        spec: {service: app, port: 81, address: "127.0.0.1:\(admin.port)"}}
        """,
      ].joined(separator: "\n---\n")
    ])
    defer { weft.stop() }
    for (host, name) in [
      ("app.shop", "web"), ("app.shop:80", "web"), ("app.shop:81", "admin"), ("10.9.8.7", "web"),
      ("10.9.8.7:81", "admin"),
    ] {
      let client = try RawClient(port.number)
      try client.send("GET / HTTP/1.1\r\nhost: \(host)\r\n\r\n")
      let answer = try client.response(to: "GET")
      #expect(answer.status == 200 && answer.text == "\(name)\n", "\(host): \(answer.status) \(answer.text)")
    }
    for host in ["app", "app.shop:82", "shop"] {
      let client = try RawClient(port.number)
      try client.send("GET / HTTP/1.1\r\nhost: \(host)\r\n\r\n")
      #expect(try client.response(to: "GET").status == 404, "\(host)")
    }
  }
}
