import Testing

@testable import WeftConfig

@Suite struct AuthorizationPolicyTests {
  func policy(_ spec: String, metadata: String = "{name: a}", version: String = "weft.dev/v1") -> String {
    "apiVersion: \(version)\nkind: AuthorizationPolicy\nmetadata: \(metadata)\nspec:\n\(spec)"
  }

  @Test func fieldsAreRead() throws {
    let text = policy(
      """
        action: DENY
        rules:
        - from:
          - source: {principals: ["spiffe://cluster.local/ns/shop/sa/cart"], notNamespaces: [dev]}
          - source: {ipBlocks: [10.0.0.0/8], serviceAccounts: [cart, web/front]}
          to:
          - operation: {hosts: ["*.example.com"], ports: ["8080"], methods: [GET], paths: ["/a/{*}/b", "/c*"]}
          when:
          - {key: "request.headers[X-Tenant]", values: [a], notValues: ["b*"]}
          - {key: source.ip, notValues: ["::1"]}
      """, metadata: "{name: a, annotations: {istio.io/dry-run: \"true\"}}", version: "security.istio.io/v1")
    let policy = try #require(resources(text).authorizationPolicies.all.first)
    #expect(policy.action == .deny && policy.isDryRun && policy.targets.isEmpty && policy.selector == nil)
    let rule = try #require(policy.rules.first)
    #expect(rule.sources.count == 2 && rule.operations.count == 1 && rule.conditions.count == 2)
    #expect(rule.sources[0].map(\.attribute) == [.principal, .namespace])
    #expect(rule.sources[0][0].values == ["cluster.local/ns/shop/sa/cart"])
    #expect(rule.sources[0][1].values.isEmpty && rule.sources[0][1].notValues == ["dev"])
    #expect(rule.sources[1].first { $0.attribute == .serviceAccount }?.values == ["default/cart", "web/front"])
    #expect(rule.conditions[0].attribute == .header("x-tenant"))
    #expect(rule.conditions[1].attribute == .sourceIP)
  }

  @Test func theDefaultAllowsNothing() throws {
    let policy = try #require(resources(policy("  {}")).authorizationPolicies.all.first)
    #expect(policy.action == .allow && policy.rules.isEmpty && !policy.isDryRun)
  }

  /// Both groups name the same kind, and so the same resource.
  @Test func theGroupsAreOneKind() {
    let text = policy("  {}") + "\n---\n" + policy("  {}", version: "security.istio.io/v1beta1")
    #expect(diagnostics(text).contains { $0.contains("is defined twice") })
  }

