import Testing

@testable import WeftConfig

@Suite struct ListenerProxyProtocolTests {
  private func gateway(_ annotations: String) -> String {
    """
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata:
      name: edge
      annotations: {\(annotations)}
    spec:
      gatewayClassName: weft
      listeners: [{name: web, port: 80, protocol: HTTP}, {name: db, port: 81, protocol: TCP}]
    """
  }

  @Test func read() throws {
    let set = resources(
      gateway(
        """
        weft.dev/proxy-protocol: "web=require, db = optional", \
        weft.dev/proxy-protocol-from: "10.0.0.0/8,2001:db8::1, unix"
        """))
    let edge = try #require(set.gateways.all.first)
    #expect(edge.proxyProtocol["web"]?.mode == .require)
    #expect(edge.proxyProtocol["db"]?.mode == .optional)
    #expect(edge.proxyProtocol["web"]?.sources == ["10.0.0.0/8", "2001:db8::1"])
    #expect(edge.proxyProtocol["web"]?.trustsUnixSockets == true)
    #expect(resources(gateway("other.dev/proxy-protocol: x")).gateways.all.first?.proxyProtocol == [:])
  }

  @Test(
    "Mistakes are reported at the annotation, with the way out",
    arguments: [
      (#"weft.dev/proxy-protocol: "web=require""#, "needs weft.dev/proxy-protocol-from"),
      (#"weft.dev/proxy-protocol-from: "10.0.0.0/8""#, "has no effect without weft.dev/proxy-protocol"),
      (#"weft.dev/proxy-protocol: "web", weft.dev/proxy-protocol-from: unix"#, "write LISTENER=require"),
      (#"weft.dev/proxy-protocol: "web=yes", weft.dev/proxy-protocol-from: unix"#, "write LISTENER=require"),
      (#"weft.dev/proxy-protocol: "wep=require", weft.dev/proxy-protocol-from: unix"#, "there is no listener"),
      (#"weft.dev/proxy-protocol: "web=require,web=optional", weft.dev/proxy-protocol-from: unix"#, "twice"),
      (#"weft.dev/proxy-protocol: "", weft.dev/proxy-protocol-from: unix"#, "names no listener"),
      (#"weft.dev/proxy-protocol: "web=require", weft.dev/proxy-protocol-from: " ""#, "names nobody"),
      (
        #"weft.dev/proxy-protocol: "web=require", weft.dev/proxy-protocol-from: "10.0.0.0/33""#, "is neither an address"
      ),
      (#"weft.dev/proxy-protocol: "web=require", weft.dev/proxy-protocol-from: "lb.test""#, "is neither an address"),
      (#"weft.dev/proxy-protocol-form: "unix""#, "is no annotation of Weft"),
    ])
  func mistakes(_ annotations: String, _ part: String) {
    let found = diagnostics(gateway(annotations))
    #expect(found.contains { $0.contains(part) && $0.contains("a.yaml:5:") }, "\(found)")
  }
}
