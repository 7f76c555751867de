import Glibc
import Testing

@Suite("The mesh: control plane, gateway and sidecars", .endToEnd)
struct MeshTests {
  @Test("sidecars find each other through the control plane, over mutual TLS, on demand, and a gateway finds them")
  func together() throws {
    let mesh = try MeshScene()
    let port = try ReservedPort()
    // Registered, found when it is asked for, and reached over TLS.
    let pair = try MeshPair(
      mesh,
      resources: [
        Resources.gateway(port.number, name: "edge"),
        Resources.route("front", "rules: [{backendRefs: [\(Resources.backendRef("reviews"))]}]", gateway: "edge"),
      ])
    let (a, b) = (pair.reviews, pair.ratings)
    let edge = try mesh.gateway("edge")
    defer {
      edge.stop()
      pair.stop()
    }
    let echo = try a.get("ratings.default.svc.cluster.local", "/echo").text
    #expect(echo.contains("x-forwarded-proto: https"), "\(echo)")
    try eventually("ratings to reach reviews") { try b.get("reviews").text == "reviews\n" }
    try eventually("the gateway to reach reviews") {
      let client = try RawClient(port.number)
      try client.send("GET /echo HTTP/1.1\r\nhost: shop\r\n\r\n")
      let answer = try client.response(to: "GET")
      return answer.status == 200 && answer.text.contains("x-forwarded-proto: https")
    }
    // Nobody without an identity of the mesh gets in by TLS.
    let stranger = try Tool.run(
      "curl", ["-sk", "--max-time", "20", "-o", "/dev/null", "https://127.0.0.1:\(b.inbound)/"])
    #expect(stranger.code != 0)

    // A service that there is not is told at once; one that comes later is found.
    let ghost = try a.get("ghost")
    #expect(ghost.status == 503 && ghost.text == "no service of the mesh has this name\n", "\(ghost)")
    #expect(try a.get("www.example.com").status == 404)
    try mesh.apply(MeshScene.service("ghost"))
    try eventually("the service that has come to be known") {
      try a.get("ghost").text == "no healthy upstream\n"
    }

    // Routes of a service run at its clients.
    try mesh.apply(
      """
      {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: move}, spec: {parentRefs: \
      [{group: weft.dev, kind: Service, name: ghost}], rules: [{backendRefs: [\(Resources.backendRef("ratings"))]}]}}
      """)
    try eventually("the route to be followed") { try a.get("ghost").text == "ratings\n" }
  }

