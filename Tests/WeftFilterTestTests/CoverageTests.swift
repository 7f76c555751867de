import Testing
import WeftFilterTest

@Suite("Which lines of a bundle run")
struct CoverageTests {
  private static let script = """
    local helper = require("lib.helper")

    -- A comment holds no code.
    function on_request(h)
      if h:headers():get("x-a") then
        helper.used()
      else
        helper.never()
        h:logInfo("never")
      end
      h:headers():add("x-b",
        "1")
    end

    local function unused()
      return function()
        return 1
      end
    end
    """

  private static let helper = """
    local M = {}
    function M.used() return 1 end
    function M.never()
      return 2
    end
    return M
    """

  private func files() throws -> [Coverage.File] {
    let bundle = try ScratchBundle([
      "main.lua": Self.script, "lib/helper.lua": Self.helper,
      "tests/a.lua": """
      test("a", function() request{headers = {["x-a"] = "1"}} end)
      test("b", function() request{headers = {["x-a"] = "1"}} end)
      """,
    ])
    var options = TestOptions()
    options.countsLines = true
    let runner = TestRunner(options)
    #expect(runner.run([bundle.path]).isSuccess)
    return runner.coverage.flatMap(\.files)
  }

  @Test("hits are summed over tests; lines without code do not count, functions that are never called do")
  func hits() throws {
    let files = try files()
    let main = try #require(files.first { $0.path.hasSuffix("/main.lua") })
    let hits = Dictionary(uniqueKeysWithValues: main.lines.map { ($0.line, $0.hits) })
    #expect(hits[1] == 2 && hits[5] == 2 && hits[6] == 2)
    #expect(hits[8] == 0 && hits[9] == 0 && hits[17] == 0)
    #expect(hits[3] == nil && hits[10] == nil && hits[14] == nil)
    #expect(main.uncovered.contains(8...9))
    let helper = try #require(files.first { $0.path.hasSuffix("/lib/helper.lua") })
    #expect(helper.uncovered == [4...4])
    #expect(helper.covered == helper.lines.count - 1)
  }

  @Test("the reports say the same")
  func reports() throws {
    let report = CoverageReport(try files())
    let text = report.text(usesColor: false)
    #expect(text.contains("8-9") && text.contains("/lib/helper.lua") && text.contains("total"))
    #expect(report.lcov.contains("DA:6,2\n") && report.lcov.contains("DA:8,0\n"))
    #expect(report.lcov.split(separator: "\n").count { $0 == "end_of_record" } == 2)
  }

  @Test("files with many lines, long distances between them and every kind of constant are read")
  func shapes() throws {
    let filler = String(repeating: "\n", count: 300)
    let script =
      "local a, b, c = 1, 2.5, 'x' .. \(String(repeating: "'long text ' ..", count: 20)) 'y'\n\(filler)"
      + "function on_request(h, ...)\n\(filler)  local t = {a, nil, true, false, 1 << 40, 1e300, ...}\n  return t\nend\n"
      + (0..<200).map { "local function f\($0 % 50)() return \($0) end a = f\($0 % 50)\n" }.prefix(100).joined()
    let bundle = try ScratchBundle(script, tests: "test('a', function() request{} end)")
    var options = TestOptions()
    options.countsLines = true
    let runner = TestRunner(options)
    #expect(runner.run([bundle.path]).isSuccess)
    let file = try #require(runner.coverage.first?.files.first)
    #expect(file.lines.contains { $0.line == 603 && $0.hits == 1 })
    #expect(file.covered == file.lines.count)
  }
}
