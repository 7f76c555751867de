import Foundation
import TestEtcd
import Testing
import WeftStore

@testable import WeftControl

/// Several control planes on one etcd, and what they lose.
@Suite("Replicas", .serialized)
struct ReplicaTests {
  private static func view() -> ReplicaView.Options {
    var view = ReplicaView.Options()
    view.isShared = true
    view.interval = .milliseconds(200)
    view.memory = .milliseconds(50)
    view.ttl = 10
    return view
  }

  private func plane(_ cluster: EtcdCluster, _ name: String, keyFile: String) async throws -> Plane {
    try await Plane(
      storage: .etcd(endpoints: cluster.endpoints, tls: EtcdStore.TLS(), timeout: .seconds(30)), view: Self.view(),
      keyFile: keyFile, replica: name)
  }

  /// Repeats what a store without a leader refuses.
  private func persist(_ body: () async throws -> Void) async throws {
    let end = ContinuousClock.now + .seconds(180)
    while true {
      do { return try await body() } catch StoreError.unavailable(let text) {
        if ContinuousClock.now > end { throw StoreError.unavailable(text) }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  @Test("each shows the proxies of all, and what they refuse; those of one that stops are gone, or come to another")
  func status() async throws {
    let cluster = try await EtcdCluster(members: 1)
    defer { cluster.stop() }
    let folder = try TemporaryFolder()
    let a = try await plane(cluster, "a", keyFile: "\(folder.path)/key")
    let b = try await plane(cluster, "b", keyFile: "\(folder.path)/key")
    try await a.put("Filter", "f", "{}")
    let one = try await a.connect(try await a.join("one"))
    let member = try await b.join("two")
    let two = try await b.connect(member)
    two.subscribe("weft.dev/v1/Filter", "default/f")
    let delta = try await two.delta(acknowledging: false)
    two.acknowledge(delta, ("default/f", "spec.type: is missing"))
    let ids = ["gateway/default/one/1", "gateway/default/two/1"]
    for plane in [a, b] {
      let isWhole = try await eventually { await plane.plane.status.proxies().map(\.id) == ids }
      #expect(isWhole)
      let isKnown = try await eventually {
        await plane.plane.status.rejections(type: "weft.dev/v1/Filter", name: "default/f").map(\.proxy) == [ids[1]]
      }
      #expect(isKnown)
      #expect(await plane.plane.status.proxy(ids[1])?.replica == "b")
    }
    #expect(await a.plane.status.proxy(ids[1])?.sync == .stale)

    // The proxy goes to the other replica, which is where it is shown from then on.
    let again = try await a.connect(member)
    for plane in [a, b] {
      let isMoved = try await eventually { await plane.plane.status.proxy(ids[1])?.replica == "a" }
      #expect(isMoved)
    }
    try await b.stop()
    #expect(try await eventually { await a.plane.status.proxies().allSatisfy { $0.replica == "a" } })
    withExtendedLifetime((one, again)) {}
    try await a.stop()
  }

  @Test(
    "when etcd loses its leader, streams stay, changes wait for the next one and then reach every replica's proxies")
  func leaderLost() async throws {
    let cluster = try await EtcdCluster(members: 3)
    defer { cluster.stop() }
    let folder = try TemporaryFolder()
    let a = try await plane(cluster, "a", keyFile: "\(folder.path)/key")
    let b = try await plane(cluster, "b", keyFile: "\(folder.path)/key")
    try await persist { try await a.put("Filter", "f", #"{"type":"cors"}"#) }
    var proxies: [TestProxy] = []
    for plane in [a, b] {
      let proxy = try await plane.connect(try await plane.join())
      proxy.subscribe("weft.dev/v1/Filter", "default/f")
      #expect(try await proxy.delta().resources.count == 1)
      proxies.append(proxy)
    }
    for round in 0..<2 {
      #expect(try await eventually { cluster.leader() != nil })
      let leader = try #require(cluster.leader())
      cluster.kill(leader)
      try await persist { try await (round == 0 ? a : b).put("Filter", "f", #"{"type":"respond","round":\#(round)}"#) }
      for proxy in proxies {
        // A write whose answer was lost has been repeated, and may come twice.
        var text = ""
        repeat {
          let delta = try await proxy.delta()
          text = String(decoding: delta.resources.first?.body ?? Data(), as: UTF8.self)
        } while round == 1 && text.contains(#""round":0"#)
        #expect(text.contains(#""round":\#(round)"#))
      }
      try cluster.start(leader)
    }
    try await a.stop()
    try await b.stop()
  }

  @Test("a proxy that comes or goes changes one part of what is written")
  func parts() {
    func proxy(_ number: Int) -> ProxyStatus {
      ProxyStatus(
        id: "sidecar/default/s/\(number)", kind: .sidecar, namespace: "default", name: "s", instance: "\(number)",
        version: "1", zone: "", labels: [:], connectedSince: 1, lastSeen: Double(number), replica: "a", sync: .synced,
        revision: UInt64(number), latestRevision: 9, certificateNotAfter: nil, rejections: [], bundles: [])
    }
    let before = ReplicaView.parts((0..<900).map(proxy))
    #expect(before.count == 8 && before.values.reduce(0) { $0 + $1.count } == 900)
    // What changes all the time is not part of it.
    var seen = (0..<900).map(proxy)
    for index in seen.indices { seen[index].lastSeen += 10 }
    #expect(ReplicaView.parts(seen) == before)
    let after = ReplicaView.parts((0..<901).map(proxy))
    #expect(after.keys.filter { after[$0] != before[$0] }.count == 1)
  }
}
