import Testing

@Suite("Identities of the mesh: roots, revocation, join tokens", .endToEnd)
struct MeshIdentityTests {
  /// What the apps of a pair ask of each other while something else happens.
  private final class Traffic: Sendable {
    private let statuses = Locked<[Int: Int]>([:])
    private let isOver = Locked(false)
    private let work: BackgroundWork<Void>

    init(_ ask: @escaping @Sendable () throws -> Int) {
      let (statuses, isOver) = (statuses, isOver)
      work = BackgroundWork {
        while !isOver.current {
          let status = try ask()
          statuses.withLock { $0[status, default: 0] += 1 }
          pause(milliseconds: 10)
        }
      }
    }

    /// How often each status came.
    func end() throws -> [Int: Int] {
      isOver.withLock { $0 = true }
      _ = try work.value()
      return statuses.current
    }
  }

  private func issuer(_ chain: String) throws -> String {
    try Tool.run("openssl", ["x509", "-noout", "-issuer", "-in", chain]).output
  }

  @Test("a root takes the place of another under traffic: both are trusted, then the old one is gone; nothing fails")
  func rotation() throws {
    let mesh = try MeshScene(lifetime: "12s")
    let pair = try MeshPair(mesh)
    defer { pair.stop() }
    func status() throws -> JSONValue { try JSONValue(try mesh.weft("ca", "status", "--json").output) }
    func roots() throws -> Int { try mesh.weft("ca", "roots").output.ranges(of: "BEGIN CERTIFICATE").count }
    let old = try #require(try status()["roots"][0]["fingerprint"].string)
    let chain = mesh.folder.path("\(mesh.state(pair.ratings, "ratings"))/identity.crt")
    let before = try issuer(chain)
    let traffic = Traffic { try pair.reviews.get("ratings").status }

    let said = try mesh.weft("ca", "rotate").output
    #expect(said.contains("next") && said.contains(String(old.prefix(16))), "\(said)")
    #expect(try roots() == 2)
    let twice = try Tool.run(WeftBinary.path, ["ca", "rotate", "--control", mesh.apiURL])
    #expect(twice.code == 1 && twice.errorOutput.contains("a rotation is under way"), "\(twice.errorOutput)")
    try eventually("the old root to be gone", within: 120) { try roots() == 1 }
    let end = try status()["roots"].list
    #expect(end.count == 1 && end[0]["state"].string == "signing" && end[0]["fingerprint"].string != old, "\(end)")
    try eventually("a certificate of the new root", within: 60) { try issuer(chain) != before }
    let statuses = try traffic.end()
    #expect(statuses.keys.sorted() == [200], "\(statuses)")
    // Whoever joins now learns the new one.
    let late = try mesh.sidecar("ratings", app: pair.apps.ratings.port)
    late.process.stop()
  }

  @Test("a workload that is revoked loses its stream and gets no certificate, until a token that is made later")
  func revocation() throws {
    let mesh = try MeshScene(lifetime: "15s")
    let pair = try MeshPair(mesh)
    defer { pair.stop() }
    try mesh.weft("ca", "revoke", "default/ratings", "--reason", "the machine was stolen")
    try eventually("the stream to be refused", within: 60) {
      pair.ratings.process.log.contains("refuses this proxy") && pair.ratings.process.log.contains("was revoked")
    }
    try eventually("nobody to be left", within: 60) { try pair.reviews.get("ratings").text == "no healthy upstream\n" }
    try eventually("the renewal to be refused", within: 60) {
      pair.ratings.process.log.contains("the identity cannot be renewed")
    }
    #expect(try mesh.weft("ca", "status").output.contains("the machine was stolen"))
    #expect(try mesh.weft("events").output.contains("CertificateRefused"))
    #expect(try Tool.run(WeftBinary.path, ["ca", "revoke", "ratings", "--control", mesh.apiURL]).code == 2)
    // The others are left alone.
    #expect(try pair.reviews.get("reviews").status == 200)

    // Its certificate may be good for a while yet, and is of no use; the token is.
    let state = mesh.state(pair.ratings, "ratings")
    pair.ratings.process.stop()
    let again = try mesh.sidecar(
      "ratings", app: pair.apps.ratings.port, state: state, ports: pair.ratings.ports, isAwaited: false,
      joinsAgain: true)
    defer { again.process.stop() }
    try eventually("ratings to be back", within: 60) { try pair.reviews.get("ratings").status == 200 }
  }

