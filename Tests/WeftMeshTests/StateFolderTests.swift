import Foundation
import Testing
import WeftConfig

@testable import WeftMesh

@Suite("Files of a proxy")
struct StateFolderTests {
  @Test("are readable by their user alone, and replaced as a whole")
  func files() throws {
    let path = NSTemporaryDirectory() + "weft-state-\(UUID().uuidString)/deeper"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let folder = try StateFolder(path)
    #expect(try folder.read("a") == nil)
    try folder.write("a", Array("one".utf8))
    try folder.write("a", Array("two".utf8))
    #expect(try folder.read("a") == Array("two".utf8))
    let file = try FileManager.default.attributesOfItem(atPath: "\(path)/a")
    #expect(file[.posixPermissions] as? Int == 0o600)
    #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o700)
    #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["a"])
  }

  @Test("a place that cannot be written to is told before anything starts")
  func unusable() {
    #expect(throws: MeshError.self) { try StateFolder("/proc/weft") }
  }

  @Test("what was cached comes back as it was")
  func cache() throws {
    let path = NSTemporaryDirectory() + "weft-state-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let folder = try StateFolder(path)
    #expect(AgentCache.load(folder) == nil)
    let body = #"{"metadata":{"name":"a"},"spec":{"big":9007199254740993,"f":0.5,"t":true,"n":null}}"#
    let cache = AgentCache(
      revision: 7,
      resources: [
        .init(
          type: ResourceType.weftService, name: "default/a", version: "v", body: body)
      ],
      demanded: ["default/b"], bundles: [:])
    try cache.save(folder)
    let loaded = try #require(AgentCache.load(folder))
    #expect(loaded.revision == 7 && loaded.demanded == ["default/b"])
    #expect(try loaded.held[ResourceType.weftService, "default/a"]?.content == JSONValue(parsing: Array(body.utf8)))
    // A file that a crash or a hand has spoilt is as none.
    try folder.write("cache.json", Array("{".utf8))
    #expect(AgentCache.load(folder) == nil)
  }
}
