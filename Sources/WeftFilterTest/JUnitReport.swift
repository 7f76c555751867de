/// A run of tests as the XML that CI systems read: the form that JUnit's Ant task made common.
public enum JUnitReport {
  public static func text(_ report: TestReport) -> String {
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    let total = attributes(
      tests: report.files.reduce(0) { $0 + count($1) }, failures: report.failed, skipped: report.skipped,
      report.duration)
    text += "<testsuites name=\"weft filter test\" \(total)>\n"
    for file in report.files { text += suite(file) }
    for refusal in report.refusals {
      text += "  <testsuite name=\"bundle\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0\">\n"
      text += "    <testcase name=\"bundle\" time=\"0\"><error message=\(quote(refusal))/></testcase>\n  </testsuite>\n"
    }
    return text + "</testsuites>\n"
  }

  /// A file that could not be run counts as a test of its own.
  private static func count(_ file: TestFileResult) -> Int { file.tests.count + (file.problem == nil ? 0 : 1) }

  private static func attributes(tests: Int, failures: Int, skipped: Int, _ duration: UInt64) -> String {
    "tests=\"\(tests)\" failures=\"\(failures)\" errors=\"0\" skipped=\"\(skipped)\" time=\"\(seconds(duration))\""
  }

  private static func suite(_ file: TestFileResult) -> String {
    let counts = attributes(
      tests: count(file), failures: file.failures, skipped: file.tests.count(where: \.isSkipped), file.duration)
    var text = "  <testsuite name=\(quote(file.path)) \(counts)>\n"
    if let problem = file.problem { text += testCase("(file)", file, nil, 0, failure(problem)) }
    for test in file.tests {
      let inner: String
      switch test.outcome {
      case .passed: inner = ""
      case .skipped(let reason): inner = "<skipped message=\(quote(reason))/>"
      case .failed(let problem): inner = failure(problem)
      }
      text += testCase(test.name, file, test.place, test.duration, inner)
    }
    return text + "  </testsuite>\n"
  }

  private static func testCase(
    _ name: String, _ file: TestFileResult, _ place: TestPlace?, _ duration: UInt64, _ inner: String
  ) -> String {
    let line = place.map { " line=\"\($0.line)\"" } ?? ""
    let head = "    <testcase name=\(quote(name)) classname=\(quote(file.path)) file=\(quote(file.path))\(line)"
    return head + " time=\"\(seconds(duration))\"" + (inner.isEmpty ? "/>\n" : ">\(inner)</testcase>\n")
  }

  private static func failure(_ problem: TestProblem) -> String {
    var lines = [problem.place.map { "\($0): \(problem.message)" } ?? problem.message]
    if let expected = problem.expected { lines.append("expected  \(expected)") }
    if let actual = problem.actual { lines.append("actual    \(actual)") }
    lines += problem.differences
    if let trace = problem.trace { lines.append(trace) }
    if !problem.logs.isEmpty { lines += ["logged:"] + problem.logs }
    let message = problem.message.split(separator: "\n").first.map(String.init) ?? ""
    return "<failure message=\(quote(message)) type=\"\(problem.kind.rawValue)\">"
      + escape(lines.joined(separator: "\n")) + "</failure>"
  }

  private static func seconds(_ nanoseconds: UInt64) -> String { "\(Double(nanoseconds / 1000) / 1e6)" }

  private static func quote(_ text: String) -> String { "\"\(escape(text, isAttribute: true))\"" }

  /// XML 1.0 has no way to write most control characters: they become U+FFFD.
  private static func escape(_ text: String, isAttribute: Bool = false) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n", "\t": result += isAttribute ? "&#\(scalar.value);" : String(scalar)
      case "\u{0}"..."\u{1f}", "\u{fffe}", "\u{ffff}": result += "\u{fffd}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
