import Testing

@testable import WeftProxy

/// What policies mean, field by field.
@Suite struct AuthorizationSetTests {
  typealias Case = AuthorizationCase

  static func rule(_ part: String) -> String { "action: ALLOW, rules: [{\(part)}]" }
  static func to(_ operation: String) -> String { rule("to: [{operation: {\(operation)}}]") }
  static func from(_ source: String) -> String { rule("from: [{source: {\(source)}}]") }
  static func when(_ key: String, _ values: String) -> String { rule("when: [{key: \"\(key)\", \(values)}]") }
  static let deny = "action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]"

  @Test func theOrderOfEvaluation() throws {
    let admin = Case(target: "/admin")
    #expect(try admin.decide([]) == AuthorizationDecision(isAllowed: true, policy: -1))
    #expect(try Case().decide([Self.deny]) == AuthorizationDecision(isAllowed: true, policy: -1))
    // DENY first, whatever the order.
    #expect(try admin.decide(["rules: [{}]", Self.deny]) == AuthorizationDecision(isAllowed: false, policy: 1))
    #expect(try Case().decide([Self.deny, "rules: [{}]"]) == AuthorizationDecision(isAllowed: true, policy: 1))
    // With ALLOW policies, one has to match.
    #expect(try Case().decide([Self.to("paths: [/x]")]) == AuthorizationDecision(isAllowed: false, policy: -1))
    #expect(try Case().decide([Self.to("paths: [/x]"), Self.to("paths: [/]")]).policy == 1)
    #expect(try !Case().isAllowed("action: ALLOW"))
    // AUDIT decides nothing.
    #expect(try admin.isAllowed("action: AUDIT, rules: [{}]"))
  }

  @Test(arguments: [
    ("/info", "/info", true), ("/info", "/info/", false), ("/info", "/infos", false), ("/info*", "/info", true),
    ("/info*", "/info/a", true), ("*.txt", "/a/b.txt", true), ("*.txt", "/a/b.txt.bak", false), ("*", "/", true),
    ("/a/{*}/c", "/a/b/c", true), ("/a/{*}/c", "/a/b/b/c", false), ("/a/{*}/c", "/a//c", false),
    ("/a/{*}", "/a/", false),
    ("/a/{*}", "/a/b", true), ("/a/{*}", "/a/b/", false), ("/a/{**}", "/a/", true), ("/a/{**}", "/a/b/c", true),
    ("/a/{**}", "/a", false), ("/a/{**}/z", "/a/b/c/z", true), ("/a/{**}/z", "/a/z", false),
    ("/{*}/b/{**}", "/a/b/", true), ("/{*}/b/{**}", "/a/c/", false), ("/info", "/info?x=1", true),
  ])
  func paths(pattern: String, target: String, isMatch: Bool) throws {
    #expect(try Case(target: target).isAllowed(Self.to("paths: [\"\(pattern)\"]")) == isMatch)
    #expect(try Case(target: target).isAllowed(Self.to("notPaths: [\"\(pattern)\"]")) == !isMatch)
  }

  @Test(arguments: [
    ("a.test", "a.test", true), ("a.test", "A.TEST", true), ("A.test", "a.TEST:8080", true),
    ("a.test", "a.test.", true),
    ("a.test", "a.test.:80", true), ("a.test.", "a.test", true), ("a.test", "b.a.test", false),
    ("*.a.test", "b.A.test:1", true), ("*.a.test", "a.test", false), ("a.*", "a.test:80", true), ("*", "x", true),
    ("a.test:8080", "a.test:8080", true), ("a.test:8080", "a.test:8081", false), ("a.test:80", "a.test", true),
    ("a.test:443", "a.test", false), ("a.test:*", "a.test:9", true), ("a.test:*", "a.test", true),
    ("[::1]", "[::1]:8080", true), ("[::1]:8080", "[::1]:8080", true), ("[::1]:80", "[::1]:81", false),
  ])
  func hosts(pattern: String, host: String, isMatch: Bool) throws {
    #expect(try Case(host: host).isAllowed(Self.to("hosts: [\"\(pattern)\"]")) == isMatch)
  }

