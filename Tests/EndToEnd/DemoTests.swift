import Testing

@Suite("The demo of the mesh", .endToEnd)
struct DemoTests {
  /// The folder that holds Package.swift.
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  /// The files of examples/mesh as they stand: every step of the demo checks what it shows.
  @Test("make demo: services, sidecars, canaries, a control plane that is killed; and nothing is left of it")
  func demo() throws {
    let folder = try TemporaryFolder()
    func demo(_ arguments: String...) throws -> ToolResult {
      try Tool.run(
        "env",
        [
          "WEFT=\(WeftBinary.path)", "DEMO_DIR=\(folder.path("demo"))", "DEMO_STOP=1", "DEMO_PORTS=free", "python3",
          "\(Self.root)/scripts/demo.py",
        ] + arguments, within: 600)
    }
    defer { _ = try? demo("--stop") }
    let result = try demo()
    #expect(result.code == 0, "\(result.output)\n\(result.errorOutput)")
    #expect(result.output.contains("Every check held") && result.output.contains("10 processes ended"))
    #expect(try demo("--stop").output == "nothing of the demo runs\n")
  }

  @Test("the demo of a proxy alone names files that there are")
  func proxy() throws {
    #expect(try Tool.run("bash", ["-n", "\(Self.root)/scripts/demo-proxy.sh"]).code == 0)
  }
}
