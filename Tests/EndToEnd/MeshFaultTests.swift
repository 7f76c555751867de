import Glibc
import Testing

/// What fails, and the state that docs/control-plane.md says it ends in.
@Suite("Faults of the mesh", .endToEnd)
struct MeshFaultTests {
  private func ask(_ port: Int) throws -> HTTPMessage {
    let client = try RawClient(port)
    try client.send("GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")
    return try client.response(to: "GET")
  }

  @Test("a bundle that was tampered with on the control plane's disk is not used by a proxy, which says so and goes on")
  func tamperedBundle() throws {
    let mesh = try MeshScene()
    let app = try Backend("app")
    defer { app.stop() }
    let port = try ReservedPort()
    func push(_ version: String, _ more: String...) throws -> String {
      let bundle = mesh.folder.path("tag/bundle.yaml")
      let lines = try #require(readFile(bundle)).split(separator: "\n", omittingEmptySubsequences: false)
      try writeFile(bundle, lines.map { $0.hasPrefix("version:") ? "version: \(version)" : $0 }.joined(separator: "\n"))
      _ = try Tool.run(
        WeftBinary.path,
        ["bundle", "push", mesh.folder.path("tag"), "--skip-tests", "--control", mesh.apiURL] + more)
      let digest = try Tool.run(WeftBinary.path, ["bundle", "digest", mesh.folder.path("tag")]).output
      return try #require(
        digest.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("sha256:") }.map(String.init))
    }
    func use(_ digest: String) throws {
      try mesh.apply(
        "{apiVersion: weft.dev/v1, kind: FilterBundle, metadata: {name: tag}, spec: {digest: \"\(digest)\"}}")
    }
    _ = try Tool.run(WeftBinary.path, ["bundle", "new", "tag", "--in", mesh.folder.path])
    try use(try push("1.0.1"))
    try mesh.apply(
      Resources.gateway(port.number, name: "edge"), Resources.service("app", [app.endpoint]),
      Resources.filter("tag", type: "lua", config: "bundle: tag"),
      Resources.route(
        "front", "rules: [{filters: [\(Resources.reference("tag"))], backendRefs: [\(Resources.backendRef("app"))]}]",
        gateway: "edge"))
    let first = try mesh.gateway("edge")
    #expect(try ask(port.number).status == 200)
    try eventually("the cache") {
      readFile(mesh.folder.path("state-edge/cache.json"))?.contains("default/tag") ?? false
    }
    first.stop()

    let digest = try push("1.0.2")
    try use(digest)
    let blob = mesh.folder.path("control/blobs/sha256/\(digest.dropFirst("sha256:".count))")
    let file = open(blob, O_RDWR)
    try #require(file >= 0)
    var byte: UInt8 = 0
    #expect(pread(file, &byte, 1, 40) == 1)
    byte ^= 0x55
    #expect(pwrite(file, &byte, 1, 40) == 1)
    close(file)

    let edge = try mesh.gateway("edge")
    defer { edge.stop() }
    try eventually("the refusal to be known") {
      let status = try mesh.weft("status", "gateway/default/edge").output
      return status.contains("refuses weft.dev/v1/FilterBundle default/tag") && status.contains(digest)
    }
    // It goes on with the version that it had.
    for _ in 0..<5 { #expect(try ask(port.number).status == 200) }
    #expect(try mesh.weft("events").output.contains("BundleRejected"))
    let status = try JSONValue(try mesh.weft("status", "--json").output)
    let id = try #require(status["proxies"][0]["id"].string)
    let description = try mesh.weft("describe", id).output
    #expect(description.contains("push the bundle again") && description.contains("BundleRejected"), "\(description)")
  }

  @Test("a control plane that is killed at any moment has everything that it acknowledged, and its proxies come back")
  func killed() throws {
    let mesh = try MeshScene()
    let front = try MeshFront(mesh)
    defer { front.stop() }
    let acknowledged = Locked<[String]>([])
    let failures = Locked(0)
    let isOver = Locked(false)
    let load = BackgroundWork {
      while !isOver.current { if try front.ask().status != 200 { failures.withLock { $0 += 1 } } }
    }
    for round in 0..<5 {
      let writer = BackgroundWork {
        for number in 0..<100_000 {
          let name = "s-\(round)-\(number)"
          let body =
            #"{"resources":[{"apiVersion":"weft.dev/v1","kind":"Service","metadata":{"name":"\#(name)"},"spec":{}}]}"#
          guard let client = try? RawClient(mesh.api.number),
            (try? client.send(
              "POST /weft/v1/apply HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                + "content-length: \(body.utf8.count)\r\nconnection: close\r\n\r\n\(body)")) != nil,
            let answer = try? client.response(to: "POST"), answer.status == 200
          else { return }
          acknowledged.withLock { $0.append(name) }
        }
      }
      try eventually("some writes") { acknowledged.current.contains { $0.hasPrefix("s-\(round)-") } }
      pause(milliseconds: Int.random(in: 0...300))
      try mesh.killControl()
      _ = try writer.value()
      try mesh.startControl()
      let services = try mesh.weft("get", "services.weft.dev", "-o", "json").output
      let lost = acknowledged.current.filter { !services.contains("\"\($0)\"") }
      #expect(lost.isEmpty, "round \(round) of \(acknowledged.current.count): \(lost)")
    }
    try eventually("the gateway to be in step again", within: 60) {
      (try? mesh.weft("status", "gateway/default/edge").output.contains("synced")) ?? false
    }
    isOver.withLock { $0 = true }
    _ = try load.value()
    #expect(failures.current == 0)
  }

  /// Whether this process may mount a file system of its own.
  private static let mayMount: Bool = {
    guard let folder = try? TemporaryFolder() else { return false }
    guard (try? Tool.run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder.path]))?.code == 0 else {
      return false
    }
    _ = try? Tool.run("umount", [folder.path])
    return true
  }()

  @Test(
    "when the disk is full, writes are refused and say why, everything else goes on; with room again, so do writes",
    .enabled(if: mayMount, "a file system of a few megabytes takes the right to mount one"))
  func diskFull() throws {
    let scene = try ControlScene()
    let data = scene.folder.path("data")
    mkdir(data, 0o700)
    #expect(try Tool.run("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", data]).code == 0)
    defer { _ = try? Tool.run("umount", ["-l", data]) }
    let process = try scene.start()
    let file = scene.folder.path("map.yaml")
    func apply(_ number: Int) throws -> ToolResult {
      let filler = String(repeating: "x", count: 300_000)
      try writeFile(
        file,
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: map}, data: {number: \"n-\(number)\", filler: \(filler)}}\n"
      )
      return try Tool.run(
        "env",
        ["WEFT_CONTROL=\(scene.url)", "WEFT_CONFIG=\(scene.folder.path("none"))", WeftBinary.path, "apply", "-f", file])
    }
    #expect(try apply(0).code == 0)
    let ballast = "\(data)/ballast"
    _ = try Tool.run("sh", ["-c", "dd if=/dev/zero of=\(ballast) bs=4096 2>/dev/null; true"])
    var last = 0
    var refusal: ToolResult?
    for number in 1...40 where refusal == nil {
      let result = try apply(number)
      if result.code == 0 { last = number } else { refusal = result }
    }
    let said = try #require(refusal, "the disk never was full")
    #expect(said.errorOutput.contains("the disk is full: make room"), "\(said.errorOutput)")
    // What was acknowledged is there, and what was refused is not.
    #expect(try scene.weft("get", "configmap", "map", "-o", "yaml").output.contains("n-\(last)\n"))
    let ready = try Tool.run(
      "curl", ["-s", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", "\(scene.url)/healthz"])
    #expect(ready.output == "200" && process.end == nil)

    unlink(ballast)
    try eventually("writes to be taken again") { try apply(100).code == 0 }
    #expect(try scene.weft("get", "configmap", "map", "-o", "yaml").output.contains("n-100\n"))
    process.signal(SIGTERM)
    #expect(try process.waitForEnd() == .exited(0))
  }

  private static let libfaketime = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketimeMT.so.1" }
    .first { access("\($0)", R_OK) == 0 }

  @Test(
    "when the control plane's clock jumps past the end of all certificates, proxies serve on, and are back when it is right",
    .enabled(if: libfaketime != nil, "takes the package faketime"))
  func clockJumps() throws {
    let clock = try TemporaryFolder()
    try clock.write("clock", "+0\n")
    let mesh = try MeshScene(environment: [
      "LD_PRELOAD": Self.libfaketime ?? "", "FAKETIME_TIMESTAMP_FILE": clock.path("clock"), "FAKETIME_NO_CACHE": "1",
      "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    ])
    let front = try MeshFront(mesh)
    defer { front.stop() }
    func isSynced() -> Bool { (try? mesh.weft("status", "gateway/default/edge").output.contains(" synced ")) ?? false }
    try eventually("the gateway to be in step", within: 60) { isSynced() }
    try clock.write("clock", "+3d\n")
    try eventually("the stream to be closed", within: 120) {
      front.edge.log.contains("the certificate of this connection has ended")
    }
    for _ in 0..<10 { #expect(try front.ask().status == 200) }
    try clock.write("clock", "+0\n")
    try eventually("the gateway to be in step again", within: 120) { isSynced() }
    #expect(try front.ask().status == 200)
  }
}