  @Test func methodsAndPorts() throws {
    #expect(try Case(method: "POST").isAllowed(Self.to("methods: [GET, POST]")))
    #expect(try !Case(method: "PUT").isAllowed(Self.to("methods: [GET, POST]")))
    #expect(try Case(method: "PUT").isAllowed(Self.to("notMethods: [GET]")))
    #expect(try Case().isAllowed(Self.to("ports: [\"8080\"]")))
    #expect(try !Case().isAllowed(Self.to("ports: [\"80\"]")))
    #expect(try Case().isAllowed(Self.to("notPorts: [\"80\"]")))
    #expect(try Case().isAllowed(Self.when("destination.port", "values: [\"8080\"]")))
  }

  static let cart = "spiffe://cluster.local/ns/shop/sa/cart"

  @Test(arguments: [
    ("principals: [\"cluster.local/ns/shop/sa/cart\"]", true),
    ("principals: [\"spiffe://cluster.local/ns/shop/sa/cart\"]", true),
    ("principals: [\"*\"]", true), ("principals: [\"*/sa/cart\"]", true),
    ("principals: [\"cluster.local/ns/shop/*\"]", true),
    ("principals: [\"cluster.local/ns/shop/sa/car\"]", false), ("notPrincipals: [\"*/sa/cart\"]", false),
    ("notPrincipals: [\"*/sa/web\"]", true), ("namespaces: [shop]", true), ("namespaces: [shopping]", false),
    ("namespaces: [\"sh*\"]", true), ("notNamespaces: [shop]", false), ("serviceAccounts: [shop/cart]", true),
    ("serviceAccounts: [cart]", false), ("notServiceAccounts: [shop/cart]", false),
  ])
  func sources(source: String, isMatch: Bool) throws {
    #expect(try Case(principal: Self.cart).isAllowed(Self.from(source)) == isMatch)
  }

  /// Nobody proved to be anybody: what asks for an identity does not hold, and what excludes one does.
  @Test(arguments: [
    ("principals: [\"*\"]", false), ("namespaces: [\"*\"]", false), ("principals: [\"*cart\"]", false),
    ("notPrincipals: [\"*\"]", true), ("notNamespaces: [shop]", true), ("serviceAccounts: [shop/cart]", false),
    ("requestPrincipals: [\"*\"]", false), ("notRequestPrincipals: [\"*\"]", true),
  ])
  func nobody(source: String, isMatch: Bool) throws {
    #expect(try Case().isAllowed(Self.from(source)) == isMatch)
  }

  /// Names that look like workloads' and are none.
  @Test(arguments: [
    "spiffe://d/x/ns/shop/sa/cart", "spiffe://d/ns/shop", "spiffe://d/ns/shop/sa/cart/x", "spiffe://d/ns//sa/cart",
    "spiffe://d/ns/shop/sa/", "spiffe://d/sa/shop/ns/cart",
  ])
  func onlyWorkloadsHaveNamespaces(principal: String) throws {
    #expect(try !Case(principal: principal).isAllowed(Self.from("namespaces: [\"*\"]")))
    #expect(try Case(principal: principal).isAllowed(Self.from("principals: [\"*\"]")))
  }

  @Test(arguments: [
    ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.1.2.3", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
    ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("2001:db8::/32", "2001:db8::1", true),
    ("2001:db8::/32", "2001:db9::1", false),
    ("0.0.0.0/0", "::1", false), ("::/0", "10.0.0.1", false), ("10.0.0.1", "10.0.0.1", true),
    ("10.0.0.1", "unix", false),
  ])
  func addresses(block: String, source: String, isMatch: Bool) throws {
    #expect(try Case(source: source).isAllowed(Self.from("ipBlocks: [\"\(block)\"]")) == isMatch)
    #expect(try Case(source: source).isAllowed(Self.from("notIpBlocks: [\"\(block)\"]")) == !isMatch)
    #expect(try Case(source: source).isAllowed(Self.when("source.ip", "values: [\"\(block)\"]")) == isMatch)
  }

  @Test func theClientBehindTrustedProxies() throws {
    let request = Case(source: "10.0.0.1", remote: "198.51.100.7")
    #expect(try request.isAllowed(Self.from("remoteIpBlocks: [198.51.100.0/24]")))
    #expect(try !request.isAllowed(Self.from("ipBlocks: [198.51.100.0/24]")))
    #expect(try !request.isAllowed(Self.from("notRemoteIpBlocks: [198.51.100.0/24]")))
  }

