import Testing

@Suite("Lua scripts that were written for Envoy", .endToEnd)
struct LuaParityTests {
  private static let driver =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    + "/EnvoyParity/parity.py"

  /// Against what was recorded of Envoy; `make parity` runs Envoy itself.
  @Test("they do what they do in Envoy, or what is written down instead")
  func parity() throws {
    let folder = try TemporaryFolder()
    let run = try ChildProcess(
      "python3", [Self.driver, "check", "--binary", WeftBinary.path], in: folder, name: "parity",
      environment: ["PYTHONDONTWRITEBYTECODE": "1"])
    let end = try run.waitForEnd(within: 300)
    #expect(end == .exited(0), "\(run.output)\(run.errorOutput)")
    #expect(run.output.contains(" 0 differ"))
  }
}
