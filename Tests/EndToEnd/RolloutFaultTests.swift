import Glibc
import Testing

@Suite("What goes wrong in the middle of a rollout", .endToEnd)
struct RolloutFaultTests {
  /// Says its version, and remembers that it was asked for `/layout`.
  private static let remembering = """
    local seen = weft.shared("seen")
    function on_request(h) if h:headers():get(":path") == "/layout" then seen:set("layout", 1) end end
    function on_response(h) h:headers():add("x-version", "1.0.0") end
    """

  @Test("a script that fails to load at one proxy undoes it everywhere, and the status says where and why")
  func load() throws {
    let scene = try RolloutScene(gateways: 2, script: Self.remembering)
    defer { scene.stop() }
    // What the control plane cannot see: this version does not understand what the one before has left in memory.
    try scene.push(
      "1.1.0",
      """
      if weft.shared("seen"):get("layout") == 1 then error("the layout of 1.0 is not understood") end
      \(RolloutScene.tags("1.1.0"))
      """)
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--steps", "1,100:1h", "--minimum-requests", "0", "--interval",
      "1s")
    try scene.awaitPhase("Waiting", step: 0)
    _ = try scene.ask(1, "/layout")
    let failures = Locked(0)
    let isOver = Locked(false)
    let load = BackgroundWork {
      while !isOver.current {
        for gateway in 0..<2 { if try scene.ask(gateway).status != 200 { failures.withLock { $0 += 1 } } }
      }
    }
    try scene.mesh.weft("bundle", "promote", "tagger")
    let status = try scene.awaitPhase("RolledBack")
    let refusals = status["rollout"]["refusals"].list
    #expect(refusals.count == 1 && refusals[0]["proxy"].string?.hasPrefix("gateway/default/edge-1/") == true)
    let reason = "main.lua:1: the layout of 1.0 is not understood"
    #expect(refusals[0]["message"].string?.contains(reason) == true, "\(status)")
    let page = try scene.mesh.weft("bundle", "status", "tagger").output
    #expect(page.contains("refused by") && page.contains(reason) && page.contains("edge-1"), "\(page)")
    for gateway in 0..<2 {
      try eventually("the old version at gateway \(gateway)") { try scene.versions(gateway) == ["1.0.0"] }
    }
    isOver.withLock { $0 = true }
    _ = try load.value()
    #expect(failures.current == 0)
    // Once it is over, nobody refuses anything.
    try eventually("both proxies to be in step") {
      try JSONValue(try scene.mesh.weft("status", "--json").output)["proxies"].list.allSatisfy {
        $0["sync"].string == "synced" && $0["rejections"].list.isEmpty
      }
    }
  }

  @Test("a script that fails at requests alone, where they are let through, is taken back for its errors")
  func run() throws {
    let scene = try RolloutScene(filter: "onError: skip")
    defer { scene.stop() }
    try scene.push("1.1.0", "function on_response(h) error(\"no such field\") end\n")
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--by", "requests", "--steps", "50:1h,100", "--minimum-requests",
      "20", "--interval", "1s")
    let status = try scene.awaitPhase("RolledBack")
    let message = status["rollout"]["message"].string ?? ""
    #expect(message.hasPrefix("rolled back: scriptErrorRate "), "\(message)")
    #expect((status["rollout"]["candidateFigures"]["errors"].int ?? 0) >= 20)
    #expect(status["rollout"]["candidateFigures"]["failures"].int == 0)
    try eventually("the old version alone") { try scene.versions() == ["1.0.0"] }
  }

  @Test("a proxy without its control plane goes on with the share that it knew, and catches up")
  func away() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    let (relay, second) = try (ReservedPort(), ReservedPort())
    // Another gateway, which reaches the control plane by way of a proxy that can be taken away.
    let between = """
      \(Resources.proxy("timeouts: {drain: 100ms}"))
      ---
      {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: between}, spec: {gatewayClassName: weft, \
      addresses: [{value: 127.0.0.1}], listeners: [{name: tcp, protocol: TCP, port: \(relay.number)}]}}
      ---
      {apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: on}, spec: {parentRefs: [{name: between}], \
      rules: [{backendRefs: [\(Resources.backendRef("control"))]}]}}
      ---
      \(Resources.service("control", endpoints: ["\"127.0.0.1:\(scene.mesh.discovery.number)\""]))
      """
    var proxy: WeftProcess? = try WeftProcess(["a.yaml": between])
    try scene.add(gateway: "far", second, control: relay.number)
    try eventually("version 1.0.0 at the far gateway") { try scene.version(1) == "1.0.0" }
    try scene.push("1.1.0", RolloutScene.tags("1.1.0"))
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--by", "requests", "--steps", "40,80,100:1h",
      "--minimum-requests", "5", "--interval", "1s")
    try scene.awaitPhase("Waiting", step: 0)
    try eventually("both versions at the far gateway") { try scene.versions(1) == ["1.0.0", "1.1.0"] }

    proxy?.stop()
    proxy = nil
    try eventually("the far gateway to be missed", within: 120) {
      try scene.status()["proxies"].list.contains {
        $0["id"].string?.hasPrefix("gateway/default/far/") == true && $0["sync"].string == "disconnected"
      }
    }
    // The rollout goes on with those that are there, and the far one with what it has.
    try scene.mesh.weft("bundle", "promote", "tagger")
    try scene.awaitPhase("Waiting", step: 1)
    try scene.mesh.weft("bundle", "promote", "tagger", "--to-end")
    try scene.awaitPhase("Succeeded")
    try eventually("the new version alone") { try scene.versions(0) == ["1.1.0"] }
    #expect(try scene.versions(1, of: 60) == ["1.0.0", "1.1.0"])

    proxy = try WeftProcess(["a.yaml": between])
    defer { proxy?.stop() }
    try eventually("the far gateway to catch up", within: 120) { try scene.versions(1) == ["1.1.0"] }
    try eventually("the control plane to know", within: 60) {
      try scene.status()["proxies"].list.allSatisfy { $0["digest"].string == scene.digest("1.1.0") }
    }
  }

  @Test("an archive that was tampered with is sent to nobody: the rollout is undone, and the version before goes on")
  func tampered() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    try scene.push("1.1.0", RolloutScene.tags("1.1.0"))
    let hex = scene.digest("1.1.0").dropFirst("sha256:".count)
    let blob = scene.mesh.folder.path("control/blobs/sha256/\(hex)")
    let archive = try #require(readFile(blob))
    // Still an archive that can be read, with another script.
    try writeFile(blob, archive.replacing("\"1.1.0\"", with: "\"6.6.6\""))
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--by", "requests", "--steps", "50:1h,100", "--interval", "1s")
    let status = try scene.awaitPhase("RolledBack")
    let refusal = status["rollout"]["refusals"][0]["message"].string ?? ""
    #expect(refusal.contains("is damaged") && refusal.contains("push the bundle again"), "\(status)")
    #expect(try scene.versions(of: 40) == ["1.0.0"])
    #expect(!listFolder(scene.archives(0)).contains("\(hex).weft"))
    #expect(try scene.mesh.weft("events").output.contains("RolloutRolledBack"))
    // Mended as it says, it runs.
    try scene.push("1.1.0", RolloutScene.tags("1.1.0"))
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--by", "requests", "--steps", "100:0s", "--minimum-requests",
      "10", "--interval", "1s")
    try scene.awaitPhase("Succeeded")
    try eventually("the new version") { try scene.versions() == ["1.1.0"] }
  }
}
