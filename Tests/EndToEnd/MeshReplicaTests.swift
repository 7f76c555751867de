import Glibc
import TestEtcd
import Testing

/// Several control planes on one etcd, each a process of its own, and what becomes of a mesh when some of it is lost.
@Suite("Replicas of the control plane", .endToEnd, .serialized)
struct MeshReplicaTests {
  private func replica(_ name: String, _ cluster: EtcdCluster, _ folder: TemporaryFolder) throws -> MeshScene {
    try MeshScene(arguments: [
      "--store", "etcd=\(cluster.endpoints.joined(separator: ","))", "--ca-key-file", folder.path("key"), "--replica",
      name,
    ])
  }

  @Test("one that is killed under load: its proxies go to the other, which goes on with the rollout; no request fails")
  func killed() async throws {
    let cluster = try await EtcdCluster(members: 1)
    defer { cluster.stop() }
    let folder = try TemporaryFolder()
    // The first one drives rollouts.
    let first = try replica("first", cluster, folder)
    let second = try replica("second", cluster, folder)
    second.replicas = [first.discovery.number]
    let scene = try RolloutScene(mesh: second)
    defer { scene.stop() }
    func status() throws -> JSONValue {
      try JSONValue(try second.weft("status", "--json").output)["proxies"][0]
    }
    try eventually("the gateway to be in step, at the first one") {
      let proxy = try status()
      return proxy["sync"].string == "synced" && proxy["replica"].string == "first"
    }

    try scene.push("1.1.0", RolloutScene.tags("1.1.0"))
    let failures = Locked(0)
    let isOver = Locked(false)
    let load = BackgroundWork {
      while !isOver.current { if try scene.ask().status != 200 { failures.withLock { $0 += 1 } } }
    }
    try first.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--by", "requests", "--steps", "30,100:0s", "--minimum-requests",
      "10", "--interval", "1s")
    try scene.awaitPhase("Waiting", step: 0)
    try eventually("both versions") { try scene.versions() == ["1.0.0", "1.1.0"] }

    try first.killControl()
    try eventually("the gateway to be at the other replica", within: 120) {
      let proxy = try status()
      return proxy["replica"].string == "second" && proxy["sync"].string == "synced"
    }
    // What has begun goes on where it was, and to its end.
    let rollout = try scene.status()["rollout"]
    #expect(rollout["phase"].string == "Waiting" && rollout["step"].int == 0, "\(rollout)")
    try second.weft("bundle", "promote", "tagger")
    try scene.awaitPhase("Succeeded")
    try eventually("the new version alone") { try scene.versions() == ["1.1.0"] }
    // The authority is the other one's as well: a gateway joins.
    let port = try ReservedPort()
    try second.apply(
      Resources.gateway(port.number, name: "late"),
      Resources.route("late", "rules: [{backendRefs: [\(Resources.backendRef("app"))]}]", gateway: "late"))
    let late = try second.gateway("late")
    defer { late.stop() }
    #expect(try RawClient.get(host: "shop", at: port.number).status == 200)

    isOver.withLock { $0 = true }
    _ = try load.value()
    #expect(failures.current == 0)
  }

  @Test("when etcd loses its majority, writes are refused and say why, proxies serve on; with it, everything goes on")
  func majorityLost() async throws {
    let cluster = try await EtcdCluster(members: 3)
    defer { cluster.stop() }
    let folder = try TemporaryFolder()
    let mesh = try replica("only", cluster, folder)
    let app = try Backend("app")
    defer { app.stop() }
    let port = try ReservedPort()
    func route(_ status: Int) -> String {
      Resources.filter("answer", type: "respond", config: "status: \(status)")
    }
    try mesh.apply(
      Resources.gateway(port.number, name: "edge"), Resources.service("app", [app.endpoint]), route(201),
      Resources.route(
        "front",
        "rules: [{filters: [\(Resources.reference("answer"))], backendRefs: [\(Resources.backendRef("app"))]}]",
        gateway: "edge"))
    let edge = try mesh.gateway("edge")
    defer { edge.stop() }
    func ask() throws -> Int { try RawClient.get(host: "shop", at: port.number).status }
    try eventually("the gateway to answer") { try ask() == 201 }
    cluster.kill(0)
    cluster.kill(1)
    try folder.write("change.yaml", route(202) + "\n")
    func change() throws -> ToolResult {
      try Tool.run(
        WeftBinary.path, ["apply", "-f", folder.path("change.yaml"), "--control", mesh.apiURL], within: 120)
    }
    let refused = try change()
    #expect(refused.code == 1 && refused.errorOutput.contains("etcd"), "\(refused.errorOutput)\(refused.output)")
    for _ in 0..<20 { #expect(try ask() == 201) }
    try cluster.start(0)
    try cluster.start(1)
    try eventually("a write to be taken", within: 120) { try change().code == 0 }
    try eventually("the gateway to have it", within: 120) { try ask() == 202 }
  }

  @Test("a replica ends when it is told to, also when etcd is away")
  func endsWithoutStore() async throws {
    let cluster = try await EtcdCluster(members: 1)
    defer { cluster.stop() }
    let folder = try TemporaryFolder()
    let mesh = try replica("only", cluster, folder)
    let app = try Backend("app")
    defer { app.stop() }
    // Its workload is kept under a lease, which cannot be given back.
    try mesh.apply(MeshScene.service("app"))
    let sidecar = try mesh.sidecar("app", app: app.port)
    defer { sidecar.process.stop() }
    cluster.kill(0)
    #expect(try mesh.endControl() == .exited(0), "\(mesh.controlLog)")
  }
}
