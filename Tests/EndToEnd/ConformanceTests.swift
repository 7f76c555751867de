import Foundation
import Testing

@Suite("HTTP/2, held against RFC 9113 and RFC 7541", .endToEnd)
struct ConformanceTests {
  private static let script =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    + "/HTTP2Conformance/conformance.py"

  private func run(_ arguments: String...) throws {
    // Without -B Python leaves a folder of its own among the sources.
    let result = try Tool.run("/usr/bin/python3", ["-B", Self.script] + arguments, within: 300)
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
  }

  @Test("in the clear") func clear() throws {
    let scene = try Scene()
    defer { scene.stop() }
    try run(String(scene.port))
  }

  @Test("inside TLS") func encrypted() throws {
    let scene = try TLSScene()
    defer { scene.stop() }
    try run(String(scene.port), scene.authority.certificatePath)
  }
}
