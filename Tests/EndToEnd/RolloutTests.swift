import Glibc
import Testing

@Suite("Rollouts of bundles", .endToEnd)
struct RolloutTests {
  @Test("by requests: both versions answer, the rollout waits, goes on when it is promoted, to the end, and back again")
  func requests() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    try scene.push("1.1.0", RolloutScene.tags("1.1.0"))
    let failures = Locked(0)
    let isOver = Locked(false)
    let load = BackgroundWork {
      while !isOver.current { if try scene.ask().status != 200 { failures.withLock { $0 += 1 } } }
    }
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--by", "requests", "--steps", "40,100", "--minimum-requests",
      "20", "--interval", "1s")
    let waiting = try scene.awaitPhase("Waiting")
    #expect(waiting["rollout"]["percent"].int == 40)
    try eventually("both versions") { try scene.versions() == ["1.0.0", "1.1.0"] }
    // Another one cannot begin meanwhile.
    let second = try Tool.run(
      WeftBinary.path, ["bundle", "rollout", "tagger", "--to", "1.1.0", "--control", scene.mesh.apiURL])
    #expect(second.code == 1 && second.errorOutput.contains("is in a rollout to"), "\(second.errorOutput)")
    try eventually("figures of both") {
      let rollout = try scene.status()["rollout"]
      return (rollout["stableFigures"]["requests"].int ?? 0) > 0
        && (rollout["candidateFigures"]["requests"].int ?? 0) > 0
    }
    try eventually("times of calls of both") {
      let rollout = try scene.status()["rollout"]
      return (rollout["stableFigures"]["callTime"].number ?? 0) > 0
        && (rollout["candidateFigures"]["callTime"].number ?? 0) > 0
    }
    let page = try scene.mesh.weft("bundle", "status", "tagger").output
    #expect(page.contains("waits at 40 % for somebody to promote it"), "\(page)")
    #expect(page.contains("TIME/CALL") && page.split(separator: "\n").count { $0.contains(" µs") } == 2, "\(page)")
    try eventually("the calls of each version", within: 60) {
      let filters = try scene.mesh.weft("status", "filters").output
      return ["1.0.0", "1.1.0"].allSatisfy { filters.contains(scene.digest($0).prefix(19)) }
        && filters.contains("default/tagger")
    }
    let metrics = try scene.mesh.metrics()
    for version in ["1.0.0", "1.1.0"] {
      let labels = "{filter=\"default/tag\",bundle=\"default/tagger\",digest=\"\(scene.digest(version))\"} "
      #expect(metrics.contains("weft_mesh_filter_calls_total\(labels)"), "\(metrics)")
      #expect(metrics.contains("weft_mesh_filter_call_duration_seconds_count\(labels)"), "\(metrics)")
    }
    try scene.mesh.weft("bundle", "promote", "tagger")
    let done = try scene.awaitPhase("Succeeded")
    #expect(done["digest"].string == scene.digest("1.1.0"))
    try eventually("the new version alone") { try scene.versions() == ["1.1.0"] }
    try scene.mesh.weft("bundle", "rollback", "tagger")
    try eventually("the version from before") { try scene.versions() == ["1.0.0"] }
    isOver.withLock { $0 = true }
    _ = try load.value()
    #expect(failures.current == 0)
    let events = try scene.mesh.weft("events").output
    for reason in ["RolloutStarted", "RolloutStep", "RolloutSucceeded"] {
      #expect(events.contains(reason), "\(events)")
    }
  }

  @Test("a version that fails is taken back by itself")
  func failing() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    try scene.push("2.0.0", "function on_response(h) error(\"boom\") end\n")
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "2.0.0", "--by", "requests", "--steps", "50:1h,100", "--minimum-requests",
      "20", "--interval", "1s")
    let status = try scene.awaitPhase("RolledBack")
    let message = status["rollout"]["message"].string ?? ""
    #expect(message.hasPrefix("rolled back: ") && message.contains("errorRate"), "\(message)")
    #expect(status["digest"].string == scene.digest("1.0.0"))
    try eventually("the old version alone") { try scene.versions() == ["1.0.0"] }
    let page = try scene.mesh.weft("bundle", "status", "tagger").output
    #expect(page.contains("failed scriptErrorRate"), "\(page)")
    #expect(try scene.mesh.weft("events").output.contains("RolloutRolledBack"))
  }

  @Test("by proxies: each runs one version; a proxy that cannot use the new one has it taken back, and is named")
  func proxies() throws {
    let scene = try RolloutScene(gateways: 2)
    defer { scene.stop() }
    try scene.push("1.1.0", RolloutScene.tags("1.1.0"))
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--steps", "50,100:1h", "--minimum-requests", "0", "--interval",
      "1s")
    try scene.awaitPhase("Waiting")
    for gateway in 0..<2 {
      try eventually("one version at gateway \(gateway)") { try scene.versions(gateway).count == 1 }
    }
    try scene.mesh.weft("bundle", "promote", "tagger")
    for gateway in 0..<2 {
      try eventually("the new version at gateway \(gateway)") { try scene.versions(gateway) == ["1.1.0"] }
    }
    try scene.mesh.weft("bundle", "abort", "tagger")
    try scene.awaitPhase("Aborted")
    for gateway in 0..<2 {
      try eventually("the old version at gateway \(gateway)") { try scene.versions(gateway) == ["1.0.0"] }
    }

    // A folder in its place: this proxy cannot keep the archive.
    try scene.push("1.2.0", RolloutScene.tags("1.2.0"))
    let place = "\(scene.archives(1))/\(scene.digest("1.2.0").dropFirst("sha256:".count)).weft"
    #expect(mkdir(place, 0o700) == 0)
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.2.0", "--by", "requests", "--steps", "50:1h,100", "--interval", "1s")
    let status = try scene.awaitPhase("RolledBack")
    let refused = status["rollout"]["refusals"][0]
    #expect(refused["proxy"].string?.hasPrefix("gateway/default/edge-1/") == true, "\(status)")
    #expect(refused["message"].string?.contains(scene.digest("1.2.0")) == true, "\(status)")
    for gateway in 0..<2 {
      try eventually("the old version at gateway \(gateway)") { try scene.versions(gateway) == ["1.0.0"] }
    }
  }

  @Test("a control plane that is killed in the middle goes on where it was, and no request fails")
  func killed() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    try scene.push("1.1.0", RolloutScene.tags("1.1.0"))
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--by", "requests", "--steps", "30,60,100:0s",
      "--minimum-requests", "10", "--interval", "1s")
    try scene.awaitPhase("Waiting", step: 0)
    try scene.mesh.weft("bundle", "promote", "tagger")
    try scene.awaitPhase("Waiting", step: 1)
    try eventually("both versions") { try scene.versions() == ["1.0.0", "1.1.0"] }
    try scene.mesh.killControl()
    for _ in 0..<5 { #expect(try scene.versions().isSubset(of: ["1.0.0", "1.1.0"])) }
    try scene.mesh.startControl()
    let status = try scene.status()["rollout"]
    #expect(status["phase"].string == "Waiting" && status["step"].int == 1, "\(status)")
    // It knows again who runs what.
    try eventually("the proxy to say which version it runs") {
      try scene.status()["proxies"][0]["digest"].string == scene.digest("1.0.0")
    }
    try scene.mesh.weft("bundle", "promote", "tagger")
    try scene.awaitPhase("Succeeded")
    try eventually("the new version alone") { try scene.versions() == ["1.1.0"] }
    try eventually("the proxy to say that it runs the new version") {
      try scene.status()["proxies"][0]["digest"].string == scene.digest("1.1.0")
    }
  }

  @Test("a proxy keeps the archives that it may need again, and starts from them without the control plane")
  func archives() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    for number in 1...5 {
      let version = "1.\(number).0"
      try scene.push(version, RolloutScene.tags(version), "--use")
      try eventually("version \(version)") { try scene.version() == version }
    }
    try eventually("what is not needed to be gone") {
      scene.kept() == ["1.2.0", "1.3.0", "1.4.0", "1.5.0"]
    }
    try scene.push("2.0.0", RolloutScene.tags("2.0.0"))
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "2.0.0", "--by", "requests", "--steps", "50:1h,100", "--interval", "1s")
    try eventually("both versions") { try scene.versions() == ["1.5.0", "2.0.0"] }
    try scene.mesh.killControl()
    try scene.restart()
    try eventually("both versions again") { try scene.versions() == ["1.5.0", "2.0.0"] }
    #expect(scene.kept() == ["1.2.0", "1.3.0", "1.4.0", "1.5.0", "2.0.0"])
    try scene.mesh.startControl()
    try scene.mesh.weft("bundle", "promote", "tagger", "--to-end")
    try scene.awaitPhase("Succeeded")
    try eventually("the new version alone, with the three before it") {
      try scene.versions() == ["2.0.0"] && scene.kept() == ["1.3.0", "1.4.0", "1.5.0", "2.0.0"]
    }
  }

  @Test("shadow mode changes nothing, and shows what would be different")
  func shadow() throws {
    let scene = try RolloutScene()
    defer { scene.stop() }
    try scene.push(
      "1.1.0",
      """
      function on_response(h) h:headers():add("x-version", "1.1.0") end
      function on_request(h) if h:headers():get(":path") == "/never" then h:respond({[":status"] = "418"}, "") end end
      """)
    try scene.mesh.weft(
      "bundle", "rollout", "tagger", "--to", "1.1.0", "--shadow", "--by", "requests", "--steps", "100", "--interval",
      "1s", "--minimum-requests", "100000")
    try eventually("differences", within: 120) {
      #expect(try scene.versions() == ["1.0.0"])
      let rollout = try scene.status()["rollout"]
      return (rollout["candidateFigures"]["different"].int ?? 0) > 0
        && (rollout["candidateFigures"]["same"].int ?? 0) > 0 && rollout["samples"][0].string != nil
    }
    let sample = try scene.status()["rollout"]["samples"][0].string ?? ""
    #expect(
      sample == "GET /path: response field x-version: \"1.0.0\", the candidate's \"1.1.0\"", "\(sample)")
    try scene.mesh.weft("bundle", "promote", "tagger", "--to-end")
    let status = try scene.awaitPhase("Succeeded")
    #expect(status["digest"].string == scene.digest("1.0.0"), "shadow mode puts nothing in force")
  }
}