  @Test("without its control plane a proxy serves on, and starts from its cache; nothing fails when it comes back")
  func controlPlaneLost() throws {
    let mesh = try MeshScene()
    let pair = try MeshPair(mesh)
    let (a, b) = (pair.reviews, pair.ratings)
    defer { pair.stop() }
    try mesh.killControl()
    for _ in 0..<20 { #expect(try a.get("ratings").status == 200) }
    #expect(try a.get("unheard").status == 503)

    // The cache is written a moment after a configuration was applied.
    let state = mesh.state(a, "reviews")
    try eventually("the cache") {
      (readFile(mesh.folder.path("\(state)/cache.json")) ?? "").contains("default/ratings")
    }
    a.process.stop()
    let again = try mesh.sidecar("reviews", app: pair.apps.reviews.port, state: state, ports: a.ports)
    defer { again.process.stop() }
    #expect(try again.get("ratings").text == "ratings\n", "from the cache alone")

    let failures = Locked(0)
    let isOver = Locked(false)
    let load = BackgroundWork {
      while !isOver.current { if try again.get("ratings").status != 200 { failures.withLock { $0 += 1 } } }
    }
    try mesh.startControl()
    try eventually("both to be connected again") {
      again.process.log.contains("connected to the control plane")
        && b.process.log.components(of: "connected to the control plane") > 1
    }
    try mesh.apply(MeshScene.service("late"))
    try eventually("news from the control plane") { try again.get("late").text == "no healthy upstream\n" }
    isOver.withLock { $0 = true }
    _ = try load.value()
    #expect(failures.current == 0)
  }

  @Test("certificates of seconds are renewed under traffic, and no request fails")
  func rotation() throws {
    let pair = try MeshPair(MeshScene(lifetime: "12s"))
    let (a, b) = (pair.reviews, pair.ratings)
    defer { pair.stop() }
    func issued(_ sidecar: MeshScene.Sidecar) -> Int { sidecar.process.log.components(of: "identity spiffe://") }
    let before = (issued(a), issued(b))
    var statuses: [Int: Int] = [:]
    try eventually("two renewals on both sides", within: 120) {
      for _ in 0..<20 { statuses[try a.get("ratings").status, default: 0] += 1 }
      return issued(a) >= before.0 + 2 && issued(b) >= before.1 + 2
    }
    #expect(statuses.keys.sorted() == [200], "\(statuses)\n\(a.process.log.suffix(4000))")
  }

  @Test("a resource that the proxy refuses does not hold up the others, and the control plane knows of it")
  func refusal() throws {
    let mesh = try MeshScene()
    let front = try MeshFront(
      mesh, filters: [Resources.reference("lua")],
      resources: [Resources.filter("lua", type: "lua", config: "script: \"function on_request(h) end\"")])
    defer { front.stop() }
    #expect(try front.ask().status == 200)
    // The API may know better than to store it; then there is nothing to refuse here.
    let broken = Resources.filter("lua", type: "lua", config: "script: \"function on_request(h\"")
    guard (try? mesh.apply(broken)) != nil else { return }
    try mesh.apply(
      Resources.route(
        "second", "rules: [{matches: [{path: {value: /second}}], backendRefs: [\(Resources.backendRef("nobody"))]}]",
        gateway: "edge"))
    try eventually("the route that came after") { try front.ask("/second").status == 500 }
    #expect(try front.ask().status == 200, "the last good filter stays")
    try eventually("the refusal to be known") {
      try Tool.run("curl", ["-s", "--max-time", "10", "\(mesh.apiURL)/weft/v1/proxies"]).output.contains("default/lua")
    }
  }

  @Test("an app that is not well gets no requests, and a sidecar that drains is withdrawn first")
  func health() throws {
    let mesh = try MeshScene()
    let isWell = Locked(true)
    let (first, second) = (
      try Backend("first") { connection, request in
        try connection.read(&request)
        try connection.respond(
          request.path == "/healthz" && !isWell.current ? 500 : 200, to: request, body: Array("first".utf8))
      }, try Backend("second")
    )
    defer {
      first.stop()
      second.stop()
    }
    try mesh.apply(MeshScene.service("client"), MeshScene.service("app"))
    let client = try mesh.sidecar("client", app: second.port)
    let a = try mesh.sidecar("app", app: first.port, "--app-check", "http:/healthz")
    let b = try mesh.sidecar("app", app: second.port)
    defer { for process in [client.process, a.process] { process.stop() } }
    func answers() throws -> Set<String> {
      Set(try (0..<8).map { _ in try client.get("app").text.trimmingNewline })
    }
    try eventually("both instances") { try answers() == ["first", "second"] }
    isWell.withLock { $0 = false }
    try eventually("the one that is well alone") { try answers() == ["second"] }
    isWell.withLock { $0 = true }
    try eventually("both again") { try answers() == ["first", "second"] }

    let statuses = Locked<Set<Int>>([])
    let isOver = Locked(false)
    let load = BackgroundWork {
      while !isOver.current {
        let status = try client.get("app").status
        statuses.withLock { _ = $0.insert(status) }
      }
    }
    b.process.stop()
    try eventually("the other one alone") { try answers() == ["first"] }
    isOver.withLock { $0 = true }
    _ = try load.value()
    #expect(statuses.current == [200])
  }
}

extension String {
  fileprivate func components(of text: String) -> Int { ranges(of: text).count }
  fileprivate var trimmingNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
