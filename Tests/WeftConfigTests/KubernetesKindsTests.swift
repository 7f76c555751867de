import Testing

@testable import WeftConfig

@Suite struct KubernetesKindsTests {
  @Test func serviceAndSlices() throws {
    let set = resources(
      """
      apiVersion: v1
      kind: Service
      metadata: {name: web, namespace: shop}
      spec:
        selector: {app: web}
        clusterIP: None
        sessionAffinity: None
        ports:
        - {name: http, port: 80, targetPort: web, appProtocol: http, nodePort: 30080}
        - {name: admin, port: 81}
        - {name: dns, port: 81, protocol: UDP, targetPort: 53}
      ---
      apiVersion: discovery.k8s.io/v1
      kind: EndpointSlice
      metadata:
        name: web-1
        namespace: shop
        labels: {kubernetes.io/service-name: web}
      addressType: IPv4
      endpoints:
      - addresses: [10.0.0.1]
        conditions: {ready: true, serving: true, terminating: false}
        zone: a
        nodeName: n
      - addresses: [10.0.0.2]
        conditions: {ready: false}
      - addresses: [10.0.0.3]
      ports:
      - {name: http, port: 8080, protocol: TCP}
      """)
    let name = ResourceName(namespace: "shop", name: "web")
    let service = try #require(set.services[name])
    #expect(service.isHeadless && service.selector == ["app": "web"])
    #expect(service.ports.map(\.targetPort) == [.name("web"), .number(81), .number(53)])
    #expect(service.ports.map(\.isTCP) == [true, true, false])
    let slice = try #require(set.endpointSlices(of: name).first)
    #expect(slice.endpoints.map(\.isReady) == [true, false, true])
    #expect(slice.endpoints.map(\.isServing) == [true, false, true])
    #expect(slice.endpoints[0].zone == "a")
    #expect(slice.ports.map(\.port) == [8080])
  }

  @Test func secretsAndConfigMaps() throws {
    let set = resources(
      """
      apiVersion: v1
      kind: List
      items:
      - apiVersion: v1
        kind: Secret
        metadata: {name: s}
        data: {a: aGVsbG8=, b: "aGVs\\nbG8h"}
        stringData: {b: plain}
      - apiVersion: v1
        kind: ConfigMap
        metadata: {name: c}
        data: {a: "1"}
        binaryData: {b: //8=}
      """)
    let secret = try #require(set.secrets.all.first)
    #expect(secret.data == ["a": Array("hello".utf8), "b": Array("plain".utf8)] && secret.type == "Opaque")
    let map = try #require(set.configMaps.all.first)
    #expect(map.data == ["a": "1"] && map.binaryData == ["b": [255, 255]])
  }

  @Test(arguments: [("", ""), ("YQ==", "a"), ("YWI=", "ab"), ("YWJj", "abc"), ("YWJjZA==", "abcd")])
  func base64(text: String, decoded: String) {
    #expect(Base64.decode(text) == Array(decoded.utf8))
  }

  @Test(arguments: ["Y", "YQ", "YQ=", "YQ=a", "Y===", "====", "YQ==YQ==", "Y Q=", "YQ==="])
  func noBase64(text: String) {
    #expect(Base64.decode(text) == nil)
  }

  @Test(arguments: [
    (
      "Service", "spec: {ports: [{port: 80}, {port: 81}]}",
      "4: spec.ports[0]: needs a name, because the service has several ports"
    ),
    ("Service", "spec: {type: ExternalName}", "4: spec.externalName: is missing; type ExternalName needs it"),
    (
      "Service", "spec: {ports: [{port: 80, targetPort: 0}]}",
      "4: spec.ports[0].targetPort: 0 is out of range; allowed are 1 to 65535"
    ),
    ("Secret", "data: {a: '?'}", "4: data.a: is no base64; encode the value, or put it under stringData as it is"),
    ("ConfigMap", "data: {a: 1}", "4: data.a: expected a string, not the number 1; write \"1\" in quotes"),
    ("Services", "spec: {}", "2: kind: kind \"Services\" of v1 is not known; did you mean \"Service\"?"),
    ("Pod", "spec: {}", "2: warning: kind: kind \"Pod\" of v1 is not one that Weft reads; skipped"),
  ])
  func mistakes(kind: String, body: String, message: String) {
    let found = diagnostics("apiVersion: v1\nkind: \(kind)\nmetadata: {name: a}\n\(body)")
    #expect(found.first == "a.yaml:\(message)")
  }

  @Test func slicesSayWhereTheyBelong() {
    let text = """
      apiVersion: discovery.k8s.io/v1
      kind: EndpointSlice
      metadata: {name: a}
      addressType: IPv6
      endpoints: [{addresses: [10.0.0.1]}]
      """
    #expect(
      diagnostics(text) == [
        "a.yaml:1: warning: belongs to no Service: it has no label \"kubernetes.io/service-name\"",
        "a.yaml:5: endpoints[0].addresses[0]: \"10.0.0.1\" is not allowed; use an IPv6 address",
      ])
  }
}
