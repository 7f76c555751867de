import Testing

@testable import WeftConfig

/// A GRPCRoute with `spec` (indented by two) in file `a.yaml`, its first line being line 5.
private func grpcRoute(_ spec: String) -> String {
  route(spec).replacing("kind: HTTPRoute", with: "kind: GRPCRoute")
    .replacing("endpoints: [\"127.0.0.1:9001\"]", with: "protocol: http2, endpoints: [\"127.0.0.1:9001\"]")
}

private func grpcRule(_ rule: String) -> String {
  grpcRoute("  parentRefs: [{name: edge}]\n  rules:\n\(rule)")
}

@Suite struct GRPCRouteTests {
  @Test func defaults() throws {
    let set = resources(grpcRule("  - backendRefs: [{group: weft.dev, name: web}]"))
    let route = try #require(set.grpcRoutes.all.first)
    let rule = try #require(route.rules.first)
    #expect(rule.matches == [.everything] && rule.matches[0].method == nil && rule.filters.isEmpty)
    #expect(rule.backendRefs.map(\.weight) == [1] && rule.name == nil && rule.sessionPersistence == nil)
    #expect(set.attachments(of: route).attached.count == 1)
  }

  @Test func matches() throws {
    let set = resources(
      grpcRule(
        """
          - matches:
            - method: {service: helloworld.Greeter, method: SayHello}
              headers: [{name: Version, value: "2"}, {type: RegularExpression, name: User, value: "a.*"}]
            - method: {type: RegularExpression, method: "Say.+"}
            - method: {service: .helloworld.Greeter}
            - method: {service: "", method: Say}
            - headers: [{name: x, value: y}]
            backendRefs: [{group: weft.dev, name: web}]
        """))
    let matches = try #require(set.grpcRoutes.all.first?.rules.first?.matches)
    #expect(matches.map { $0.method?.service } == ["helloworld.Greeter", nil, ".helloworld.Greeter", nil, nil])
    #expect(matches.map { $0.method?.method } == ["SayHello", "Say.+", nil, "Say", nil])
    #expect(matches.map { $0.method?.type } == [.exact, .regularExpression, .exact, .exact, nil])
    #expect(matches[0].headers.map(\.name) == ["Version", "User"])
  }

  static let mistakes: [(rule: String, messages: [String])] = [
    ("  - matches: [{method: {}}]", ["names neither a service nor a method"]),
    ("  - matches: [{method: {service: ''}}]", ["names neither a service nor a method"]),
    ("  - matches: [{method: {service: a/b}}]", ["a gRPC service is named like helloworld.Greeter"]),
    ("  - matches: [{method: {service: a..b}}]", ["a gRPC service is named like"]),
    ("  - matches: [{method: {method: 1a}}]", ["a gRPC method is named like SayHello"]),
    ("  - matches: [{method: {method: a.b}}]", ["a gRPC method is named like SayHello"]),
    ("  - matches: [{method: {type: RegularExpression, service: 'a)('}}]", ["regular expression"]),
    ("  - matches: [{method: {type: PathPrefix, service: a}}]", ["\"PathPrefix\""]),
    ("  - matches: [{path: {value: /a}}]", ["path"]),
    ("  - timeouts: {request: 1s}", ["timeouts"]),
    (
      "  - filters: [{type: URLRewrite, urlRewrite: {hostname: a.example.com}}]",
      ["URLRewrite is no filter of this kind of route; use one of RequestHeaderModifier, ResponseHeaderModifier, "]
    ),
    (
      "  - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}, "
        + "{type: RequestHeaderModifier, requestHeaderModifier: {remove: [b]}}]",
      ["may stand only once"]
    ),
    ("  - name: same\n  - name: same", ["is named \"same\" as well"]),
  ]

  @Test(arguments: mistakes)
  func reported(rule: String, messages: [String]) {
    let found = diagnostics(grpcRule(rule)).filter { $0.contains("error") || !$0.contains("warning") }
    #expect(found.count == messages.count, "\(found)")
    for (text, message) in zip(found, messages) { #expect(text.contains(message)) }
  }

  @Test func withoutRulesItTakesNothing() {
    let found = diagnostics(grpcRoute("  parentRefs: [{name: edge}]"))
    #expect(found.count == 1 && found[0].contains("has no rules"), "\(found)")
  }

  @Test func aBackendThatSpeaksAnotherProtocolIsReported() {
    let text = grpcRule("  - backendRefs: [{group: weft.dev, name: web}]")
    #expect(diagnostics(text) == [])
    let found = diagnostics(text.replacing("protocol: http2", with: "protocol: http1"))
    #expect(found.count == 1 && found[0].contains("gRPC needs HTTP/2"), "\(found)")
    #expect(diagnostics(text.replacing("protocol: http2, ", with: "")) == [])
  }

  // MARK: Beside HTTPRoutes

  private func both(_ http: String, _ grpc: String, httpAge: String = "", grpcAge: String = "") -> String {
    """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: a-http\(httpAge)}
    spec:
      parentRefs: [{name: edge}]
      hostnames: [\(http)]
      rules: [{backendRefs: [{group: weft.dev, name: web}]}]
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: GRPCRoute
    metadata: {name: b-grpc\(grpcAge)}
    spec:
      parentRefs: [{name: edge}]
      hostnames: [\(grpc)]
      rules: [{backendRefs: [{group: weft.dev, name: web}]}]
    ---
    \(surroundings)
    """
  }

  /// Which of the two is attached.
  private func attached(_ text: String) -> (http: Bool, grpc: Bool) {
    let set = ConfigLoader.load(text: text, file: "a.yaml").resources
    let isAccepted = { (kind: String) in
      set.conditions.contains { $0.resource.kind.kind == kind && $0.type == .accepted && $0.status }
    }
    return (isAccepted("HTTPRoute"), isAccepted("GRPCRoute"))
  }

  @Test(arguments: [
    ("a.example.com", "b.example.com", false), ("a.example.com", "a.example.com", true), ("", "a.example.com", true),
    ("a.example.com", "", true), ("", "", true), ("'*.example.com'", "a.b.example.com", true),
    ("a.b.example.com", "'*.example.com'", true), ("'*.example.com'", "'*.b.example.com'", true),
    ("'*.b.example.com'", "'*.example.com'", true), ("'*.a.example.com'", "'*.b.example.com'", false),
    ("example.com", "'*.example.com'", false),
  ])
  func routesOfBothKindsShareNoHostname(http: String, grpc: String, conflict: Bool) {
    let text = both(http, grpc)
    #expect(attached(text) == (true, !conflict))
    let found = diagnostics(text)
    #expect(found.contains { $0.contains("Accepted=False, reason HostnameConflict") } == conflict, "\(found)")
  }

  @Test func theOlderRouteKeepsTheHostname() {
    #expect(
      attached(
        both(
          "a.example.com", "a.example.com", httpAge: ", creationTimestamp: '2024-05-02T10:00:00Z'",
          grpcAge: ", creationTimestamp: '2024-05-01T10:00:00Z'")) == (false, true))
    #expect(
      attached(both("a.example.com", "a.example.com", grpcAge: ", creationTimestamp: '2024-05-01T10:00:00Z'"))
        == (false, true))
  }

  @Test func forTheSameServiceGRPCGoesFirst() {
    let text = both("", "").replacing("{name: edge}]", with: "{group: weft.dev, kind: Service, name: web}]")
      .replacing("metadata: {group: weft.dev, kind: Service, name: web}]", with: "metadata: {name: edge}")
    #expect(attached(text) == (false, true))
  }
}
