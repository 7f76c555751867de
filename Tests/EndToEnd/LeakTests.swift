import Foundation
import Testing

@Suite("Clients that break off", .endToEnd)
struct LeakTests {
  /// The small version of what `Tests/Leaks/leak.py` does with 100,000 connections. Under a sanitizer memory that has been
  /// given back stays for a while, so that its size says nothing.
  @Test("leave no connection, session, stream, exchange or buffer behind", .disabled(if: Sanitizer.isOn))
  func leaks() throws {
    let script =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Leaks/leak.py"
    let result = try Tool.run("/usr/bin/python3", ["-B", script, WeftBinary.path, "2000"], within: 600)
    #expect(result.code == 0, "\(result.output)\(result.errorOutput)")
  }
}
