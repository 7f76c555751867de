import TestCertificates
import Testing
import WeftFilter
import WeftFilters
import WeftTLS

@Suite struct MTLSTests {
  /// A connection whose client showed a certificate.
  static func connection(
    _ names: [String] = ["URI:spiffe://mesh/ns/shop/sa/cart", "DNS:cart.shop"], verified: Bool = true
  ) throws -> DownstreamTLS {
    let authority = try TestAuthority()
    let client = try authority.issue("cart", names: names)
    let server = try authority.issue("edge", names: ["URI:spiffe://mesh/ns/edge/sa/edge"])
    return DownstreamTLS(
      version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256",
      peer: try TLSIdentity(certificates: client.certificate, key: client.key).certificate, isPeerVerified: verified,
      local: try TLSIdentity(certificates: server.certificate, key: server.key).certificate)
  }

  @Test func anIdentityIsDemanded() throws {
    let bench = try bench(MTLS.self, "{}")
    #expect(try bench.request().response?.status == 403)
    let (unverified, verified) = (try Self.connection(verified: false), try Self.connection())
    let refused = try bench.request { $0.tls = unverified }
    #expect(refused.response?.status == 403)
    #expect(refused.upstreamRequest == nil)
    #expect(try bench.request { $0.tls = verified }.upstreamRequest != nil)
    #expect(bench.metric("weft_filter_mtls_decisions_total", ["mtls", "no_identity"]) == 2)
    #expect(bench.metric("weft_filter_mtls_decisions_total", ["mtls", "allowed"]) == 1)
  }

  @Test(arguments: [
    ("allow: [{exact: spiffe://mesh/ns/shop/sa/cart}]", true),
    ("allow: [{exact: spiffe://mesh/ns/shop/sa/car}]", false),
    ("allow: [{prefix: spiffe://mesh/ns/shop/}]", true),
    ("allow: [{prefix: spiffe://mesh/ns/other/}]", false),
    ("allow: [{regex: \"spiffe://mesh/ns/[a-z]+/sa/cart\"}]", true),
    ("allow: [{regex: \"spiffe://mesh\"}]", false),
    ("allow: [{kind: dns, exact: CART.shop}]", true),
    ("allow: [{kind: uri, prefix: spiffe://}]", true),
    ("allow: [{kind: subject, exact: CN=cart}]", true),
    ("allow: [{kind: email, prefix: a}, {kind: dns, exact: cart.shop}]", true),
    ("deny: [{prefix: spiffe://mesh/ns/shop/}]", false),
    ("{allow: [{kind: dns, exact: cart.shop}], deny: [{regex: \".*cart\"}]}", false),
    ("deny: [{kind: dns, exact: other}]", true),
  ])
  func identitiesAreMatched(yaml: String, passes: Bool) throws {
    let bench = try bench(MTLS.self, yaml)
    let tls = try Self.connection()
    let exchange = try bench.request { $0.tls = tls }
    #expect((exchange.upstreamRequest != nil) == passes)
    if !passes { #expect(exchange.response?.status == 403) }
  }

  @Test(arguments: ["replace", "append", "keep", "remove"])
  func theFieldIsForwarded(mode: String) throws {
    let tls = try Self.connection()
    let own =
      "By=spiffe://mesh/ns/edge/sa/edge;Hash=\(tls.peer?.digest ?? "");Subject=\"CN=cart\";URI=spiffe://mesh/ns/shop/sa/cart"
    for (connection, isVerified) in [(tls, true), (try Self.connection(verified: false), false), (nil, false)] {
      let bench = try bench(MTLS.self, "{require: false, forward: \(mode)}")
      let exchange = try bench.request("GET", "/", ["x-forwarded-client-cert: Hash=forged"]) { $0.tls = connection }
      let expected: String? =
        switch mode {
        case "replace": isVerified ? own : nil
        case "append": isVerified ? "Hash=forged,\(own)" : nil
        case "keep": isVerified ? "Hash=forged" : nil
        default: nil
        }
      #expect(exchange.upstreamRequest?["x-forwarded-client-cert"] == expected, "\(mode) \(isVerified)")
    }
  }

  @Test func detailsAreChosen() throws {
    let bench = try bench(MTLS.self, "details: [dns, cert]")
    let tls = try Self.connection()
    let field = try #require(try bench.request { $0.tls = tls }.upstreamRequest?["x-forwarded-client-cert"])
    #expect(field.hasPrefix("DNS=cart.shop;Cert=\"-----BEGIN%20CERTIFICATE-----%0A"))
  }

  /// Names come from whoever made the certificate.
  @Test func namesCannotBreakOut() throws {
    let bench = try bench(MTLS.self, "details: [uri]")
    let tls = try Self.connection(["URI:http://a;Hash=y"])
    let field = try #require(try bench.request { $0.tls = tls }.upstreamRequest?["x-forwarded-client-cert"])
    #expect(field.hasPrefix("URI=\"") && field.hasSuffix("\""))
    #expect(!field.dropFirst(5).dropLast().replacing("\\\"", with: "").contains("\""))
  }

  @Test func mistakesAreFound() {
    #expect(!findings(MTLS.self, "allow: [{}]").isEmpty)
    #expect(!findings(MTLS.self, "allow: [{exact: a, prefix: b}]").isEmpty)
    #expect(!findings(MTLS.self, "allow: [{kind: ip, exact: a}]").isEmpty)
    #expect(!findings(MTLS.self, "allow: [{regex: \"(\"}]").isEmpty)
    #expect(!findings(MTLS.self, "forward: sometimes").isEmpty)
    #expect(!findings(MTLS.self, "{require: false, allow: [{kind: dns, exact: a}]}").isEmpty)
  }
}
