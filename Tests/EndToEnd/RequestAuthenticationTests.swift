import Testing

@Suite("RequestAuthentication: tokens of requests", .endToEnd)
struct RequestAuthenticationTests {
  private static let issuer = "https://issuer.example"

  private func scene(_ keys: TokenIssuer, rule: String = "", policy: String? = nil) throws -> Scene {
    let authentication = """
      {apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: tokens}, spec: {jwtRules: [{issuer: \
      "\(Self.issuer)", jwks: '\(keys.jwks)'\(rule)}]}}
      """
    return try Scene(
      rules: "[{backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [authentication]
        + (policy.map {
          ["{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: who}, spec: {rules: \($0)}}"]
        } ?? []))
  }

  private func get(_ scene: Scene, _ token: String?, path: String = "/echo", more: String = "") throws -> HTTPMessage {
    let client = try scene.client()
    let field = token.map { "authorization: Bearer \($0)\r\n" } ?? ""
    try client.send("GET \(path) HTTP/1.1\r\nhost: a\r\n\(field)\(more)\r\n")
    return try client.response(to: "GET")
  }

  @Test("good tokens of every algorithm pass, those that are not good get 401, and none at all passes as nobody")
  func verifies() throws {
    let keys = try TokenIssuer()
    let scene = try scene(keys, rule: ", audiences: [shop, other]")
    defer { scene.stop() }
    let claims = #"{"iss":"https://issuer.example","sub":"ann","aud":["shop"],"exp":4000000000}"#
    for (algorithm, key) in [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed"), ("HS256", "hs")] {
      let token = try keys.token(algorithm, key, claims)
      let answer = try get(scene, token)
      #expect(answer.status == 200 && !answer.text.contains("authorization"), "\(algorithm): \(answer.text)")
      // From the worker's memory, the second time.
      #expect(try get(scene, token).status == 200)
      // The last character carries bits that the signature does not have.
      let middle = token.index(token.endIndex, offsetBy: -20)
      let broken = token[..<middle] + (token[middle] == "A" ? "B" : "A") + token[token.index(after: middle)...]
      let refused = try get(scene, String(broken))
      #expect(refused.status == 401 && refused.text == "Jwt verification fails\n", "\(algorithm)")
      #expect(refused.values("www-authenticate") == ["Bearer error=\"invalid_token\""])
    }
    #expect(try get(scene, nil).status == 200)
    #expect(try get(scene, nil, more: "authorization: Basic YTpi\r\n").status == 200)
    let good = try keys.token(claims)
    for (name, token) in [
      ("no token", "nonsense"), ("two parts", "a.b"), ("alg none", try keys.token("none", "ec", claims)),
      // A public key as the secret of an HMAC is an old trick.
      ("another algorithm", try keys.token("HS256", "ec", claims)),
      ("ended", try keys.token(#"{"iss":"https://issuer.example","sub":"ann","aud":"shop","exp":1000000000}"#)),
      ("early", try keys.token(#"{"iss":"https://issuer.example","sub":"ann","aud":"shop","nbf":4000000000}"#)),
      ("no time", try keys.token(#"{"iss":"https://issuer.example","sub":"ann","aud":"shop","exp":"tomorrow"}"#)),
      ("another audience", try keys.token(#"{"iss":"https://issuer.example","sub":"ann","aud":"bank"}"#)),
      ("no audience", try keys.token(#"{"iss":"https://issuer.example","sub":"ann"}"#)),
      ("another issuer", try keys.token(#"{"iss":"https://elsewhere.example","sub":"ann","aud":"shop"}"#)),
      ("no issuer", try keys.token(#"{"sub":"ann","aud":"shop"}"#)), ("a part more", good + ".x"),
    ] {
      #expect(try get(scene, token).status == 401, "\(name)")
    }
    // One that is good does not help one that is not.
    #expect(try get(scene, good, more: "authorization: Bearer nonsense\r\n").status == 401)
    #expect(try scene.weft.metric("weft_request_authentication_failures_total", "reason=\"expired\"") == 1)
  }

  @Test("policies ask for principals, audiences, presenters and claims of tokens")
  func policies() throws {
    let keys = try TokenIssuer()
    let scene = try scene(
      keys,
      policy: """
        [{from: [{source: {requestPrincipals: ["https://issuer.example/ann"]}}], to: [{operation: {paths: [/echo]}}]}, \
        {to: [{operation: {paths: [/admin]}}], when: [{key: "request.auth.claims[groups]", values: [admins]}, \
        {key: "request.auth.claims[org][unit]", values: ["7"]}]}, \
        {to: [{operation: {paths: [/write]}}], when: [{key: "request.auth.claims[scope]", values: [write]}]}, \
        {to: [{operation: {paths: [/shop]}}], when: [{key: request.auth.audiences, values: [shop]}, \
        {key: request.auth.presenter, values: [app]}]}]
        """)
    defer { scene.stop() }
    func token(_ more: String) throws -> String { try keys.token("{\"iss\":\"https://issuer.example\"\(more)}") }
    let ann = try token(
      #","sub":"ann","groups":["staff","admins"],"org":{"unit":7},"scope":"read write","aud":["x","shop"],"azp":"app""#)
    let bob = try token(#","sub":"bob","groups":["staff"],"org":{"unit":8},"scope":"read","aud":"x","azp":"app""#)
    for (path, status) in [("/echo", 200), ("/admin", 200), ("/write", 200), ("/shop", 200)] {
      #expect(try get(scene, ann, path: path).status == status, "\(path)")
      #expect(try get(scene, bob, path: path).status == 403, "\(path)")
      #expect(try get(scene, nil, path: path).status == 403, "\(path)")
    }
    #expect(try get(scene, "x.y.z").status == 401)
  }

  @Test(
    "tokens are found where the rule says, are kept or taken off, and claims go into fields that clients cannot set")
  func places() throws {
    let keys = try TokenIssuer()
    let scene = try scene(
      keys,
      rule: """
        , fromHeaders: [{name: x-token, prefix: "JWT "}, {name: x-plain}], fromParams: [t], fromCookies: [session], \
        forwardOriginalToken: true, outputClaimToHeaders: [{header: x-user, claim: sub}, {header: x-unit, claim: \
        org.unit}], outputPayloadToHeader: x-claims
        """)
    defer { scene.stop() }
    let token = try keys.token(#"{"iss":"https://issuer.example","sub":"ann","org":{"unit":7}}"#)
    for (path, field) in [
      ("/echo", "x-token: jwt \(token)"), ("/echo", "x-plain: \(token)"), ("/echo?t=\(token)", "x-a: b"),
      ("/echo", "cookie: a=b; session=\(token); c=d"),
    ] {
      let echo = try get(scene, nil, path: path, more: field + "\r\nx-user: root\r\nx-claims: root\r\n").text
      #expect(echo.contains("x-user: ann") && echo.contains("x-unit: 7") && !echo.contains("root"), "\(echo)")
      #expect(echo.contains("x-claims: \(token.split(separator: ".")[1])"), "\(echo)")
      #expect(echo.contains(token), "the token is kept")
    }
    // Not where this rule looks.
    let elsewhere = try get(scene, "nonsense", more: "x-user: root\r\nx-claims: root\r\n")
    #expect(elsewhere.status == 200 && !elsewhere.text.contains("root"), "\(elsewhere.text)")
    #expect(try get(scene, nil, more: "cookie: session=nonsense\r\n").status == 401)
    #expect(try get(scene, nil, more: "cookie: sessions=nonsense\r\n").status == 200)
    #expect(try get(scene, nil, path: "/echo?t=nonsense").status == 401)
  }

  @Test("keys that cannot be used, and what is not supported, are errors with a place")
  func mistakes() throws {
    let folder = try TemporaryFolder()
    for (rule, message) in [
      ("{issuer: a, jwks: '{\"keys\":[]}'}", "jwks holds no key to verify with"),
      ("{issuer: a, jwks: 'x'}", "jwks is no JSON"),
      (
        "{issuer: a, jwks: '{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}'}",
        "keys[0]: cannot use the public key"
      ),
      ("{issuer: a, jwks: '{\"keys\":[{\"kty\":\"oct\",\"k\":\"AQAB\"}]}'}", "at least 32 are needed"),
      ("{issuer: a, jwksUri: \"ftp://a.example/keys\"}", "is no address of a key set"),
      ("{issuer: a, jwksUri: \"https://a.example/keys\", jwks: '{}'}", "cannot stand together with"),
      ("{issuer: a}", "jwksUri: is missing"),
      ("{issuer: a, jwksUri: \"https://a.example/keys\", timeout: 2m}", "timeout"),
      ("{jwks: '{}'}", "issuer"),
    ] {
      try folder.write(
        "a.yaml",
        """
        {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g}, spec: {gatewayClassName: weft, \
        listeners: [{name: a, protocol: HTTP, port: 8080}]}}
        ---
        {apiVersion: weft.dev/v1, kind: RequestAuthentication, metadata: {name: tokens}, spec: {jwtRules: [\(rule)]}}
        """)
      let result = try WeftBinary.run("check", "-f", folder.path("a.yaml"))
      #expect(
        result.code == 1 && (result.output + result.errorOutput).contains(message),
        "\(rule): \(result.output)\(result.errorOutput)")
    }
  }
}
