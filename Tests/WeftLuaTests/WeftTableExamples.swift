import Foundation
import Testing

@testable import WeftLua

/// The examples of docs/lua-weft.md run as they stand.
@Suite struct WeftTableExamples {
  struct Example: Sendable, CustomTestStringConvertible {
    let heading: String
    let code: String
    var testDescription: String { heading }
  }

  static let examples: [Example] = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/lua-weft.md")
    guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
    var found: [Example] = []
    var heading = ""
    var code: [Substring]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "```lua" {
        code = []
      } else if line == "```", let lines = code {
        found.append(Example(heading: heading, code: lines.joined(separator: "\n")))
        code = nil
      } else if code != nil {
        code?.append(line)
      } else if line.hasPrefix("#") {
        heading = String(line.drop { $0 == "#" || $0 == " " })
      }
    }
    return found
  }()

  @Test func thereAreSome() { #expect(Self.examples.count > 20) }

  @Test(arguments: examples)
  func runs(_ example: Example) throws {
    let isWhole = example.code.contains("function on_")
    let script = isWhole ? example.code : "function on_request(request)\n\(example.code)\nend"
    let bench = try ScriptBench(script, options: "limits: {cpu: 1s}\nservices: [users, stock]")
    let exchange = try bench.request("GET", "/")
    for _ in 0..<20 {
      bench.bench.advance(milliseconds: 1000)
      bench.bench.worker.answerCall(200, body: "{}")
    }
    if exchange.upstreamRequest != nil { try exchange.respond(200) }
    exchange.end()
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest != nil || exchange.response != nil)
  }

  /// Every function of the table has its section.
  @Test func everyFunctionIsThere() throws {
    let bench = try ScriptBench(
      """
      function on_request(request)
        local names = {}
        for library, content in pairs(weft) do
          if type(content) == "table" then
            for name in pairs(content) do names[#names + 1] = library .. "." .. name end
          else
            names[#names + 1] = library
          end
        end
        request:streamInfo():dynamicMetadata():set("t", "names", table.concat(names, " "))
      end
      """)
    let exchange = try bench.request()
    #expect(bench.errors == [])
    guard case .string(let names) = exchange.handle.metadata.get("t", "names") else {
      Issue.record("no names")
      return
    }
    let headings = Self.headings
    for name in names.split(separator: " ") {
      let parts = name.split(separator: ".")
      // A heading may give several functions of a library, the library with the first.
      let isThere = headings.contains { heading in
        heading.contains("weft.\(parts[0])")
          && heading.split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" }).contains { $0 == parts.last }
      }
      #expect(isThere, "docs/lua-weft.md has no section for weft.\(name)")
    }
  }

  private static let headings: [String] = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/lua-weft.md")
    let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").filter { $0.hasPrefix("#") }.map(String.init)
  }()
}
