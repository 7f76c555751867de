import Glibc
import Testing

@Suite("Endpoints given by name", .endToEnd)
struct NameTests {
  /// A proxy with a service `named` at `app.test`, whose addresses a DNS server of ours knows.
  private func scene(_ dns: DNSServer, port: Int, refresh: String = "minRefresh: 100ms", more: [String] = []) throws
    -> Scene
  {
    try Scene(
      proxy: "dns: {servers: [\"127.0.0.1:\(dns.port)\"]}",
      more: [
        Resources.service("named", endpoints: ["\"app.test:\(port)\""], "dns: {\(refresh)}"),
        Resources.route(
          "named", "rules: [{matches: [{path: {value: /named}}], backendRefs: [\(Resources.backendRef("named"))]}]"),
      ] + more)
  }

  private func endpoints(_ scene: Scene) throws -> [String] {
    try JSONValue(scene.weft.get("/clusters").text)["services"].list
      .first { $0["name"].string == "default/named" }?["endpoints"].list.compactMap { $0["address"].string } ?? []
  }

  @Test("are resolved again when their time to live is over, and requests follow")
  func followed() throws {
    // One port at several addresses of the loopback network: only one of them has a server.
    let backend = try Backend()
    let dns = try DNSServer(["app.test": .addresses(["127.0.0.9"], ttl: 0)])
    let scene = try scene(dns, port: backend.port)
    defer { scene.stop() }
    #expect(try scene.get("/named").status == 503, "nobody listens there")
    #expect(try scene.accessLog(1)[0]["upstream_host"].string == "127.0.0.9:\(backend.port)")
    dns.set("app.test", .addresses(["127.0.0.1"], ttl: 0))
    try eventually("the new address") { try scene.get("/named").status == 200 }
    let asked = dns.count("app.test")
    try eventually("more questions") { dns.count("app.test") > asked + 2 }
    #expect(scene.weft.log.contains("app.test resolves to 127.0.0.1"))
  }

  @Test("keep their last addresses when a lookup fails", arguments: ["failure", "unknown", "silence", "empty"])
  func kept(how: String) throws {
    let backend = try Backend()
    let dns = try DNSServer(["app.test": .addresses(["127.0.0.1"], ttl: 0)])
    let scene = try scene(dns, port: backend.port)
    defer { scene.stop() }
    #expect(try scene.get("/named").status == 200)
    let answers: [String: DNSServer.Answer] = [
      "failure": .failure, "unknown": .unknown, "silence": .silence, "empty": .addresses([], ttl: 0),
    ]
    dns.set("app.test", answers[how] ?? .failure)
    let asked = dns.count("app.test")
    try eventually("the failing lookup") { dns.count("app.test") > asked + 1 }
    for _ in 0..<10 { #expect(try scene.get("/named").status == 200) }
    if how != "silence" { try eventually("a warning") { scene.weft.log.contains("cannot resolve app.test") } }
    // And are looked up again all the same.
    dns.set("app.test", .addresses(["127.0.0.1", "127.0.0.9"], ttl: 60))
    if how != "silence" { try eventually("both addresses") { scene.weft.log.contains("127.0.0.1, 127.0.0.9") } }
  }

  @Test("are not asked for more often than their time to live and the bounds say")
  func ttl() throws {
    let backend = try Backend()
    let dns = try DNSServer([
      "app.test": .addresses(["127.0.0.1"], ttl: 3600), "short.test": .addresses(["127.0.0.1"], ttl: 0),
      "capped.test": .addresses(["127.0.0.1"], ttl: 3600),
    ])
    let scene = try scene(
      dns, port: backend.port,
      more: [
        Resources.service("short", endpoints: ["\"short.test:\(backend.port)\""], "dns: {minRefresh: 60s}"),
        Resources.service(
          "capped", endpoints: ["\"capped.test:\(backend.port)\""], "dns: {minRefresh: 100ms, maxRefresh: 200ms}"),
      ])
    defer { scene.stop() }
    try eventually("the capped one to be asked for again") { dns.count("capped.test") > 3 }
    #expect(dns.count("app.test") == 1, "an hour is not over")
    #expect(dns.count("short.test") == 1, "nor is the least time")
    // Reloads ask for nothing that is known.
    for _ in 0..<5 { #expect(try scene.weft.admin("POST", "/reload").status == 200) }
    #expect(dns.count("app.test") == 1)
  }

  @Test("reloads do not multiply the lookups of a name that cannot be resolved")
  func failingOverReloads() throws {
    let dns = try DNSServer(["app.test": .unknown])
    let scene = try scene(dns, port: 1)
    defer { scene.stop() }
    for _ in 0..<30 { #expect(try scene.weft.admin("POST", "/reload").status == 200) }
    try eventually("the reloads' lookups") { dns.count("app.test") > 0 }
    dns.set("app.test", .addresses(["127.0.0.1"], ttl: 1))
    try eventually("the address") { try endpoints(scene) == ["127.0.0.1:1"] }
    let (asked, start) = (dns.count("app.test"), monotonicSeconds())
    pause(milliseconds: 2500)
    let seconds = monotonicSeconds() - start
    #expect(Double(dns.count("app.test") - asked) <= seconds + 1, "once a second, not once a second and reload")
  }

  @Test("all addresses of a name take their share")
  func severalAddresses() throws {
    let first = try Backend("first")
    let dns = try DNSServer(["app.test": .addresses(["127.0.0.1", "127.0.0.2"], ttl: 60)])
    let scene = try scene(dns, port: first.port)
    defer { scene.stop() }
    #expect(try endpoints(scene) == ["127.0.0.1:\(first.port)", "127.0.0.2:\(first.port)"])
    // Nobody listens at the second: a connect that fails moves on.
    for _ in 0..<10 { #expect(try scene.get("/named").status == 200) }
    #expect(try scene.weft.metric("weft_upstream_connect_failures_total", "service=\"default/named\"") >= 1)
  }

  @Test("other servers are asked after a reload that names them")
  func otherServers() throws {
    let backend = try Backend()
    let wrong = try DNSServer(["app.test": .unknown])
    let scene = try scene(wrong, port: backend.port)
    defer { scene.stop() }
    #expect(try scene.get("/named").status == 503)
    let right = try DNSServer(["app.test": .addresses(["127.0.0.1"], ttl: 60)])
    try scene.weft.reloaded {
      try writeFile(
        scene.configurationPath, scene.configuration(proxy: "dns: {servers: [\"127.0.0.1:\(right.port)\"]}"))
    }
    try eventually("the address") { try scene.get("/named").status == 200 }
    #expect(right.count("app.test") == 1)
  }
}
