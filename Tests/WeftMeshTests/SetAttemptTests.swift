import Testing
import WeftConfig

@testable import WeftMesh

@Suite("One bad resource does not hold up the others")
struct SetAttemptTests {
  private func error(_ resource: HeldResource?, _ message: String) -> Diagnostic {
    Diagnostic(at: SourceLocation(file: resource?.source ?? "elsewhere", line: 3), message)
  }

  @Test("what is refused is replaced by its last good version, or left out")
  func replacing() throws {
    let (type, json) = service("a")
    let old = try #require(resource(type, json, version: "1"))
    let new = try #require(resource(type, json, version: "2"))
    let fresh = try #require(resource(type, service("b").json))
    var all = HeldResources()
    all.put(new)
    all.put(fresh)
    var attempt = SetAttempt(all, options: gatewayOptions())
    let diagnostics = [error(new, "is wrong"), error(new, "twice"), error(fresh, "is bad")]
    let blamed1 = attempt.blame(diagnostics, lastGood: [old.key: old])
    #expect(blamed1)
    #expect(attempt.resources[old.key]?.version == "1" && attempt.resources[fresh.key] == nil)
    #expect(attempt.rejections[old.key] == ResourceRejection(version: "2", message: "is wrong\ntwice"))
    #expect(attempt.rejections[fresh.key]?.message == "is bad")
    // The last good version fails too, beside something else: the first reason stays, and it is left out.
    let blamed2 = attempt.blame([error(old, "now this")], lastGood: [old.key: old])
    #expect(blamed2)
    #expect(attempt.resources.isEmpty && attempt.rejections[old.key]?.version == "2")
  }

  @Test("an error that names no resource is about what is new, and there is an end to trying")
  func unattributed() throws {
    let old = try #require(resource(service("a").type, service("a").json))
    let new = try #require(resource(service("b").type, service("b").json))
    var all = HeldResources()
    all.put(old)
    all.put(new)
    var attempt = SetAttempt(all, options: gatewayOptions())
    let diagnostic = error(nil, "the port is taken")
    let blamed3 = attempt.blame([diagnostic], lastGood: [old.key: old])
    #expect(blamed3)
    #expect(attempt.resources.keys.map(\.name) == ["default/a"])
    #expect(attempt.rejections[new.key]?.message == "elsewhere:3: the port is taken")
    let blamed4 = attempt.blame([diagnostic], lastGood: [old.key: old])
    #expect(!blamed4)
  }

  @Test("answers say what is wrong, and take back what is right again")
  func nonces() throws {
    var nonces = DeltaNonces()
    let due5 = nonces.due([:])
    #expect(due5.isEmpty)
    nonces.received("T", "1")
    let bad = ["default/a": ResourceRejection(version: "2", message: "is wrong")]
    let due6 = nonces.due(["T": bad])
    #expect(due6.map(\.nonce) == ["1"])
    let due7 = nonces.due(["T": bad])
    #expect(due7.isEmpty)
    let healed = nonces.due([:])
    #expect(healed.map(\.type) == ["T"] && healed.first?.withdrawn == ["default/a"])
    // A refusal that comes to light after its delta was answered is told by that delta's nonce.
    let due8 = nonces.due(["T": bad])
    #expect(due8.map(\.nonce) == ["1"])
    // Nothing was sent of this type: nothing can be answered.
    let due9 = nonces.due(["T": bad, "U": bad])
    #expect(due9.isEmpty)
  }
}

@Suite("Bundles that a proxy cannot use")
struct BundleAttemptTests {
  private static let (old, new) = (
    "sha256:" + String(repeating: "a", count: 64), "sha256:" + String(repeating: "b", count: 64)
  )

  private func bundle(_ digest: String, candidate: String? = nil, version: String) throws -> HeldResource {
    let rollout = candidate.map { ",\"rollout\":{\"candidate\":\"\($0)\",\"percent\":50,\"by\":\"Requests\"}" } ?? ""
    let json = """
      {"kind":"FilterBundle","metadata":{"name":"tag","namespace":"default"},"spec":{"digest":"\(digest)"\(rollout)}}
      """
    return try #require(resource(ResourceType.filterBundle, json, version: version))
  }

  private func filter() throws -> HeldResource {
    let json = """
      {"kind":"Filter","metadata":{"name":"f","namespace":"default"},"spec":{"type":"lua","config":{"bundle":"tag"}}}
      """
    return try #require(resource(ResourceType.filter, json))
  }

