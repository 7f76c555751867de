import TestCertificates
import Testing

@Suite("Listeners that take plain connections besides TLS, or instead", .endToEnd)
struct PeerAuthenticationTests {
  static func plain(_ scene: TLSScene, _ arguments: String...) throws -> ToolResult {
    try Tool.run(
      "curl",
      ["-sS", "--max-time", "30", "-w", "\n%{http_code}"] + arguments + ["http://127.0.0.1:\(scene.port)/echo"])
  }

  @Test("permissive: the first byte tells TLS from plain HTTP")
  func permissive() throws {
    let authority = try TestAuthority()
    let scene = try TLSScene(
      authority,
      options: "weft.dev/peer-authentication: permissive, weft.dev/client-auth: require, weft.dev/ca-file: ca.crt",
      proxy: "timeouts: {tlsHandshake: 2s}",
      more: [
        AuthorizationTests.policy(
          "who",
          "action: DENY, rules: [{from: [{source: {notPrincipals: [\"*\"]}}], to: [{operation: {paths: [/secret]}}]}]")
      ], files: ["ca.crt": try authority.certificate])
    defer { scene.stop() }
    let client = try authority.issue("cart", names: ["URI:spiffe://mesh/ns/shop/sa/cart"])
    func secure(_ path: String, _ more: String...) throws -> ToolResult {
      try Tool.run(
        "curl",
        [
          "-sS", "--max-time", "30", "--cacert", authority.certificatePath, "--resolve",
          "a.test:\(scene.port):127.0.0.1", "--cert", client.certificatePath, "--key", client.keyPath, "-w",
          "\n%{http_code}",
        ] + more + ["https://a.test:\(scene.port)\(path)"])
    }
    for _ in 0..<2 {
      let tls = try secure("/echo")
      #expect(tls.output.hasSuffix("\n200") && tls.output.contains("x-forwarded-proto: https"), "\(tls.errorOutput)")
      let plain = try Self.plain(scene)
      #expect(plain.output.hasSuffix("\n200") && plain.output.contains("x-forwarded-proto: http\r"), "\(plain)")
    }
    let http2 = try Self.plain(scene, "--http2-prior-knowledge")
    #expect(http2.output.hasSuffix("\n200"), "\(http2)")
    // TLS without a certificate is refused as before, and a plain client has no identity.
    #expect(try scene.curl("/echo").code != 0)
    #expect(try !secure("/secret").output.hasSuffix("\n403"))
    let raw = try RawClient(scene.port)
    #expect(try raw.get("/secret").status == 403)
    #expect(try raw.get("/echo").status == 200)
    // A request in pieces, and one client that says nothing: it has the time of a handshake.
    let slow = try RawClient(scene.port)
    try slow.send("G")
    try slow.send("ET /echo HTTP/1.1\r\nhost: a\r\n\r\n")
    #expect(try slow.response().status == 200)
    #expect(try RawClient(scene.port).ends())
    try eventually("the time-out to be counted") {
      try scene.weft.metric("weft_downstream_tls_failures_total", "reason=\"timeout\"") == 1
    }
    // A client that leaves before its first byte.
    try RawClient(scene.port).socket.close()
    #expect(try scene.weft.metric("weft_downstream_plain_connections_total") == 5)
    try eventually("no connection to be left but the two") {
      try scene.weft.metric("weft_downstream_connections_active") <= 2
    }
  }

  @Test("disable: plain only; strict: certificates only; and both need what they need")
  func others() throws {
    let authority = try TestAuthority()
    let plain = try TLSScene(authority, options: "weft.dev/peer-authentication: disable")
    defer { plain.stop() }
    #expect(try Self.plain(plain).output.hasSuffix("\n200"))
    #expect(try plain.curl("/echo").code != 0)
    let strict = try TLSScene(
      authority,
      options: "weft.dev/peer-authentication: strict, weft.dev/client-auth: require, weft.dev/ca-file: ca.crt",
      files: ["ca.crt": try authority.certificate])
    defer { strict.stop() }
    #expect(try strict.curl("/echo").code != 0)
    #expect(try Self.plain(strict).output.contains("this port speaks TLS"))
    let client = try authority.issue("cart")
    let fine = try strict.curl("/echo", host: "a.test", "--cert", client.certificatePath, "--key", client.keyPath)
    #expect(fine.code == 0, "\(fine.errorOutput)")
  }

  @Test(
    "mistakes are named",
    arguments: [
      ("HTTPS", "weft.dev/peer-authentication: strict", "demands a certificate of clients, and nothing says"),
      ("HTTPS", "weft.dev/peer-authentication: lax", "strict, permissive, disable"),
      ("TLS", "weft.dev/peer-authentication: disable", "use protocol TCP"),
    ])
  func mistakes(kind: String, option: String, message: String) throws {
    let authority = try TestAuthority()
    let server = try authority.issue("a.test", names: ["DNS:a.test"])
    let folder = try TemporaryFolder()
    try folder.write(
      "a.yaml",
      """
      {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gateway}, spec: {gatewayClassName: weft, \
      listeners: [{name: a, protocol: \(kind), port: 8443, tls: {mode: Terminate, options: {weft.dev/certificate-file: \
      \(server.certificatePath), weft.dev/key-file: \(server.keyPath), \(option)}}}]}}
      """)
    let result = try WeftBinary.run("check", "-f", folder.path("a.yaml"))
    #expect(result.code != 0 && (result.output + result.errorOutput).contains(message), "\(result)")
  }
}
