import Foundation
import Testing
import WeftConfig
import WeftFilter

@testable import WeftLua

@Suite struct ConfigurationTests {
  private func failure(_ bench: ScriptBench, _ config: String, file: String = "filter.yaml") -> String? {
    do {
      _ = try bench.decode(config, file: file)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: [
    ("settings: {a: b}", "filter.yaml:1: needs one of the fields \"bundle\", \"script\", \"file\""),
    ("script: x = 1\nfile: ./a.lua", "filter.yaml:2: file: cannot stand together with \"script\"; keep one of them"),
    ("script: function on_request() end\nonEror: deny", "filter.yaml:2: onEror: unknown field"),
    ("script: function on_request() end\nonError: maybe", "filter.yaml:2: onError: unknown value \"maybe\""),
    ("script: function on_request() end\nlimits: {cpu: 1h}", "filter.yaml:2: limits.cpu: 1h is out of range"),
    ("script: function on_request( end", "filter.yaml:1: "),
    ("script: |\n  local x = 1\n  function on_request( end", "filter.yaml:3: <name> or '...' expected near 'end'"),
    ("script: |\n  local x = 1\n  x()", "filter.yaml:3: attempt to call a number value (local 'x')"),
    ("script: on_request = 5", "on_request is a number and no function"),
    ("script: require('x')", "filter.yaml:1: module 'x' not found: the bundle has neither x.lua nor x/init.lua"),
    ("bundle: nothing", "filter.yaml:1: bundle: no bundle named \"nothing\": there are no bundle folders"),
    ("bundle: a/b", "filter.yaml:1: bundle: write a path as \"./a/b\""),
    ("bundle: ./nothing", "filter.yaml:1: bundle: ./nothing: cannot be opened: No such file or directory"),
    ("file: ./nothing.lua", "filter.yaml:1: file: ./nothing.lua cannot be opened: No such file or directory"),
  ])
  func mistakes(_ config: String, _ message: String) throws {
    let text = try #require(failure(try ScriptBench(), config))
    #expect(text.contains(message), "\(text)")
  }

  /// What is given beside a bundle that cannot be had is not unknown.
  @Test func oneErrorForABundleThatIsMissing() throws {
    let text = try #require(failure(try ScriptBench(), "bundle: nothing\nsettings: {a: 1}\nonError: skip"))
    #expect(text.contains("no bundle named") && !text.contains("unknown field"), "\(text)")
  }

  @Test func aScriptWithoutFunctionsIsWarnedOf() throws {
    let bench = try ScriptBench()
    let context = FilterTypeContext(name: "f", metrics: bench.bench.metrics, logger: bench.lines.logger)
    let reader = try ObjectReader(ConfigNode(yaml: "script: x = 1"))
    _ = try LuaFilterType(reader, context)
    #expect(try reader.finish().map(\.message).first?.contains("so that it does nothing") == true)
  }

  /// A bundle calls what its manifest lists, and what the configuration allows it besides.
  @Test func servicesOfABundle() throws {
    let folder = try BundleFolders()
    try folder.add("caller", manifest: "services: [users]")
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path]
    #expect(try bench.decode("bundle: caller").use.services.keys.sorted() == ["users"])
    let more = try bench.decode("bundle: caller\nservices: [keys, shop/stock:8080]")
    #expect(more.use.services.keys.sorted() == ["keys", "shop/stock:8080", "users"])
  }

