import Testing
import WeftConfig
import WeftFilterTest

@Suite("Reports of tests of bundles")
struct ReportFormatTests {
  private func report() throws -> TestReport {
    try ScratchBundle(
      "function on_request(h) h:logInfo('<&>') end",
      tests: """
        test("good", function() request{} end)
        test("bad <&\\"'\\1>", function() request{} assert_equal("a\\0<", "b&") end)
        test("left out", function() skip("because") end)
        """
    ).run()
  }

  @Test("JSON lines can be read again")
  func json() throws {
    let report = try report()
    let file = try ConfigNode(yaml: JSONReport.text(report.files[0]), file: "a.json")
    let tests = try #require(file["tests"]?.items)
    #expect(tests.compactMap { $0["outcome"]?.stringValue } == ["passed", "failed", "skipped"])
    #expect(tests[1]["problem"]?["expected"]?.stringValue == #""b&""#)
    #expect(tests[1]["problem"]?["line"]?.intValue == 2)
    #expect(tests[2]["reason"]?.stringValue == "because")
    let summary = try ConfigNode(yaml: JSONReport.summary(report, coverage: []), file: "a.json")
    #expect(summary["passed"]?.intValue == 1 && summary["failed"]?.intValue == 1 && summary["skipped"]?.intValue == 1)
  }

  @Test("JUnit's XML escapes what must be, and counts")
  func junit() throws {
    let text = JUnitReport.text(try report())
    #expect(
      text.contains("<testsuites name=\"weft filter test\" tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""))
    #expect(text.contains("name=\"bad &lt;&amp;&quot;'\u{fffd}&gt;\""))
    #expect(text.contains("<skipped message=\"because\"/>"))
    #expect(text.contains("expected  &quot;b&amp;&quot;"))
    #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
  }

  @Test("the console names failures, and with -v every test; colour is there only when asked for")
  func console() throws {
    let file = try report().files[0]
    let quiet = ConsoleReport(usesColor: false, isVerbose: false).text(file)
    #expect(quiet.contains("FAIL") && quiet.contains("bad") && !quiet.contains("✓ good") && !quiet.contains("\u{1b}"))
    #expect(quiet.contains("info: <&>"))
    let loud = ConsoleReport(usesColor: true, isVerbose: true).text(file)
    #expect(loud.contains("good") && loud.contains("(because)") && loud.contains("\u{1b}[31m"))
  }
}
