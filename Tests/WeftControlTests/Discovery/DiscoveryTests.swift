import Foundation
import GRPCCore
import Testing
import WeftIdentity
import WeftProtocol
import WeftStore

@testable import WeftControl

/// The stream's semantics, one by one, over real gRPC and TLS.
@Suite struct DiscoveryTests {
  private let filter = "weft.dev/v1/Filter"
  private let route = "gateway.networking.k8s.io/v1/HTTPRoute"

  @Test func sendsWhatIsAskedForAndWhatChanges() async throws {
    try await Plane.with { plane in
      try await plane.put("Filter", "a", #"{"type":"respond"}"#)
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(filter, "default/a", "default/none")
      let first = try await proxy.delta()
      #expect(first.type == filter && first.resources.map(\.name) == ["default/a"])
      #expect(String(decoding: first.resources[0].body, as: UTF8.self).contains(#""type":"respond""#))
      // What does not exist is said, once.
      #expect(first.removed == ["default/none"] && first.answered == ["default/a", "default/none"])

      let revision = try await plane.put("Filter", "a", #"{"type":"cors"}"#)
      let second = try await proxy.delta()
      #expect(second.resources.count == 1 && second.resources[0].version != first.resources[0].version)
      #expect(second.nonce != first.nonce && second.answered.isEmpty && second.revision >= revision)

      // Nobody asked for it; and the same body again is no change.
      try await plane.put("Filter", "b", "{}")
      try await plane.put("Filter", "a", #"{"type":"cors"}"#)
      #expect(try await proxy.isSilent())

      try await plane.put("Filter", "none", "{}")
      #expect(try await proxy.delta().resources.map(\.name) == ["default/none"])
      try await plane.delete("Filter", "a")
      let gone = try await proxy.delta()
      #expect(gone.removed == ["default/a"] && gone.resources.isEmpty)
      // And back.
      try await plane.put("Filter", "a", #"{"type":"cors"}"#)
      #expect(try await proxy.delta().resources.map(\.name) == ["default/a"])
    }
  }

  @Test func findsWhatIsAboutSomething() async throws {
    try await Plane.with { plane in
      let group = "gateway.networking.k8s.io"
      try await plane.put("HTTPRoute", "shop", group: group, #"{"parentRefs":[{"name":"edge"}]}"#)
      try await plane.put("HTTPRoute", "other", group: group, #"{"parentRefs":[{"name":"inner"}]}"#)
      try await plane.put(
        "HTTPRoute", "far", group: group, namespace: "team", #"{"parentRefs":[{"name":"edge","namespace":"default"}]}"#)
      try await plane.put(
        "HTTPRoute", "mesh", group: group,
        #"{"parentRefs":[{"group":"","kind":"Service","name":"a"},{"group":"weft.dev","kind":"Service","name":"b"}]}"#)
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(route, "@Gateway/default/edge")
      #expect(try await proxy.delta().resources.map(\.name) == ["default/shop", "team/far"])
      proxy.subscribe(route, "@Service/default/a")
      #expect(try await proxy.delta().resources.map(\.name) == ["default/mesh"])
      proxy.subscribe(route, "@WeftService/default/b", "@Service/default/b")
      let both = try await proxy.delta()
      #expect(both.resources.isEmpty && both.answered == ["@Service/default/b", "@WeftService/default/b"])
      proxy.subscribe(route, "@team")
      #expect(try await proxy.delta().answered == ["@team"])

      // It moves here, and away.
      try await plane.put("HTTPRoute", "other", group: group, #"{"parentRefs":[{"name":"edge"}]}"#)
      #expect(try await proxy.delta().resources.map(\.name) == ["default/other"])
      try await plane.put("HTTPRoute", "other", group: group, #"{"parentRefs":[{"name":"inner"}]}"#)
      #expect(try await proxy.delta().removed == ["default/other"])

      proxy.subscribe("weft.dev/v1/BackendTrafficPolicy", "@WeftService/default/b")
      #expect(try await proxy.delta().resources.isEmpty)
      try await plane.put(
        "BackendTrafficPolicy", "p", #"{"targetRefs":[{"group":"weft.dev","kind":"Service","name":"b"}]}"#)
      #expect(try await proxy.delta().resources.map(\.name) == ["default/p"])
    }
  }

  @Test func findsSlicesByTheirLabel() async throws {
    try await Plane.with { plane in
      let key = ResourceKey(group: "discovery.k8s.io", kind: "EndpointSlice", namespace: "default", name: "a-1")
      try await plane.put(
        """
        {"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"a-1","namespace":"default",
        "labels":{"kubernetes.io/service-name":"a"}},"addressType":"IPv4","endpoints":[]}
        """, at: key)
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe("discovery.k8s.io/v1/EndpointSlice", "@Service/default/a")
      #expect(try await proxy.delta().resources.map(\.name) == ["default/a-1"])
      proxy.subscribe("discovery.k8s.io/v1/EndpointSlice", "*")
      #expect(try await proxy.delta().answered == ["*"])
    }
  }

  @Test func stopsWhenItIsNoLongerAskedFor() async throws {
    try await Plane.with { plane in
      try await plane.put("Filter", "a", "{}")
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(filter, "default/a", "@default")
      #expect(try await proxy.delta().resources.count == 1)
      // The other subscription still finds it.
      proxy.subscribe(filter, without: ["default/a"])
      try await plane.put("Filter", "a", #"{"type":"cors"}"#)
      #expect(try await proxy.delta().resources.count == 1)
      proxy.subscribe(filter, without: ["@default"])
      // A stream's messages are taken in their order: when this one is answered, the one before it counts, however long
      // it was on its way. A change that came first would be sent, and rightly.
      proxy.subscribe(filter, "default/none")
      #expect(try await proxy.delta().answered == ["default/none"])
      try await plane.put("Filter", "a", #"{"type":"respond"}"#)
      #expect(try await proxy.isSilent())
      // Asked for anew, it is sent anew.
      proxy.subscribe(filter, "default/a")
      #expect(try await proxy.delta().resources.count == 1)
    }
  }

  @Test func keepsRejectionsUntilTheyNoLongerStand() async throws {
    try await Plane.with { plane in
      try await plane.put("Filter", "a", "{}")
      try await plane.put("Filter", "b", "{}")
      let member = try await plane.join()
      let proxy = try await plane.connect(member)
      let id = "gateway/default/edge/1"
      proxy.subscribe(filter, "default/a", "default/b")
      let first = try await proxy.delta(acknowledging: false)
      proxy.acknowledge(first, ("default/a", "spec.type: is missing"))
      #expect(try await eventually { await plane.plane.status.proxy(id)?.sync == .stale })
      let rejections = await plane.plane.status.rejections(type: filter, name: "default/a")
      #expect(rejections.map(\.message) == ["spec.type: is missing"] && rejections.first?.proxy == id)
      #expect(await plane.plane.status.proxy(id)?.rejections.map(\.name) == ["default/a"])
      #expect(await plane.plane.status.events(after: 0).contains { $0.reason == "Rejected" && $0.severity == .warning })

      // An acknowledgement of something else, and the same one twice, change nothing.
      try await plane.put("Filter", "b", #"{"type":"cors"}"#)
      _ = try await proxy.delta()
      proxy.acknowledge(first)
      try await plane.put("Filter", "b", #"{"type":"respond"}"#)
      _ = try await proxy.delta()
      #expect(await plane.plane.status.rejections(type: filter, name: "default/a").count == 1)

      // It outlives the stream: the proxy still goes on with what it had.
      proxy.vanish()
      #expect(try await eventually { await plane.plane.status.proxy(id)?.sync == .disconnected })
      #expect(await plane.plane.status.rejections(type: filter, name: "default/a").count == 1)
      let again = try await plane.connect(member)
      again.subscribe(filter, "default/a")
      let resent = try await again.delta(acknowledging: false)
      again.acknowledge(resent, ("default/a", "spec.type: is missing"))

      // A version that it can use.
      try await plane.put("Filter", "a", #"{"type":"cors"}"#)
      _ = try await again.delta()
      #expect(try await eventually { await plane.plane.status.proxy(id)?.sync == .synced })
      #expect(await plane.plane.status.rejections(type: filter, name: "default/a").isEmpty)
    }
  }

  @Test func takesRejectionsLaterAndBack() async throws {
    try await Plane.with { plane in
      try await plane.put("Filter", "a", "{}")
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(filter, "default/a")
      let first = try await proxy.delta()
      // It took it, and found later that it cannot be used together with something else.
      proxy.acknowledge(first, ("default/a", "no bundle x"))
      #expect(try await eventually { await plane.plane.status.rejections(type: filter, name: "default/a").count == 1 })
      proxy.acknowledge(first, ("default/a", ""))
      #expect(try await eventually { await plane.plane.status.rejections(type: filter, name: "default/a").isEmpty })
      // What is said of a version that was replaced meanwhile does not count.
      try await plane.put("Filter", "a", #"{"type":"cors"}"#)
      let second = try await proxy.delta()
      proxy.acknowledge(first, ("default/a", "too late"))
      try await plane.put("Filter", "a", #"{"type":"respond"}"#)
      _ = try await proxy.delta()
      #expect(second.nonce != first.nonce)
      #expect(await plane.plane.status.rejections(type: filter, name: "default/a").isEmpty)
    }
  }

  @Test func givesASlowProxyTheNewestStateOnly() async throws {
    try await Plane.with { plane in
      try await plane.put("Filter", "a", "{}")
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(filter, "@default")
      let first = try await proxy.delta(acknowledging: false)
      for round in 0..<50 { try await plane.put("Filter", "a", #"{"type":"t\#(round)"}"#) }
      try await plane.put("Filter", "b", "{}")
      try await plane.delete("Filter", "b")
      try await plane.put("Filter", "c", "{}")
      // Nothing more before it has answered; then all at once, and no step in between.
      #expect(try await proxy.isSilent())
      #expect(await plane.plane.status.proxy("gateway/default/edge/1")?.sync == .syncing)
      proxy.acknowledge(first)
      let second = try await proxy.delta()
      #expect(second.resources.map(\.name) == ["default/a", "default/c"] && second.removed.isEmpty)
      #expect(String(decoding: second.resources[0].body, as: UTF8.self).contains(#""type":"t49""#))
      #expect(try await proxy.isSilent())
    }
  }

  @Test func sendsManyChangesTogether() async throws {
    var options = DiscoveryHub.Options()
    options.debounce = .seconds(1)
    options.patience = .seconds(20)
    try await Plane.with(hub: options) { plane in
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(filter, "*")
      _ = try await proxy.delta()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<100 { group.addTask { try await plane.put("Filter", "f\(number)", "{}") } }
        try await group.waitForAll()
      }
      var names: Set<String> = []
      var deltas = 0
      while names.count < 100 {
        names.formUnion(try await proxy.delta().resources.map(\.name))
        deltas += 1
      }
      #expect(deltas < 20)
    }
  }

  @Test func splitsWhatIsTooLargeForOneMessage() async throws {
    try await Plane.with { plane in
      let filler = String(repeating: "x", count: 300_000)
      for number in 0..<12 { try await plane.put("Filter", "f\(number)", #"{"note":"\#(filler)"}"#) }
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe(filter, "@default")
      var names: Set<String> = []
      var deltas = 0
      while true {
        let delta = try await proxy.delta()
        names.formUnion(delta.resources.map(\.name))
        deltas += 1
        // The answer is complete when the subscription is named.
        if !delta.answered.isEmpty { break }
      }
      #expect(names.count == 12 && deltas > 2)
    }
  }

  @Test func goesOnWithWhatTheProxyHolds() async throws {
    try await Plane.with { plane in
      for name in ["a", "b", "c"] { try await plane.put("Filter", name, "{}") }
      let member = try await plane.join()
      let proxy = try await plane.connect(member)
      proxy.subscribe(filter, "@default", "default/d")
      let first = try await proxy.delta()
      var held = Dictionary(uniqueKeysWithValues: first.resources.map { ($0.name, $0.version) })
      proxy.vanish()
      try await plane.put("Filter", "b", #"{"type":"cors"}"#)
      try await plane.delete("Filter", "c")
      held["default/long-gone"] = "0123456789abcdef0123456789abcdef"
      held["default/odd"] = "?"
      let again = try await plane.connect(member)
      again.subscribe(filter, "@default", "default/d", held: held)
      let second = try await again.delta()
      #expect(second.resources.map(\.name) == ["default/b"])
      #expect(second.removed.sorted() == ["default/c", "default/d", "default/long-gone", "default/odd"])
      #expect(second.answered == ["@default", "default/d"])
    }
  }

  @Test func endsStreamsThatBreakTheRules() async throws {
    try await Plane.with { plane in
      let member = try await plane.join()
      let port = plane.plane.discovery.port
      func error(_ send: (TestProxy) -> Void) async throws -> RPCError? {
        let proxy = try TestProxy(port, member)
        send(proxy)
        return try await proxy.end().error
      }
      #expect(try await error { $0.subscribe(filter, "default/a") }?.code == .failedPrecondition)
      #expect(
        try await error { proxy in
          proxy.send {
            $0.hello.kind = .gateway
            $0.hello.namespace = "default"
            $0.hello.name = "other"
            $0.hello.instance = "1"
          }
        }?.code == .permissionDenied)
      #expect(
        try await error { proxy in
          proxy.send {
            $0.hello.kind = .gateway
            $0.hello.namespace = "default"
            $0.hello.name = "edge"
            $0.hello.instance = "a/b"
          }
        }?.code == .invalidArgument)
      for bad in ["", "Filter", "a/b/c/d", "weft.dev//Filter"] {
        let proxy = try await plane.connect(member)
        proxy.subscribe(bad, "default/a")
        #expect(try await proxy.end().error?.code == .invalidArgument)
      }
      let long = try await plane.connect(member)
      long.subscribe(filter, String(repeating: "n", count: 10_000))
      #expect(try await long.end().error?.code == .invalidArgument)
      let unknown = try await plane.connect(member)
      unknown.subscribe(filter, "default/a")
      var delta = try await unknown.delta(acknowledging: false)
      delta.nonce = "99"
      unknown.acknowledge(delta)
      #expect(try await unknown.end().error?.code == .invalidArgument)
      let report = try await plane.connect(member)
      report.send { $0.workload.isServing = true }
      #expect(try await report.end().error?.code == .permissionDenied)
    }
  }

  @Test func takesTheNewestStreamOfAProxy() async throws {
    try await Plane.with { plane in
      let member = try await plane.join()
      let first = try await plane.connect(member)
      let other = try await plane.connect(member, instance: "2")
      _ = try await plane.connect(member)
      #expect(try await first.end().goodbye == "the proxy connected again")
      #expect(try await other.isSilent())
      #expect(await plane.plane.status.proxies().map(\.id) == ["gateway/default/edge/1", "gateway/default/edge/2"])
    }
  }

  @Test func saysGoodbyeBeforeItEnds() async throws {
    let plane = try await Plane()
    let proxy = try await plane.connect(try await plane.join())
    async let over: Void = plane.stop()
    #expect(try await proxy.end().goodbye == "the control plane stops")
    try await over
  }

  @Test func goesOnWithItsStoreAfterARestart() async throws {
    let plane = try await Plane()
    try await plane.put("Filter", "a", "{}")
    let member = try await plane.join()
    let proxy = try await plane.connect(member)
    proxy.subscribe(filter, "default/a")
    let first = try await proxy.delta()
    try await plane.stop()
    let next = try await Plane(folder: plane.folder)
    // The same roots and the same certificate; and nothing is sent that the proxy has.
    let again = try await next.connect(member)
    again.subscribe(filter, "default/a", held: ["default/a": first.resources[0].version])
    let second = try await again.delta()
    #expect(second.resources.isEmpty && second.removed.isEmpty && second.answered == ["default/a"])
    try await next.stop()
  }
}