  @Test("an intermediate that the operator brings signs for the mesh, as docs/control-plane.md makes it")
  func intermediate() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "make.sh",
      """
      set -e
      cd "$(dirname "$0")"
      openssl ecparam -name prime256v1 -genkey -noout -out root.key
      openssl req -x509 -new -key root.key -subj "/O=Example/CN=root" -days 30 -out root.crt
      \(try MeshIdentityTests.documentedCommands())
      """)
    let made = try Tool.run("sh", [folder.path("make.sh")])
    #expect(made.code == 0, "\(made.errorOutput)")
    let mesh = try MeshScene(
      arguments: ["--ca-certificate", folder.path("chain.pem"), "--ca-key", folder.path("mesh.key")])
    let pair = try MeshPair(mesh)
    defer { pair.stop() }
    try mesh.folder.write("roots.pem", try mesh.weft("ca", "roots").output)
    let shown = try Tool.run("openssl", ["x509", "-noout", "-subject", "-in", mesh.folder.path("roots.pem")]).output
    #expect(shown.contains("root"), "\(shown)")
    let chain = mesh.folder.path("\(mesh.state(pair.ratings, "ratings"))/identity.crt")
    let verified = try Tool.run(
      "openssl", ["verify", "-CAfile", folder.path("root.crt"), "-untrusted", chain, chain])
    #expect(verified.code == 0 && verified.output.contains("OK"), "\(verified.output)\(verified.errorOutput)")
    #expect(try issuer(chain).contains("mesh"))
    // It is in the store, encrypted, from then on.
    try mesh.killControl()
    mesh.arguments = []
    try mesh.startControl()
    #expect(try mesh.weft("ca", "roots").output.contains("BEGIN CERTIFICATE"))
    let late = try mesh.sidecar("ratings", app: pair.apps.ratings.port)
    late.process.stop()
  }

  /// Those between the fences, without the one that starts the control plane.
  private static func documentedCommands() throws -> String {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let page = try #require(readFile("\(root)/docs/control-plane.md"))
    let begin = try #require(page.range(of: "openssl ecparam"))
    let rest = page[begin.lowerBound...]
    let end = try #require(rest.range(of: "weft control --ca-certificate"))
    return String(rest[..<end.lowerBound])
  }

  @Test("a join token lets in whom it names, as often as it says, until it ends, and is of no use to another mesh")
  func tokens() throws {
    let (mesh, other) = (try MeshScene(), try MeshScene(arguments: ["--trust-domain", "other.example"]))
    let app = try Backend("app")
    defer { app.stop() }
    try mesh.apply(MeshScene.service("reviews"))
    try other.apply(MeshScene.service("reviews"))
    var number = 0
    func token(_ mesh: MeshScene, _ more: String...) throws -> String {
      let name = "token-\(number)"
      number += 1
      let all = ["token", "create", "--join", "--service", "reviews"] + more + ["--control", mesh.apiURL]
      try mesh.folder.write(name, try Tool.run(WeftBinary.path, all).output)
      return mesh.folder.path(name)
    }
    func join(_ mesh: MeshScene, _ file: String, service: String = "reviews") throws -> MeshScene.Sidecar {
      number += 1
      return try mesh.sidecar(
        service, app: app.port, state: "own-\(number)", isAwaited: false, "--token-file", file)
    }
    func isIn(_ sidecar: MeshScene.Sidecar) -> Bool { sidecar.process.log.contains("identity spiffe://") }
    func says(_ sidecar: MeshScene.Sidecar, _ text: String) throws {
      try eventually(text, within: 60) { sidecar.process.log.contains(text) }
      #expect(!isIn(sidecar))
      sidecar.process.signal(9)
      _ = try sidecar.process.waitForEnd()
    }
    let once = try token(mesh)
    let first = try join(mesh, once)
    defer { first.process.stop() }
    try eventually("the first one to be in") { isIn(first) }
    try says(try join(mesh, once), "the join token was used already")
    let many = try token(mesh, "--reusable")
    for _ in 0..<2 {
      let sidecar = try join(mesh, many)
      try eventually("another one to be in") { isIn(sidecar) }
      sidecar.process.stop()
    }
    try says(try join(mesh, many, service: "ratings"), "the join token is for the sidecar default/reviews")
    let short = try token(mesh, "--lifetime", "1s")
    pause(milliseconds: 2_100)
    try says(try join(mesh, short), "the join token has expired")
    try says(try join(other, many), "the server's root is none that the join token names")
  }
}
