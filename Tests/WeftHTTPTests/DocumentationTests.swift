import Foundation
import Testing
import WeftHTTP

/// docs/http.md has every fault, with its status, and none that does not exist.
@Suite struct DocumentationTests {
  @Test func everyFaultIsDocumented() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appending(path: "docs/http.md"), encoding: .utf8)
    var documented: [String: String] = [:]
    for line in page.split(separator: "\n") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      if cells.count >= 3, cells[2].hasPrefix("`http1.") {
        documented[cells[2].trimmingCharacters(in: ["`"])] = cells[1]
      }
    }
    var actual: [String: String] = [:]
    for fault in HTTPParseError.allCases { actual["\(fault.code)"] = "\(fault.status)" }
    #expect(documented == actual)
  }

  /// docs/http2.md has every fault of heads, with its status, and none that does not exist.
  @Test func everyHTTP2FaultIsDocumented() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appending(path: "docs/http2.md"), encoding: .utf8)
    var documented: [String: String] = [:]
    for line in page.split(separator: "\n") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      if cells.count >= 3, cells[2].hasPrefix("`http2.") {
        documented[cells[2].trimmingCharacters(in: ["`"])] = cells[1]
      }
    }
    var actual: [String: String] = [:]
    for fault in HTTP2HeadError.allCases { actual["\(fault.code)"] = "\(fault.status)" }
    #expect(documented == actual)
  }
}
