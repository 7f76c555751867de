import WeftConfig

/// A run of tests as one line of JSON for each file and one for the sum, for other programs to read.
public enum JSONReport {
  /// `{"type":"file","path":...,"tests":[...]}`
  public static func text(_ file: TestFileResult) -> String {
    var fields = [
      "\"type\":\"file\"", "\"bundle\":\(JSONText.quote(file.folder))", "\"path\":\(JSONText.quote(file.path))",
      "\"milliseconds\":\(milliseconds(file.duration))",
    ]
    if let problem = file.problem { fields.append("\"error\":\(text(problem))") }
    fields.append("\"tests\":[\(file.tests.map(text).joined(separator: ","))]")
    return "{\(fields.joined(separator: ","))}\n"
  }

  /// `{"type":"summary","passed":...}`
  public static func summary(_ report: TestReport, coverage: [Coverage.File]) -> String {
    var fields = [
      "\"type\":\"summary\"", "\"files\":\(report.files.count)", "\"passed\":\(report.passed)",
      "\"failed\":\(report.failed)", "\"skipped\":\(report.skipped)",
      "\"milliseconds\":\(milliseconds(report.duration))",
    ]
    if !report.refusals.isEmpty {
      fields.append("\"errors\":[\(report.refusals.map(JSONText.quote).joined(separator: ","))]")
    }
    if !coverage.isEmpty {
      let files = coverage.map { file in
        """
        {"path":\(JSONText.quote(file.path)),"lines":\(file.lines.count),"covered":\(file.covered),\
        "hits":{\(file.lines.map { "\"\($0.line)\":\($0.hits)" }.joined(separator: ","))}}
        """
      }
      fields.append("\"coverage\":[\(files.joined(separator: ","))]")
    }
    return "{\(fields.joined(separator: ","))}\n"
  }

  private static func text(_ test: TestResult) -> String {
    var fields = ["\"name\":\(JSONText.quote(test.name))"]
    if let place = test.place { fields.append("\"line\":\(place.line)") }
    fields.append("\"milliseconds\":\(milliseconds(test.duration))")
    switch test.outcome {
    case .passed: fields.append("\"outcome\":\"passed\"")
    case .skipped(let reason): fields += ["\"outcome\":\"skipped\"", "\"reason\":\(JSONText.quote(reason))"]
    case .failed(let problem): fields += ["\"outcome\":\"failed\"", "\"problem\":\(text(problem))"]
    }
    return "{\(fields.joined(separator: ","))}"
  }

  private static func text(_ problem: TestProblem) -> String {
    var fields = ["\"kind\":\"\(problem.kind.rawValue)\"", "\"message\":\(JSONText.quote(problem.message))"]
    if let place = problem.place {
      fields += ["\"file\":\(JSONText.quote(place.file))", "\"line\":\(place.line)"]
    }
    if let expected = problem.expected { fields.append("\"expected\":\(JSONText.quote(expected))") }
    if let actual = problem.actual { fields.append("\"actual\":\(JSONText.quote(actual))") }
    for (name, list) in [("differences", problem.differences), ("logs", problem.logs)] where !list.isEmpty {
      fields.append("\"\(name)\":[\(list.map(JSONText.quote).joined(separator: ","))]")
    }
    if let trace = problem.trace { fields.append("\"trace\":\(JSONText.quote(trace))") }
    return "{\(fields.joined(separator: ","))}"
  }

  private static func milliseconds(_ nanoseconds: UInt64) -> String { "\(Double(nanoseconds / 1000) / 1000)" }
}
