import Foundation
import Testing
import WeftBundle
import WeftConfig
import WeftFilter
import WeftTelemetry

@testable import WeftLua

/// Two versions of a bundle in one filter.
@Suite("Versions of a bundle side by side") struct RolloutTests {
  /// Bundles in a folder, and the filter that runs them.
  private final class Scene {
    let script = try? ScriptBench()
    let folder = NSTemporaryDirectory() + "weft-rollout-\(UUID().uuidString)"
    var digests: [String: String] = [:]
    private static let name = ResourceName(namespace: "default", name: "tag")

    var bench: FilterBench { get throws { try #require(script).bench } }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func bundle(_ version: String, _ text: String) throws -> String {
      let place = "\(folder)/\(version)"
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      try "name: tag\nversion: \(version)\nshared: {counts: 64KiB}\nservices: [users]\n".write(
        toFile: "\(place)/bundle.yaml", atomically: true, encoding: .utf8)
      try text.write(toFile: "\(place)/main.lua", atomically: true, encoding: .utf8)
      digests[version] = try Bundle(folder: place).digest.description
      return place
    }

    func add(_ stable: String, _ candidate: String?, percent: Int, _ mode: BundleRollout.Mode = .canary) throws {
      let catalog = BundleCatalog(
        named: [Self.name: try bundle("1.0.0", stable)],
        rollouts: [
          Self.name: BundleRollout(
            candidate: try candidate.map { try bundle("1.1.0", $0) }, percent: percent, mode: mode)
        ])
      let script = try #require(script)
      let context = FilterTypeContext(
        name: "f", metrics: script.bench.metrics, logger: script.lines.logger, bundles: catalog)
      let type = try ObjectReader.decode(ConfigNode(yaml: "bundle: tag", file: "f.yaml")) {
        try LuaFilterType($0, context)
      }
      try script.bench.add(type, name: "f")
    }

    /// The versions that each of so many exchanges met, on the request's way and on the response's.
    func run(_ count: Int = 1, status: Int = 200) throws -> [String] {
      try (0..<count).map { _ in
        let exchange = try bench.request()
        let asked = exchange.upstreamRequest?["x-tag"] ?? "none"
        try exchange.respond(status, [], body: ["hi"])
        return "\(asked) \(exchange.response?["x-tag"] ?? "none")"
      }
    }

    func count(_ family: String, _ version: String, _ last: String) throws -> Double? {
      try bench.metric("weft_lua_rollout_\(family)_total", ["f", "default/tag", digests[version] ?? "", last])
    }
  }

  private static func tags(_ tag: String) -> String {
    """
    function on_request(h) h:headers():replace("x-tag", "\(tag)") end
    function on_response(h) h:headers():replace("x-tag", "\(tag)") end
    """
  }

  @Test("an exchange has one version on both ways, and the share is kept")
  func share() throws {
    let scene = Scene()
    try scene.add(Self.tags("old"), Self.tags("new"), percent: 30)
    let all = try scene.run(600)
    #expect(Set(all) == ["old old", "new new"])
    let new = all.count { $0 == "new new" }
    #expect((120...240).contains(new), "\(new) of 600")
    #expect(try scene.count("requests", "1.1.0", "candidate") == Double(new))
    #expect(try scene.count("requests", "1.0.0", "stable") == Double(600 - new))
  }

  @Test("all, or none and yet counted")
  func ends() throws {
    let all = Scene()
    try all.add(Self.tags("old"), Self.tags("new"), percent: 100)
    #expect(try Set(all.run(50)) == ["new new"])
    let none = Scene()
    try none.add(Self.tags("old"), nil, percent: 0)
    #expect(try Set(none.run(50)) == ["old old"])
    #expect(try none.count("requests", "1.0.0", "stable") == 50)
  }

  @Test("script errors and 5xx are counted by version")
  func failures() throws {
    let scene = Scene()
    try scene.add(Self.tags("old"), "function on_request(h) error('boom') end", percent: 50)
    for _ in 0..<40 { _ = try scene.bench.request() }
    let candidate = try #require(try scene.count("errors", "1.1.0", "candidate"))
    #expect(candidate > 0)
    #expect(try scene.count("errors", "1.0.0", "stable") == 0)
  }

  @Test("one that waits comes back to its own version")
  func waiting() throws {
    let scene = Scene()
    let waits = """
      function on_request(h)
        local body = h:body()
        h:headers():replace("x-tag", "new " .. body:length())
      end
      """
    try scene.add(Self.tags("old"), waits, percent: 50)
    var seen: Set<String> = []
    for _ in 0..<40 {
      let exchange = try scene.bench.request("POST", "/", [], body: ["abc", "de"])
      seen.insert(exchange.upstreamRequest?["x-tag"] ?? "none")
    }
    #expect(seen == ["old", "new 5"])
  }

  @Test("settings and scripts of the candidate are checked, too")
  func checks() throws {
    let scene = Scene()
    #expect(throws: (any Error).self) { try scene.add(Self.tags("old"), "function on_request(", percent: 10) }
    #expect(throws: (any Error).self) { try scene.add(Self.tags("old"), "error('no')", percent: 10) }
  }

  // MARK: Shadow mode

  @Test("the shadow changes nothing: no field, no answer, no shared dictionary")
  func shadow() throws {
    let scene = Scene()
    let counting = """
      function on_request(h)
        h:headers():replace("x-tag", tostring(weft.shared("counts"):incr("n", 1, 0)))
      end
      """
    let answering = """
      function on_request(h)
        weft.shared("counts"):incr("n", 100, 0)
        h:headers():add("x-other", "1")
        h:respond({[":status"] = "403"}, "no")
      end
      """
    try scene.add(counting, answering, percent: 100, .shadow)
    #expect(try scene.run(3) == ["1 none", "2 none", "3 none"])
    #expect(try scene.count("comparisons", "1.1.0", "different") == 3)
    #expect(try scene.count("comparisons", "1.1.0", "same") == 0)
    let place = BundleDifferences.Place(filter: "f", digest: try #require(scene.digests["1.1.0"]))
    let lines = try #require(BundleDifferences.shared.take()[place])
    #expect(lines == ["GET /: the present version did not answer, the candidate answered 403"])
  }

  @Test("what is the same, what is different, and what cannot be compared")
  func comparing() throws {
    func result(_ candidate: String, stable: String = RolloutTests.tags("old")) throws -> [String: Double] {
      let scene = Scene()
      try scene.add(stable, candidate, percent: 100, .shadow)
      _ = try scene.run()
      return Dictionary(
        uniqueKeysWithValues: try ["same", "different", "skipped"].map {
          ($0, try scene.count("comparisons", "1.1.0", $0) ?? 0)
        }.filter { $0.1 > 0 })
    }
    #expect(try result(Self.tags("old")) == ["same": 2])
    #expect(try result(Self.tags("new")) == ["different": 2])
    #expect(try result("function on_log() end") == ["different": 2])
    let path = "function on_request(h) h:headers():replace(':path', '/elsewhere') end"
    #expect(try result(path, stable: "function on_request(h) end") == ["different": 1])
    #expect(try result("function on_request(h) error('boom') end", stable: path) == ["different": 1])
    let call =
      "function on_request(h) h:httpCall('users', {[':method'] = 'GET', [':path'] = '/', [':authority'] = 'u'}, '', 100) end"
    #expect(try result(call, stable: path) == ["skipped": 1])
    #expect(try result("function on_request(h) weft.sleep(1) end", stable: path) == ["skipped": 1])
  }
}
