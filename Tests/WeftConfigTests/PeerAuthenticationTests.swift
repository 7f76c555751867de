import Testing

@testable import WeftConfig

@Suite struct PeerAuthenticationTests {
  static func document(_ name: String, _ namespace: String, _ spec: String, created: String? = nil) -> String {
    let created = created.map { ", creationTimestamp: \"\($0)\"" } ?? ""
    return """
      {apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: \(name), \
      namespace: \(namespace)\(created)}, spec: {\(spec)}}
      """
  }

  func decide(
    _ documents: String..., namespace: String = "shop", labels: [String: String] = ["app": "cart"], port: Int = 8080
  ) -> PeerAuthenticationResolver.Decision {
    let set = resources(documents.joined(separator: "\n---\n"))
    // In whatever order they come.
    let resolvers = [set.peerAuthentications.all, set.peerAuthentications.all.reversed()].map {
      PeerAuthenticationResolver(Array($0))
    }
    let decisions = resolvers.map { $0.decision(namespace: namespace, labels: labels, port: port) }
    #expect(decisions[0] == decisions[1])
    return decisions[0]
  }

  static let mesh = document("mesh", "weft-system", "mtls: {mode: STRICT}")

  @Test func withoutPoliciesBothAreTaken() {
    #expect(decide(Self.document("far", "other", "mtls: {mode: STRICT}")) == .init(mode: .permissive, policy: nil))
  }

  @Test func theNarrowerHolds() {
    let name = ResourceName(namespace: "weft-system", name: "mesh")
    #expect(decide(Self.mesh) == .init(mode: .strict, policy: name))
    let namespace = Self.document("all", "shop", "mtls: {mode: PERMISSIVE}")
    #expect(decide(Self.mesh, namespace).mode == .permissive)
    let workload = Self.document(
      "cart", "shop",
      "selector: {matchLabels: {app: cart}}, mtls: {mode: DISABLE}, portLevelMtls: {8080: {mode: STRICT}, 9000: {mode: UNSET}}"
    )
    #expect(decide(Self.mesh, namespace, workload).mode == .strict)
    #expect(decide(Self.mesh, namespace, workload, port: 80).mode == .disable)
    #expect(decide(Self.mesh, namespace, workload, port: 9000).mode == .disable)
    #expect(decide(Self.mesh, namespace, workload, labels: ["app": "web"]).mode == .permissive)
    #expect(decide(Self.mesh, namespace, workload, namespace: "else").mode == .strict)
  }

  @Test func unsetInherits() {
    let namespace = Self.document("all", "shop", "mtls: {mode: UNSET}")
    let workload = Self.document("cart", "shop", "selector: {matchLabels: {app: cart}}")
    #expect(decide(Self.mesh, namespace, workload).mode == .strict)
    #expect(decide(namespace, workload).mode == .permissive)
    let ports = Self.document(
      "cart", "shop", "selector: {matchLabels: {app: cart}}, portLevelMtls: {8080: {mode: DISABLE}}")
    #expect(decide(Self.mesh, ports).mode == .disable)
    #expect(decide(Self.mesh, ports, port: 81).mode == .strict)
  }

  @Test func theOldestHolds() {
    let old = Self.document("z", "shop", "mtls: {mode: DISABLE}", created: "2024-01-01T00:00:00Z")
    let young = Self.document("a", "shop", "mtls: {mode: STRICT}", created: "2025-01-01T00:00:00Z")
    let timeless = Self.document("b", "shop", "mtls: {mode: STRICT}")
    #expect(decide(young, timeless, old).policy?.name == "z")
    #expect(decide(timeless, Self.document("c", "shop", "mtls: {mode: DISABLE}")).policy?.name == "b")
  }

  @Test func theRootSelectsEverywhere() {
    let root = Self.document("carts", "weft-system", "selector: {matchLabels: {app: cart}}, mtls: {mode: DISABLE}")
    #expect(decide(Self.mesh, root).mode == .disable)
    #expect(decide(Self.mesh, root, labels: [:]).mode == .strict)
    let own = Self.document("cart", "shop", "selector: {matchLabels: {app: cart}}, mtls: {mode: PERMISSIVE}")
    #expect(decide(Self.mesh, root, own).mode == .permissive)
    #expect(decide(Self.mesh, namespace: "weft-system").mode == .strict)
  }

  @Test(arguments: [
    ("mtls: {mode: MUTUAL}", "MUTUAL"),
    ("portLevelMtls: {80: {mode: STRICT}}", "needs a selector"),
    ("selector: {matchLabels: {a: b}}, portLevelMtls: {x: {mode: STRICT}}", "is not a number from 1 to 65535"),
    ("selector: {matchLabels: {a: b}}, portLevelMtls: {80: {}}", "needs a mode"),
    ("selector: {matchLabels: {a: b}}, portLevelMtls: {80: {mode: STRICT, x: y}}", "is not known"),
    ("tls: {mode: STRICT}", "mtls"),
  ])
  func mistakesAreNamed(spec: String, message: String) {
    let found = diagnostics(Self.document("a", "default", spec))
    #expect(found.contains { $0.contains(message) }, "\(found)")
  }
}
