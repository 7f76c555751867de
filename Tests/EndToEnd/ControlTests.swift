import Glibc
import Testing

@Suite("The control plane", .endToEnd)
struct ControlTests {
  private func start(_ folder: TemporaryFolder, _ port: Int, _ arguments: [String] = [], run: Int = 0) throws
    -> ChildProcess
  {
    let process = try ChildProcess(
      WeftBinary.path,
      ["control", "--data", folder.path("data"), "--discovery", "127.0.0.1:\(port)"]
        + (arguments.contains("--api") ? [] : ["--api", "off"]) + arguments,
      in: folder, name: "control\(run)")
    try eventually("the control plane to be ready") {
      if let end = process.end { throw MalformedMessage("it ended at once, \(end): \(process.errorOutput)") }
      return process.errorOutput.contains(" ready api=")
    }
    return process
  }

  @Test("starts with nothing, presents a certificate of its own root, and ends on SIGTERM")
  func startsAndEnds() throws {
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    var fingerprints: Set<String> = []
    for run in 0..<2 {
      let process = try start(folder, port.number, ["--advertise", "control.example.net"], run: run)
      #expect(process.errorOutput.contains("127.0.0.1:\(port.number)"))
      let handshake = try Tool.run(
        "sh",
        [
          "-c",
          "openssl s_client -connect 127.0.0.1:\(port.number) -alpn h2 -showcerts </dev/null > \(folder.path("out")) 2>&1; "
            + "awk '/BEGIN CERT/{n++} n>0{print > \"\(folder.path("cert"))\" n} /END CERT/{}' \(folder.path("out")); "
            + "openssl x509 -in \(folder.path("cert1")) -noout -text; openssl x509 -in \(folder.path("cert2")) -noout -fingerprint",
        ])
      #expect(handshake.output.contains("DNS:control.example.net") && handshake.output.contains("DNS:weft-control"))
      #expect(handshake.output.contains("IP Address:127.0.0.1"))
      let session = readFile(folder.path("out")) ?? ""
      #expect(session.contains("ALPN protocol: h2") && session.contains("TLSv1.3"))
      fingerprints.insert(
        handshake.output.split(separator: "\n").first { $0.contains("ingerprint=") }.map(String.init) ?? "")
      process.signal(SIGTERM)
      #expect(try process.waitForEnd() == .exited(0))
    }
    // The root outlives the process.
    #expect(fingerprints.count == 1 && fingerprints.first?.isEmpty == false)
  }

  @Test("says what is wrong when it cannot start")
  func refusals() throws {
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    let process = try start(folder, port.number)
    func run(_ arguments: [String]) throws -> ToolResult {
      try Tool.run(WeftBinary.path, ["control", "--api", "off"] + arguments)
    }
    let taken = try run(["--data", folder.path("other"), "--discovery", "127.0.0.1:\(port.number)"])
    #expect(taken.code == 1 && taken.errorOutput.contains("another process listens there"))
    let used = try run(["--data", folder.path("data"), "--discovery", "127.0.0.1:0"])
    #expect(used.code == 1 && used.errorOutput.contains(folder.path("data")))
    let file = try run(["--data", "/dev/null/x", "--discovery", "127.0.0.1:0"])
    #expect(file.code == 1 && file.errorOutput.contains("/dev/null/x"))
    process.signal(SIGTERM)
    #expect(try process.waitForEnd() == .exited(0))
    unlink(folder.path("data/ca.key-file"))
    let keyless = try run(["--data", folder.path("data"), "--discovery", "127.0.0.1:0"])
    #expect(keyless.code == 1 && keyless.errorOutput.contains("ca.key-file is missing"))
    for usage in [
      ["--discovery", "nonsense"], ["--store", "mysql"], ["--certificate-lifetime", "1y"], ["--ca-key", "k"],
    ] {
      #expect(try run(usage).code == 2, "\(usage)")
    }
  }

  @Test("is ready once its API listens too, and never when it cannot")
  func readiness() throws {
    let folder = try TemporaryFolder()
    let (discovery, api) = (try ReservedPort(), try ReservedPort())
    let options = ["--api", "127.0.0.1:\(api.number)"]
    let process = try start(folder, discovery.number, options)
    // No waiting: what says "ready" is.
    let client = try RawClient(api.number)
    try client.send("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    #expect(try client.response(to: "GET").status == 200)
    #expect(process.errorOutput.contains("api=127.0.0.1:\(api.number)"))

    let second = try ChildProcess(
      WeftBinary.path, ["control", "--data", folder.path("second"), "--discovery", "127.0.0.1:0"] + options, in: folder,
      name: "second")
    #expect(try second.waitForEnd() == .exited(1))
    #expect(!second.errorOutput.contains(" ready api="))
    #expect(second.errorOutput.contains("another process listens there"), "\(second.errorOutput)")
    process.signal(SIGTERM)
    #expect(try process.waitForEnd() == .exited(0))
  }

  @Test("ends on SIGTERM whatever its clients hold open")
  func endsWithClients() throws {
    let mesh = try MeshScene()
    let app = try Backend("app")
    defer { app.stop() }
    let port = try ReservedPort()
    try mesh.apply(
      Resources.gateway(port.number, name: "edge"), Resources.service("app", [app.endpoint]),
      Resources.route("front", "rules: [{backendRefs: [\(Resources.backendRef("app"))]}]", gateway: "edge"))
    // A proxy that neither reads nor answers any more.
    let edge = try mesh.gateway("edge")
    defer {
      edge.signal(SIGCONT)
      edge.stop()
    }
    try eventually("the gateway to be in step") {
      try mesh.weft("status", "gateway/default/edge").output.contains(" synced ")
    }
    edge.signal(SIGSTOP)
    // A watch, a connection kept alive, half a request, and connections that say nothing at all.
    let watch = try RawClient(mesh.api.number)
    try watch.send(
      "GET /apis/gateway.networking.k8s.io/v1/httproutes?watch=1&allowWatchBookmarks=true HTTP/1.1\r\nhost: localhost\r\n\r\n"
    )
    let idle = try RawClient(mesh.api.number)
    try idle.send("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    #expect(try idle.response(to: "GET").status == 200)
    let half = try RawClient(mesh.api.number)
    try half.send("POST /weft/v1/apply HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
    let silent = [try RawClient(mesh.api.number), try RawClient(mesh.discovery.number)]
    let handshake = try ChildProcess(
      "sh",
      ["-c", "tail --pid=$$ -f /dev/null | openssl s_client -connect 127.0.0.1:\(mesh.discovery.number) -alpn h2"],
      in: mesh.folder, name: "s_client")
    defer { handshake.signal(SIGKILL) }
    try eventually("the handshake") { handshake.output.contains("ALPN protocol: h2") }
    #expect(try mesh.endControl() == .exited(0), "\(mesh.controlLog)")
    withExtendedLifetime((watch, idle, half, silent)) {}
  }
}