  @Test func aBundleByPathAndByName() throws {
    let folder = try BundleFolders()
    try folder.add("tag", manifest: "settings: {type: object, properties: {header: {type: string, default: x-tag}}}")
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path + "/none", folder.path]
    let byName = try bench.decode("bundle: tag", file: "elsewhere/f.yaml")
    let byPath = try bench.decode("bundle: ./tag", file: folder.path + "/f.yaml")
    #expect(byName.fingerprint == byPath.fingerprint)
    #expect(byPath.watchedPaths == [folder.path + "/./tag"])
    #expect(byName.watchedPaths == [folder.path + "/tag"])
    #expect(
      failure(bench, "bundle: other")?.contains("no bundle named \"other\" in \(folder.path)/none, \(folder.path)")
        == true)

    bench.bench.add(try byName.makeFilter(bench.bench.worker))
    #expect(try bench.request().upstreamRequest?["x-tag"] == "tagged")
  }

  @Test func settingsAreHeldAgainstTheSchema() throws {
    let folder = try BundleFolders()
    try folder.add("tag", manifest: "settings: {type: object, properties: {header: {type: string, default: x-tag}}}")
    try folder.add("bare", manifest: "description: none")
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path]
    #expect(
      failure(bench, "bundle: tag\nsettings:\n  header: 5")?.hasPrefix(
        "filter.yaml:3: settings.header: expected a string") == true)
    #expect(
      failure(bench, "bundle: tag\nsettings: {heder: x}")?.hasPrefix(
        "filter.yaml:2: settings.heder: the bundle has no such setting") == true)
    #expect(
      failure(bench, "bundle: bare\nsettings: {a: 1}") == "filter.yaml:2: settings.a: the bundle bare has no settings")
    #expect(failure(bench, "bundle: bare") == nil)
  }

  @Test func mistakesInABundleHaveTheirPlace() throws {
    let folder = try BundleFolders()
    try folder.add("broken", main: "local x = 1\nx = = 2")
    try folder.add("inner", main: "require('lib.part')", more: ["lib/part.lua": "\n\nerror('part')"])
    try folder.add("future", manifest: "minimumWeft: 99.0.0")
    try folder.add("wrong", manifest: "limits: {memory: 1TiB}")
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path]
    #expect(failure(bench, "bundle: broken") == "\(folder.path)/broken/main.lua:2: unexpected symbol near '='")
    #expect(failure(bench, "bundle: inner") == "\(folder.path)/inner/lib/part.lua:3: part")
    #expect(
      failure(bench, "bundle: future")?.hasPrefix("filter.yaml:1: bundle: future needs Weft 99.0.0 or newer") == true)
    #expect(failure(bench, "bundle: wrong")?.hasPrefix("\(folder.path)/wrong/bundle.yaml:3: limits.memory: ") == true)
  }

  @Test func requireFindsTheBundlesFiles() throws {
    let folder = try BundleFolders()
    try folder.add(
      "parts",
      main: """
        local a, b, c = require("a"), require("lib.b"), require("lib")
        assert(require("a") == a)
        function on_request(handle) handle:headers():add("x", a .. b.name .. tostring(c)) end
        """,
      more: [
        "a.lua": "loads = (loads or 0) + 1\nreturn (...) .. loads", "lib/b.lua": "return {name = 'b'}",
        "lib/init.lua": "-- returns nothing",
      ])
    try folder.add("loop", main: "require('a')", more: ["a.lua": "require('b')", "b.lua": "require('a')"])
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path]
    try bench.add(config: "bundle: parts")
    #expect(try bench.request().upstreamRequest?["x"] == "a1btrue")
    #expect(failure(bench, "bundle: loop")?.contains("module 'a' requires itself") == true)
  }

  @Test func aScriptInAFileOfItsOwn() throws {
    let folder = try BundleFolders()
    try folder.write("tag.lua", "function on_request(h) h:headers():add('x', h:settings().name) error('after') end")
    let bench = try ScriptBench()
    let config = "file: ./tag.lua\nsettings: {name: n}\nonError: skip"
    try bench.add(config: config, file: folder.path + "/f.yaml")
    #expect(try bench.decode(config, file: folder.path + "/f.yaml").watchedPaths == [folder.path + "/./tag.lua"])
    #expect(try bench.request().upstreamRequest?["x"] == "n")
    #expect(bench.errors.first?.hasPrefix("tag.lua:1: after") == true)
  }

  @Test func theFingerprintFollowsTheContent() throws {
    let folder = try BundleFolders()
    try folder.add("tag", main: "function on_request() end")
    let bench = try ScriptBench()
    bench.bundleFolders = [folder.path]
    let before = try bench.decode("bundle: tag").fingerprint
    #expect(try bench.decode("bundle: tag\nonError: skip").fingerprint == before)
    try folder.add("tag", main: "function on_request() return end")
    #expect(try bench.decode("bundle: tag").fingerprint != before)
  }

  @Test func phasesAreThoseThatTheScriptDefines() throws {
    let bench = try ScriptBench()
    #expect(try bench.add("function envoy_on_request() end").phases == .request)
    #expect(try bench.add("function on_response() end").phases == .response)
    #expect(try bench.add("function on_log() end\nfunction envoy_on_response() end").phases == [.response, .log])
    #expect(try bench.add("x = 1").phases == [])
  }
}

/// A folder with bundles.
final class BundleFolders {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("weft-lua-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String) throws {
    let file = "\(path)/\(name)"
    let folder = (file as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try text.write(toFile: file, atomically: true, encoding: .utf8)
  }

  func add(
    _ name: String, manifest: String = "",
    main: String = "function on_request(h) h:headers():add(h:settings().header or 'x', 'tagged') end",
    more: [String: String] = [:]
  ) throws {
    try write("\(name)/bundle.yaml", "name: \(name)\nversion: 1.0.0\n\(manifest)\n")
    try write("\(name)/main.lua", main)
    for (file, text) in more { try write("\(name)/\(file)", text) }
  }
}
