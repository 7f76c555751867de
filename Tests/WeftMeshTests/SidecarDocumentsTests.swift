import Testing
import WeftConfig
import WeftIO

@testable import WeftMesh

@Suite("Documents of the agent's own")
struct SidecarDocumentsTests {
  private func options(_ protocol: WorkloadOptions.ApplicationProtocol = .http) throws -> MeshOptions {
    var options = sidecarOptions()
    var workload = WorkloadOptions(
      app: try #require(SocketAddress("127.0.0.1:9080")), inbound: try #require(SocketAddress("127.0.0.1:15006")),
      advertised: try #require(SocketAddress("127.0.0.1:15006")),
      outbound: [try #require(SocketAddress("127.0.0.1:15001"))])
    workload.protocol = `protocol`
    options.workload = workload
    return options
  }

  @Test("a route for the inbound side leads to the app in place of the service")
  func inbound() throws {
    let (type, json) = route(
      "guard", parent: serviceParent("reviews"), to: ["reviews", "other"],
      annotations: #"{"weft.dev/mesh-side":"inbound"}"#)
    let made = try #require(resource(type, json))
    #expect(SidecarDocuments.isInbound(made))
    let document = SidecarDocuments(options: try options()).inbound(made)
    let root = try #require(document.roots.first)
    #expect(root["spec"]?["parentRefs"]?.items.first?["name"]?.stringValue == "weft-inbound")
    let backends = root["spec"]?["rules"]?.items.first?["backendRefs"]?.items ?? []
    #expect(backends.map { $0["name"]?.stringValue } == ["weft-app", "other"])
    #expect(root.location.file == made.source)
  }

  @Test("routes for the inbound side of other services are none of ours")
  func foreign() throws {
    let (type, json) = route(
      "guard", parent: serviceParent("ratings"), to: ["ratings"], annotations: #"{"weft.dev/mesh-side":"inbound"}"#)
    var all = HeldResources()
    all.put(try #require(resource(type, json)))
    let own = SidecarDocuments(options: try options())
    #expect(SetAttempt(all, options: own.options).documents(own).isEmpty)
  }

  @Test("of PeerAuthentication the workload's own counts first, then its namespace's, then the mesh's")
  func peerAuthentication() throws {
    func policy(_ name: String, _ namespace: String, _ mode: String, _ selector: String = "") throws -> HeldResource {
      try #require(
        resource(
          "weft.dev/v1/PeerAuthentication",
          #"{"apiVersion":"weft.dev/v1","kind":"PeerAuthentication","metadata":{"name":"\#(name)","namespace":"\#(namespace)"},"spec":{\#(selector)"mtls":{"mode":"\#(mode)"}}}"#
        ))
    }
    let mesh = try policy("a", "weft-system", "STRICT")
    let namespace = try policy("b", "default", "DISABLE")
    let own = try policy("c", "default", "PERMISSIVE", #""selector":{"matchLabels":{"app":"reviews"}},"#)
    let others = try policy("d", "default", "STRICT", #""selector":{"matchLabels":{"app":"ratings"}},"#)
    let unset = try policy("e", "default", "UNSET")
    let options = try options()
    #expect(PeerMode.resolve(options, []) == .strict)
    #expect(PeerMode.resolve(options, [mesh]) == .strict)
    #expect(PeerMode.resolve(options, [mesh, unset]) == .strict)
    #expect(PeerMode.resolve(options, [mesh, namespace, others]) == .disable)
    #expect(PeerMode.resolve(options, [mesh, namespace, own]) == .permissive)
  }
}
