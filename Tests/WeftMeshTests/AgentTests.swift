import Foundation
import Logging
import Testing
import WeftConfig
import WeftControl
import WeftIO
import WeftProxy
import WeftStore

@testable import WeftMesh

@Suite("The agent with a control plane", .serialized)
struct AgentTests {
  @Test("joins, gets what it needs, and follows every change; what is refused is told and replaced")
  func following() async throws {
    try await MeshBench.with { bench in
      try await bench.put("weft.dev", "Service", "app", #"{"endpoints":["127.0.0.1:9"]}"#)
      try await bench.put(
        "gateway.networking.k8s.io", "Gateway", "edge",
        #"{"gatewayClassName":"weft","listeners":[{"name":"http","port":8080,"protocol":"HTTP"}]}"#)
      let agent = try await bench.agent(gatewayOptions())
      let first = try await agent.set { $0.resources.gateways.count == 1 }
      #expect(first.resources.httpRoutes.isEmpty && first.resources.weftServices.isEmpty)
      #expect(first.resources.secrets.all.map(\.name.description) == ["weft-system/workload-identity"])

      // The route comes with its service, or not at all.
      try await bench.put(
        "gateway.networking.k8s.io", "HTTPRoute", "front",
        #"{"parentRefs":[{"name":"edge"}],"rules":[{"backendRefs":[{"group":"weft.dev","kind":"Service","name":"app"}]}]}"#
      )
      let second = try await agent.set { !$0.resources.httpRoutes.isEmpty }
      #expect(second.resources.weftServices.all.map(\.metadata.name) == ["app"])

      // Refused: the last good version takes its place, and the control plane knows why.
      agent.refuse("spec.endpoints: is not liked") { $0.resources.weftServices.all.first?.endpoints.count == 2 }
      try await bench.put("weft.dev", "Service", "app", #"{"endpoints":["127.0.0.1:9","127.0.0.1:10"]}"#)
      try await bench.until("the refusal is known") {
        await bench.plane.status.rejections(type: "weft.dev/v1/Service", name: "default/app").first?.message
          .contains("is not liked") ?? false
      }
      let third = try await agent.set { _ in true }
      #expect(third.resources.weftServices.all.first?.endpoints.count == 1)

      // Something that is all right goes through meanwhile, and the other once it is liked.
      agent.accept()
      try await bench.put("weft.dev", "Service", "app", #"{"endpoints":["127.0.0.1:9","127.0.0.1:11"]}"#)
      _ = try await agent.set { $0.resources.weftServices.all.first?.endpoints.count == 2 }
      try await bench.until("the refusal is taken back") {
        await bench.plane.status.rejections(type: "weft.dev/v1/Service", name: "default/app").isEmpty
      }

      // What nothing refers to any more goes.
      try await bench.delete("gateway.networking.k8s.io", "HTTPRoute", "front")
      _ = try await agent.set { $0.resources.httpRoutes.isEmpty && $0.resources.weftServices.isEmpty }
    }
  }

  @Test("a sidecar registers its workload, learns services on demand, and knows which do not exist")
  func onDemand() async throws {
    try await MeshBench.with { bench in
      try await bench.put("weft.dev", "Service", "reviews", "{}")
      try await bench.put("weft.dev", "Service", "ratings", "{}")
      let reviews = try await bench.agent(bench.sidecar("reviews"))
      let ratings = try await bench.agent(bench.sidecar("ratings"))
      let first = try await reviews.set { !$0.resources.workloads.isEmpty }
      let own = try #require(first.resources.workloads.all.first)
      #expect(own.service == "reviews" && own.isMutualTLS && own.health == .healthy)
      #expect(own.identity == "spiffe://cluster.local/ns/default/sa/reviews")
      #expect(!first.resources.weftServices.all.contains { $0.metadata.name == "ratings" })

      reviews.feed.wanted(["ratings", "ghost", "ghost.default"])
      let second = try await reviews.set { set in
        set.resources.workloads.all.contains { $0.service == "ratings" }
          && set.absentHosts == ["ghost", "ghost.default"]
      }
      #expect(second.resources.weftServices.all.map(\.metadata.name).sorted() == ["ratings", "reviews", "weft-app"])

      // Draining: withdrawn before the proxy may go on.
      let isWithdrawn = LockedFlag()
      ratings.feed.draining { isWithdrawn.set() }
      _ = try await reviews.set { set in !set.resources.workloads.all.contains { $0.service == "ratings" } }
      try await bench.until("the proxy may drain") { isWithdrawn.isSet }
    }
  }

  @Test("starts from its cache without the control plane, and goes on when that is back")
  func cache() async throws {
    try await MeshBench.with { bench in
      try await bench.put(
        "gateway.networking.k8s.io", "Gateway", "edge",
        #"{"gatewayClassName":"weft","listeners":[{"name":"http","port":8080,"protocol":"HTTP"}]}"#)
      let options = try await bench.joining(gatewayOptions())
      let agent = try TestAgent(options)
      _ = try await agent.set { $0.resources.gateways.count == 1 }
      try await bench.until("the cache") { FileManager.default.fileExists(atPath: "\(options.stateFolder)/cache.json") }
      agent.stop()
      let port = bench.port
      try await bench.stop()

      var alone = options
      alone.joinToken = nil
      let again = try TestAgent(alone)
      #expect(try await again.set { _ in true }.resources.gateways.count == 1)
      try await bench.start(port: port)
      try await bench.put(
        "gateway.networking.k8s.io", "HTTPRoute", "late",
        #"{"parentRefs":[{"name":"edge"}],"rules":[{"backendRefs":[]}]}"#)
      _ = try await again.set { !$0.resources.httpRoutes.isEmpty }
      again.stop()
    }
  }

  @Test("renews its identity with a new key at two thirds of its life")
  func renewal() async throws {
    try await MeshBench.with(lifetime: 9) { bench in
      let agent = try await bench.agent(gatewayOptions())
      func key(_ set: TestAgent.Seen) -> [UInt8] { set.resources.secrets.all.first?.data["tls.key"] ?? [] }
      let first = key(try await agent.set { !key($0).isEmpty })
      let second = key(try await agent.set { key($0) != first })
      _ = try await agent.set { key($0) != second }
    }
  }

  @Test("a server that is not the one of the token gets nothing")
  func otherServer() async throws {
    try await MeshBench.with { bench in
      try await MeshBench.with { other in
        var options = try await bench.joining(gatewayOptions())
        options.control = ["127.0.0.1:\(other.port)"]
        let agent = try TestAgent(options)
        try await Task.sleep(for: .seconds(2))
        #expect(agent.count == 0)
        #expect(!FileManager.default.fileExists(atPath: "\(options.stateFolder)/identity.crt"))
        agent.stop()
      }
    }
  }

  @Test("any of several replicas will do")
  func replicas() async throws {
    try await MeshBench.with { bench in
      var options = try await bench.joining(gatewayOptions())
      options.control = ["127.0.0.1:1", "127.0.0.1:\(bench.port)"]
      let agent = try TestAgent(options)
      _ = try await agent.set { _ in true }
      agent.stop()
    }
  }
}
