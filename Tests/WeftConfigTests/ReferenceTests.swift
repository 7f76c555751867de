import Testing

@testable import WeftConfig

@Suite struct ReferenceTests {
  @Test(arguments: [
    (
      "{group: weft.dev, name: wbe}",
      """
      no weft.dev Service named "wbe" in namespace "default"; did you mean "web"?; requests for it are answered with \
      500 (ResolvedRefs=False, reason BackendNotFound)
      """
    ),
    (
      "{name: web, port: 80}",
      """
      no Service named "web" in namespace "default"; there is a weft.dev Service of that name: add "group: weft.dev"; \
      requests for it are answered with 500 (ResolvedRefs=False, reason BackendNotFound)
      """
    ),
    (
      "{name: core, port: 80}",
      "Service default/core has no EndpointSlice, Workload or clusterIP; requests for it are answered with 503"
    ),
    (
      "{name: core, port: 81}",
      """
      Service default/core has no port 81; it has 80, 53; requests for it are answered with 500 (ResolvedRefs=False, \
      reason BackendNotFound)
      """
    ),
    (
      "{name: core, port: 53}",
      """
      port 53 of default/core is not TCP; requests for it are answered with 500 (ResolvedRefs=False, reason \
      UnsupportedProtocol)
      """
    ),
    (
      "{kind: Bucket, group: a.com, name: x}",
      """
      a Bucket.a.com is no backend; use a Service; requests for it are answered with 500 (ResolvedRefs=False, reason \
      InvalidKind)
      """
    ),
    (
      "{name: far, namespace: other, port: 80}",
      """
      no ReferenceGrant in namespace "other" lets a HTTPRoute of "default" refer to it; requests for it are answered \
      with 500 (ResolvedRefs=False, reason RefNotPermitted)
      """
    ),
  ])
  func backends(reference: String, message: String) {
    let core = """
      ---
      apiVersion: v1
      kind: Service
      metadata: {name: core}
      spec: {ports: [{name: a, port: 80}, {name: b, port: 53, protocol: UDP}]}
      ---
      apiVersion: v1
      kind: Service
      metadata: {name: far, namespace: other}
      spec: {ports: [{port: 80}]}
      """
    #expect(
      diagnostics(rule("  - backendRefs: [\(reference)]") + "\n" + core) == [
        "a.yaml:7: warning: spec.rules[0].backendRefs[0]: \(message)"
      ])
  }

  @Test func aGrantPermits() throws {
    let text =
      rule("  - backendRefs: [{group: weft.dev, name: far, namespace: other}]") + """

        ---
        apiVersion: weft.dev/v1
        kind: Service
        metadata: {name: far, namespace: other}
        spec: {endpoints: ["127.0.0.1:1"]}
        ---
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: g, namespace: other}
        spec:
          from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
          to: [{group: weft.dev, kind: Service, name: far}]
        """
    let set = resources(text)
    let reference = try #require(set.httpRoutes.all.first?.rules.first?.backendRefs.first?.reference)
    guard case .weftService(let service) = set.resolve(reference, from: HTTPRoute.kind, in: "default") else {
      Issue.record("unresolved")
      return
    }
    #expect(service.name.description == "other/far")
    guard case .unresolved(.refNotPermitted, _) = set.resolve(reference, from: HTTPRoute.kind, in: "third") else {
      Issue.record("a grant for one namespace served another")
      return
    }
  }

  @Test(arguments: [
    (
      "{name: egde}",
      """
      Accepted=False, reason NoMatchingParent|no Gateway named "egde" in namespace "default"; did you mean "edge"?
      """
    ),
    (
      "{name: edge, sectionName: https}",
      "Accepted=False, reason NoMatchingParent|Gateway default/edge has no such listener; it has http (port 80)"
    ),
    (
      "{name: edge, port: 81}",
      "Accepted=False, reason NoMatchingParent|Gateway default/edge has no such listener; it has http (port 80)"
    ),
    ("{kind: Service, group: '', name: x}", "Accepted=False, reason NoMatchingParent|no Service default/x"),
    (
      "{kind: Mesh, group: a.com, name: x}",
      "Accepted=False, reason InvalidKind|a route cannot be attached to a Mesh.a.com"
    ),
  ])
  func parents(reference: String, expected: String) {
    let parts = expected.split(separator: "|").map(String.init)
    #expect(
      diagnostics(route("  parentRefs: [\(reference)]")) == [
        "a.yaml:5: warning: spec.parentRefs[0]: the route is not attached: \(parts[1]) (\(parts[0]))"
      ])
  }

  @Test func noParents() {
    #expect(
      diagnostics(route("  rules: [{}]")) == [
        "a.yaml:1: warning: HTTPRoute default/web has no parentRefs, so it takes no requests"
      ])
  }

  /// A Gateway of namespace infra with `listener`, and a route of namespace shop with `hostnames`.
  func attachment(listener: String, hostnames: String, more: String = "") throws -> (
    attached: [RouteAttachment], rejected: [RouteRejection]
  ) {
    let loaded = ConfigLoader.load(
      text: """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: edge, namespace: infra}
        spec:
          gatewayClassName: weft
          listeners: [{name: http, port: 80, protocol: HTTP, \(listener)}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: web, namespace: shop}
        spec:
          parentRefs: [{name: edge, namespace: infra}]
          hostnames: [\(hostnames)]
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop, labels: {team: web}}
        \(more)
        """)
    #expect(!loaded.hasErrors, "\(loaded.diagnostics)")
    return loaded.resources.attachments(of: try #require(loaded.resources.httpRoutes.all.first))
  }

  @Test(
    arguments: [
      ("allowedRoutes: {namespaces: {from: All}}", nil),
      ("allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: web}}}}", nil),
      (
        "allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}}",
        nil
      ),
      ("allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: x}}}}", .notAllowedByListeners),
      ("allowedRoutes: {namespaces: {from: Same}}", .notAllowedByListeners),
      ("allowedRoutes: {namespaces: {from: None}}", .notAllowedByListeners),
      ("allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}", .notAllowedByListeners),
      ("hostname: b.com, allowedRoutes: {namespaces: {from: All}}", .noMatchingListenerHostname),
    ] as [(String, ConditionReason?)])
  func listenersChoose(listener: String, reason: ConditionReason?) throws {
    let result = try attachment(listener: listener, hostnames: "a.com")
    #expect(result.rejected.map(\.reason) == (reason.map { [$0] } ?? []))
    #expect(result.attached.count == (reason == nil ? 1 : 0))
  }

  @Test(
    arguments: [
      (nil, [], []),
      (nil, ["a.com"], ["a.com"]),
      ("a.com", [], ["a.com"]),
      ("*.example.com", ["test.example.com", "test.example.net"], ["test.example.com"]),
      ("*.example.com", ["*.example.com"], ["*.example.com"]),
      ("*.example.com", ["*.foo.example.com"], ["*.foo.example.com"]),
      ("*.foo.example.com", ["*.example.com"], ["*.foo.example.com"]),
      ("test.example.com", ["*.example.com"], ["test.example.com"]),
      ("test.example.com", ["*.example.com", "test.example.com"], ["test.example.com"]),
      ("*.example.com", ["a.b.example.com"], ["a.b.example.com"]),
      ("*.example.com", ["example.com"], nil),
      ("*.example.com", ["badexample.com"], nil),
      ("a.com", ["b.com"], nil),
      ("*.a.com", ["*.b.com"], nil),
    ] as [(String?, [String], [String]?)])
  func hostnamesIntersect(listener: String?, route: [String], expected: [String]?) {
    #expect(Hostnames.intersection(listener: listener, route: route) == expected)
  }

  @Test func brokenResourcesAreReportedOnce() {
    let text =
      rule("  - filters: [{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: x}}]") + """

        ---
        apiVersion: weft.dev/v1
        kind: Filter
        metadata: {name: x}
        spec: {}
        """
    #expect(diagnostics(text) == ["a.yaml:29: spec.type: is missing; it must be given"])
  }

  @Test func filtersOfOtherNamespacesCannotBeUsed() {
    let text =
      rule("  - filters: [{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: other}}]") + """

        ---
        apiVersion: weft.dev/v1
        kind: Filter
        metadata: {name: other, namespace: shop}
        spec: {type: cors}
        """
    #expect(
      diagnostics(text) == [
        """
        a.yaml:7: spec.rules[0].filters[0].extensionRef: no Filter named "other" in namespace "default"; the one in \
        "shop" cannot be used from here
        """
      ])
  }
}