  @Test(arguments: [
    ("  action: CUSTOM\n  provider: {name: x}", "use ALLOW or DENY with conditions, or a Lua filter"),
    ("  action: REJECT", "REJECT"),
    ("  action: DENY", "denies nothing; \"rules: [{}]\" denies everything"),
    ("  action: AUDIT", "has no effect"),
    ("  rules: []", "an ALLOW policy denies everything"),
    ("  rules: [{from: []}]", "is an empty list, which would mean any"),
    ("  rules: [{from: [{source: {}}]}]", "a rule without \"from\" takes any source"),
    ("  rules: [{to: [{operation: {}}]}]", "a rule without \"to\" takes any operation"),
    ("  rules: [{from: [{}]}]", "spec.rules[0].from[0].source: is missing"),
    ("  rules: [{from: [{source: {principals: []}}]}]", "is an empty list, which would mean any"),
    ("  rules: [{from: [{source: {principals: [\"\"]}}]}]", "must not be empty"),
    ("  rules: [{from: [{source: {ipBlocks: [10.0.0.0/33]}}]}]", "a network such as 10.0.0.0/8"),
    ("  rules: [{from: [{source: {ipBlocks: [example.com]}}]}]", "a network such as 10.0.0.0/8"),
    ("  rules: [{from: [{source: {serviceAccounts: [\"*\"]}}]}]", "without wildcards"),
    ("  rules: [{from: [{source: {serviceAccounts: [a], namespaces: [b]}}]}]", "cannot stand together"),
    ("  rules: [{to: [{operation: {ports: [\"0\"]}}]}]", "from 1 to 65535"),
    ("  rules: [{to: [{operation: {ports: [80]}}]}]", "write \"80\" in quotes"),
    ("  rules: [{to: [{operation: {paths: [admin]}}]}]", "paths begin with \"/\""),
    ("  rules: [{to: [{operation: {paths: [\"/a?x\"]}}]}]", "a path has no query"),
    ("  rules: [{to: [{operation: {paths: [\"/a/{*}x\"]}}]}]", "is a whole element"),
    ("  rules: [{to: [{operation: {paths: [\"/{**}/{*}\"]}}]}]", "nothing but text may follow"),
    ("  rules: [{to: [{operation: {paths: [\"/{*}/b*\"]}}]}]", "use one kind of wildcard"),
    ("  rules: [{to: [{operation: {paths: [\"/a*b\"]}}]}]", "a wildcard at one end only"),
    ("  rules: [{to: [{operation: {methods: [get]}}]}]", "methods are in upper case"),
    ("  rules: [{to: [{operation: {path: [/a]}}]}]", "did you mean \"paths\"?"),
    ("  rules: [{when: [{key: source.ips, values: [10.0.0.1]}]}]", "did you mean \"source.ip\"?"),
    ("  rules: [{when: [{key: source.ip, values: [x]}]}]", "a network such as"),
    ("  rules: [{when: [{key: source.ip}]}]", "needs values or notValues"),
    ("  rules: [{when: [{key: \"request.headers[]\", values: [x]}]}]", "names no header"),
    ("  rules: [{when: [{key: \"request.headers[:path]\", values: [x]}]}]", "names no header"),
    (
      "  rules: [{when: [{key: \"request.auth.claims[iss]\", values: [x]}]}]",
      "no RequestAuthentication verifies tokens here"
    ),
    ("  rules: [{from: [{source: {requestPrincipals: [\"*\"]}}]}]", "no RequestAuthentication verifies tokens here"),
    (
      "  selector: {matchLabels: {a: b}}\n  targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: g}]",
      "cannot stand together"
    ),
    ("  targetRefs: [{kind: HTTPRoute, group: gateway.networking.k8s.io, name: r}]", "a policy governs a Gateway"),
    ("  targetRefs: [{kind: Service, name: nobody}]", "no Service default/nobody for the policy to govern"),
  ])
  func mistakesAreNamed(spec: String, message: String) {
    let found = diagnostics(policy(spec))
    #expect(found.contains { $0.contains(message) }, "\(found)")
  }

  @Test func aDryRunIsTrueOrFalse() {
    let text = policy("  {}", metadata: "{name: a, annotations: {weft.dev/dry-run: \"yes\"}}")
    #expect(diagnostics(text).contains { $0.contains("is \"true\" or \"false\", not \"yes\"") })
  }

  @Test(arguments: [
    ("/a/{*}", [PathTemplate.Piece.text("/a/"), .element]),
    ("/{*}/b/{**}", [.text("/"), .element, .text("/b/"), .rest]),
    ("/a/{**}/b", [.text("/a/"), .rest, .text("/b")]),
  ])
  func templates(text: String, pieces: [PathTemplate.Piece]) {
    #expect(PathTemplate(text)?.pieces == pieces)
  }

  @Test func scopes() throws {
    let gateway = ResourceIdentifier(Gateway.kind, ResourceName(namespace: "default", name: "edge"))
    let scope = PolicyScope(namespace: "default", labels: ["app": "edge"], target: gateway)
    func governs(_ spec: String, _ metadata: String) throws -> Bool {
      let loaded = ConfigLoader.load(text: policy(spec, metadata: metadata)).resources
      return try #require(loaded.authorizationPolicies.all.first).governs(scope)
    }
    let byName = "  targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: edge}]"
    #expect(try governs("  {}", "{name: a}"))
    #expect(try !governs("  {}", "{name: a, namespace: other}"))
    #expect(try governs("  {}", "{name: a, namespace: weft-system}"))
    #expect(try governs("  selector: {matchLabels: {app: edge}}", "{name: a}"))
    #expect(try governs("  selector: {matchLabels: {app: edge}}", "{name: a, namespace: weft-system}"))
    #expect(try !governs("  selector: {matchLabels: {app: edge, tier: one}}", "{name: a}"))
    #expect(try governs(byName, "{name: a}"))
    #expect(try !governs(byName, "{name: a, namespace: weft-system}"))
    #expect(try !governs("  targetRefs: [{kind: Service, name: edge}]", "{name: a}"))
  }
}