  private func attempt(_ resources: HeldResource...) -> SetAttempt {
    var held = HeldResources()
    for resource in resources { held.put(resource) }
    return SetAttempt(held, options: gatewayOptions())
  }

  @Test("an error in the new version of a bundle is its FilterBundle's, which keeps the version from before")
  func script() throws {
    let (before, after) = (try bundle(Self.old, version: "1"), try bundle(Self.new, version: "2"))
    var attempt = attempt(after, try filter())
    let place = "/state/bundles/\(Self.new.dropFirst(7)).weft/main.lua"
    let blamed = attempt.blame(
      [Diagnostic(at: SourceLocation(file: place, line: 7), "boom")], lastGood: [before.key: before])
    #expect(blamed)
    #expect(attempt.rejections[after.key]?.message == "\(Self.new): main.lua:7: boom")
    #expect(attempt.bundles.first?.version == "1" && attempt.rejections.count == 1)
  }

  @Test("what is wrong at a Filter that has not changed is its bundle's; a rollout is left out first")
  func rollout() throws {
    let rolling = try bundle(Self.old, candidate: Self.new, version: "2")
    let filter = try filter()
    var attempt = attempt(rolling, filter)
    let diagnostic = Diagnostic(at: SourceLocation(file: filter.source, line: 1), "the settings do not fit")
    let blamed = attempt.blame([diagnostic], lastGood: [filter.key: filter])
    #expect(blamed)
    let left = try #require(attempt.bundles.first)
    #expect(left.withoutRollout == nil && left.content[path: "spec", "digest"]?.string == Self.old)
    #expect(attempt.rejections[rolling.key]?.version == "2" && attempt.resources[filter.key] != nil)
    #expect(attempt.documents(SidecarDocuments(options: gatewayOptions())).map(\.source) == [filter.source])
  }

  @Test("signatures that are not believed are the fault of the settings that have changed, else of the bundle")
  func trust() throws {
    let (present, filter) = (try bundle(Self.old, version: "1"), try filter())
    func settings(_ version: String) throws -> HeldResource {
      let json = "{\"kind\":\"Proxy\",\"metadata\":{\"name\":\"edge\"},\"spec\":{}}"
      return try #require(resource(ResourceType.proxy, json, version: version))
    }
    let diagnostic = Diagnostic(at: SourceLocation(file: filter.source, line: 1), "is signed by nobody that is trusted")
    let (before, after) = (try settings("1"), try settings("2"))
    var attempt = attempt(present, filter, after)
    let good = [present.key: present, filter.key: filter, before.key: before]
    let blamed = attempt.blame([diagnostic], lastGood: good)
    #expect(blamed && Array(attempt.rejections.keys) == [after.key])
    #expect(attempt.resources[after.key]?.version == "1" && attempt.resources[filter.key] != nil)
    // Signatures that cannot be read lie beside the archive.
    var other = self.attempt(try bundle(Self.new, version: "2"), filter, before)
    let place = "/state/bundles/\(Self.new.dropFirst(7)).weft.sig"
    let isBundle = other.blame([Diagnostic(at: SourceLocation(file: place, line: 1), "no digest")], lastGood: good)
    #expect(isBundle && Array(other.rejections.keys) == [present.key])
  }

  @Test("a share of proxies is always the same ones, and grows; a share of requests is everywhere")
  func shares() throws {
    func percent(_ value: Int, by: String = "Proxies", proxy: String) throws -> Int {
      let json = """
        {"kind":"FilterBundle","metadata":{"name":"tag","namespace":"default"},"spec":{"digest":"\(Self.old)",
        "rollout":{"candidate":"\(Self.new)","percent":\(value),"by":"\(by)"}}}
        """
      let made = try #require(resource(ResourceType.filterBundle, json, version: "1"))
      return try #require(RolloutShare(made)).percent(proxy: proxy)
    }
    let proxies = (0..<1_000).map { "gateway/default/edge/\($0)" }
    var chosen: Set<String> = []
    for share in [0, 10, 50, 100] {
      let now = Set(try proxies.filter { try percent(share, proxy: $0) == 100 })
      #expect(now.isSuperset(of: chosen) && abs(now.count - share * 10) < 60, "\(share) %: \(now.count)")
      chosen = now
    }
    #expect(try percent(30, by: "Requests", proxy: "any") == 30)
    // Another bundle begins with other proxies.
    let (a, b) = (
      proxies.map { RolloutShare.place($0, "default/a") }, proxies.map { RolloutShare.place($0, "default/b") }
    )
    #expect(zip(a, b).count { ($0 < 5_000) == ($1 < 5_000) } < 600)
  }
}
