import Testing

@testable import WeftConfig

@Suite struct GatewayTests {
  /// A Gateway with `listeners`, on line 6.
  func gateway(_ listeners: String, more: String = "") -> String {
    """
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: edge}
    spec:
      gatewayClassName: weft
      listeners: \(listeners)
    \(more)
    """
  }

  @Test func everyField() throws {
    let set = resources(
      """
      apiVersion: gateway.networking.k8s.io/v1beta1
      kind: Gateway
      metadata:
        name: edge
        namespace: infra
        labels: {a: b}
        annotations: {c.d/e: f}
        creationTimestamp: "2024-01-01T00:00:00Z"
        uid: x
      spec:
        gatewayClassName: weft
        addresses: [{type: IPAddress, value: 127.0.0.1}, {value: "::1"}]
        infrastructure: {labels: {a: b}}
        tls:
          frontend:
            default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}
            perPort: [{port: 8443, tls: {}}]
          backend: {clientCertificateRef: {name: client}}
        listeners:
        - name: http
          port: 80
          protocol: HTTP
        - name: https
          hostname: "*.example.com"
          port: 443
          protocol: HTTPS
          tls: {mode: Terminate, certificateRefs: [{name: cert}], options: {weft.dev/min-version: "1.3"}}
          allowedRoutes:
            namespaces:
              from: Selector
              selector:
                matchLabels: {team: web}
                matchExpressions: [{key: env, operator: In, values: [prod]}]
            kinds: [{kind: HTTPRoute}]
      status: {conditions: []}
      ---
      apiVersion: v1
      kind: Secret
      metadata: {name: cert, namespace: infra}
      type: kubernetes.io/tls
      data: {tls.crt: YQ==}
      stringData: {tls.key: b}
      """)
    let gateway = try #require(set.gateways[ResourceName(namespace: "infra", name: "edge")])
    #expect(gateway.metadata.labels == ["a": "b"] && gateway.metadata.annotations == ["c.d/e": "f"])
    #expect(gateway.metadata.creationTimestamp == "2024-01-01T00:00:00Z")
    #expect(gateway.addresses.map(\.value) == ["127.0.0.1", "::1"])
    #expect(gateway.listeners.map(\.protocol) == [.http, .https])
    #expect(gateway.listeners[0].allowedRoutes.namespaces == .same)
    let secure = gateway.listeners[1]
    #expect(secure.tls?.certificateRefs.map(\.name.description) == ["infra/cert"])
    #expect(secure.allowedRoutes.kinds == [HTTPRoute.kind])
    guard case .selected(let selector) = secure.allowedRoutes.namespaces else {
      Issue.record("no selector")
      return
    }
    #expect(selector.selects(["team": "web", "env": "prod"]) && !selector.selects(["team": "web"]))
    #expect(gateway.tls?.defaultValidation?.mode == .allowValidOnly)
    #expect(gateway.tls?.clientCertificateRef?.name.name == "client")
  }

  @Test(arguments: [
    ("[]", "6: spec.listeners: needs at least 1 element"),
    ("[{name: a, port: 0, protocol: HTTP}]", "6: spec.listeners[0].port: 0 is out of range; allowed are 1 to 65535"),
    (
      "[{name: a, port: 80, protocol: http}]",
      "6: spec.listeners[0].protocol: unknown value \"http\"; did you mean \"HTTP\"?"
    ),
    (
      "[{name: a, port: 80, protocol: HTTP}, {name: a, port: 81, protocol: HTTP}]",
      "6: spec.listeners[1]: another listener of this Gateway is named \"a\" as well"
    ),
    (
      "[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP}]",
      "6: spec.listeners[1]: has the same port, protocol and hostname as listener \"a\"; change one of them"
    ),
    (
      "[{name: a, port: 80, protocol: HTTP, tls: {certificateRefs: [{name: a}]}}]",
      "6: spec.listeners[0].tls: must not be given with protocol HTTP"
    ),
    ("[{name: a, port: 443, protocol: HTTPS}]", "6: spec.listeners[0].tls: is missing; protocol HTTPS needs it"),
    (
      "[{name: a, port: 443, protocol: HTTPS, tls: {}}]",
      "6: spec.listeners[0].tls.certificateRefs: is missing; mode Terminate needs a certificate"
    ),
    (
      "[{name: a, port: 443, protocol: TLS, tls: {certificateRefs: [{name: a}]}}]",
      "6: spec.listeners[0].tls: needs a mode with protocol TLS: Terminate or Passthrough"
    ),
    (
      "[{name: a, port: 9, protocol: TCP, hostname: a.com}]",
      "6: spec.listeners[0].hostname: must not be given with protocol TCP"
    ),
    (
      "[{name: a, port: 80, protocol: HTTP, hostname: 10.0.0.1}]",
      """
      6: spec.listeners[0].hostname: "10.0.0.1" is not allowed; use a lower-case DNS name such as "api.example.com" or \
      "*.example.com", not an address
      """
    ),
    (
      "[{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}]",
      """
      6: spec.listeners[0].allowedRoutes.namespaces.selector: is missing; "from: Selector" needs it
      """
    ),
    (
      "[{name: a, port: 80, protocol: HTTP}]\n  addresses: [{value: localhost}]",
      "7: spec.addresses[0].value: \"localhost\" is no IP address; write one such as 127.0.0.1 or ::1"
    ),
    (
      "[{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}}]",
      """
      6: warning: spec.listeners[0].tls.certificateRefs[0]: no Secret named "a" in namespace "default" \
      (ResolvedRefs=False, reason InvalidCertificateRef)
      """
    ),
  ])
  func mistakes(listeners: String, message: String) {
    #expect(diagnostics(gateway(listeners)) == ["a.yaml:\(message)"])
  }

  @Test func protocolsOfOnePortMustAgree() throws {
    let text = gateway(
      """
      [{name: a, port: 443, protocol: HTTP}, {name: b, port: 443, protocol: TLS, tls: {mode: Passthrough}}, \
      {name: c, port: 443, protocol: HTTPS, hostname: c.com, tls: {options: {a: b}}}]
      """)
    #expect(
      diagnostics(text) == [
        """
        a.yaml:6: warning: spec.listeners[0]: the listener is not accepted: default/edge/b has the same port and \
        another protocol (Conflicted=True, reason ProtocolConflict)
        """,
        """
        a.yaml:6: warning: spec.listeners[1]: the listener is not accepted: default/edge/a has the same port and \
        another protocol (Conflicted=True, reason ProtocolConflict)
        """,
        """
        a.yaml:6: warning: spec.listeners[2]: the listener is not accepted: default/edge/a has the same port and \
        another protocol (Conflicted=True, reason ProtocolConflict)
        """,
      ])
  }
}