  @Test func headersAndNames() throws {
    let header = Self.when("request.headers[X-Tenant]", "values: [\"a*\"], notValues: [ab]")
    #expect(try Case(fields: ["x-tenant: aa"]).isAllowed(header))
    #expect(try Case(fields: ["X-TENANT: aa"]).isAllowed(header))
    #expect(try !Case(fields: ["x-tenant: ab"]).isAllowed(header))
    #expect(try !Case(fields: ["x-tenant: b"]).isAllowed(header))
    #expect(try !Case().isAllowed(header))
    #expect(try !Case(fields: ["x-tenant:"]).isAllowed(Self.when("request.headers[x-tenant]", "values: [\"*\"]")))
    #expect(try Case().isAllowed(Self.when("request.headers[x-tenant]", "notValues: [b]")))
    #expect(try Case(serverName: "A.test").isAllowed(Self.when("connection.sni", "values: [\"*.test\"]")))
    #expect(try !Case().isAllowed(Self.when("connection.sni", "values: [\"*\"]")))
  }

  /// Entries are alternatives, fields of an entry must all hold, and so must from, to and when.
  @Test func combinations() throws {
    let policy = """
      rules: [{from: [{source: {ipBlocks: [10.0.0.0/8], notIpBlocks: [10.9.0.0/16]}}, {source: {ipBlocks: [192.0.2.1]}}], \
      to: [{operation: {methods: [GET], paths: [/a]}}, {operation: {methods: [POST], paths: [/b]}}]}, \
      {to: [{operation: {paths: [/open]}}]}]
      """
    #expect(try Case(target: "/a", source: "10.1.0.1").isAllowed(policy))
    #expect(try !Case(target: "/a", source: "10.9.0.1").isAllowed(policy))
    #expect(try Case(method: "POST", target: "/b").isAllowed(policy))
    #expect(try !Case(method: "GET", target: "/b").isAllowed(policy))
    #expect(try !Case(target: "/a", source: "8.8.8.8").isAllowed(policy))
    #expect(try Case(target: "/open", source: "8.8.8.8").isAllowed(policy))
  }

  /// Of a connection nothing of HTTP is known: that denies, and never allows.
  @Test func connections() throws {
    let connection = Case(principal: Self.cart, port: 9000, serverName: "db.test", isConnection: true)
    #expect(try connection.isAllowed(Self.from("namespaces: [shop]")))
    #expect(try connection.isAllowed(Self.when("connection.sni", "values: [db.test]")))
    #expect(try !connection.isAllowed(Self.to("ports: [\"9000\"], methods: [GET]")))
    #expect(try !connection.isAllowed(Self.to("notPaths: [/x]")))
    #expect(
      try !connection.isAllowed("action: DENY, rules: [{to: [{operation: {methods: [GET], ports: [\"9000\"]}}]}]"))
    #expect(try connection.isAllowed("action: DENY, rules: [{to: [{operation: {methods: [GET], ports: [\"80\"]}}]}]"))
    #expect(try !connection.isAllowed("action: DENY, rules: [{to: [{operation: {paths: [/x]}}]}]"))
  }

  @Test func policiesThatAreTriedDecideNothing() throws {
    let tried = "weft.dev/dry-run: \"true\""
    let admin = Case(target: "/admin")
    #expect(try admin.decide([Self.deny], annotations: tried).isAllowed)
    var said: [String] = []
    let policies = [Self.deny, Self.to("paths: [/x]"), "action: AUDIT, rules: [{}]"]
    try admin.ask(policies, annotations: tried) { set, input in
      #expect(set.hasObservers)
      set.observe(&input, set.decide(&input)) { said.append("\($0) \($1)") }
    }
    #expect(said == ["2 audited", "0 wouldDeny", "-1 wouldDeny"])
    said = []
    try Case(target: "/x").ask(policies) { set, input in
      set.observe(&input, set.decide(&input)) { said.append("\($0) \($1)") }
    }
    #expect(said == ["2 audited"])
  }
}
