import WeftConfig

/// What a person reads of a run of tests. Names, messages and logs are the bundle's: what a terminal would obey in them is
/// made visible.
public struct ConsoleReport {
  private let style: TextStyle
  /// Name every test, and not the failed ones alone.
  private let isVerbose: Bool

  public init(usesColor: Bool, isVerbose: Bool) {
    style = TextStyle(usesColor: usesColor)
    self.isVerbose = isVerbose
  }

  /// A file that has been run: one line, with its failures below.
  public func text(_ file: TestFileResult) -> String {
    let verdict = file.failures > 0 ? style.red("FAIL") : style.green("PASS")
    var counts = ["\(file.tests.count) test\(file.tests.count == 1 ? "" : "s")"]
    if file.failures > 0 { counts.append(style.red("\(file.failures) failed")) }
    let skipped = file.tests.count(where: \.isSkipped)
    if skipped > 0 { counts.append(style.yellow("\(skipped) skipped")) }
    var text =
      "\(verdict)  \(VisibleText.of(file.path))  \(counts.joined(separator: ", "))  \(style.dim(Self.milliseconds(file.duration)))\n"
    if let problem = file.problem { text += failure(VisibleText.of(file.path), problem) }
    for test in file.tests {
      let name = VisibleText.of(test.name)
      switch test.outcome {
      case .passed: if isVerbose { text += "  \(style.green("✓")) \(name)\n" }
      case .skipped(let reason):
        let why = reason.isEmpty ? "" : " (\(VisibleText.of(reason)))"
        if isVerbose { text += "  \(style.yellow("-")) \(name)\(why)\n" }
      case .failed(let problem): text += failure(name, problem)
      }
    }
    return text
  }

  private func failure(_ name: String, _ problem: TestProblem) -> String {
    var text = "  \(style.red("✗")) \(style.bold(name))\n"
    var lines = VisibleText.of(problem.message).split(separator: "\n", omittingEmptySubsequences: false).map(
      String.init)
    let first = lines.isEmpty ? "" : lines.removeFirst()
    text += "    \(problem.place.map { "\($0): " } ?? "")\(first)\n"
    for line in lines { text += "      \(line)\n" }
    if let expected = problem.expected { text += "      expected  \(style.green(Self.shortened(expected)))\n" }
    if let actual = problem.actual { text += "      actual    \(style.red(Self.shortened(actual)))\n" }
    for line in problem.differences { text += "      \(VisibleText.of(line))\n" }
    if !problem.excerpt.isEmpty {
      let width = problem.excerpt.map { "\($0.number)".count }.max() ?? 0
      text += "\n"
      for line in problem.excerpt {
        let number = String(repeating: " ", count: width - "\(line.number)".count) + "\(line.number)"
        let shown = "\(line.isMarked ? ">" : " ") \(number) | \(VisibleText.of(line.text))"
        text += "    \(line.isMarked ? shown : style.dim(shown))\n"
      }
    }
    if let trace = problem.trace, !trace.isEmpty, problem.kind == .error {
      text += VisibleText.of(trace).split(separator: "\n").map { "    \(style.dim(String($0)))\n" }.joined()
    }
    if !problem.logs.isEmpty {
      text += "    \(style.dim("logged:"))\n"
      for line in problem.logs.suffix(10) { text += "      \(VisibleText.of(line))\n" }
    }
    return text + "\n"
  }

  /// The last lines of a run.
  public func summary(_ report: TestReport) -> String {
    var text = ""
    for refusal in report.refusals { text += "\(style.red("error")): \(VisibleText.of(refusal))\n" }
    if report.files.isEmpty { return text }
    var counts: [String] = []
    if report.failed > 0 { counts.append(style.red("\(report.failed) failed")) }
    counts.append(style.green("\(report.passed) passed"))
    if report.skipped > 0 { counts.append(style.yellow("\(report.skipped) skipped")) }
    let files = "\(report.files.count) file\(report.files.count == 1 ? "" : "s")"
    return text + "\n\(files): \(counts.joined(separator: ", ")) in \(Self.milliseconds(report.duration))\n"
  }

  private static func milliseconds(_ nanoseconds: UInt64) -> String { "\((nanoseconds + 500_000) / 1_000_000) ms" }

  private static func shortened(_ text: String) -> String {
    VisibleText.of(text.utf8.count > 400 ? "\(text.prefix(400))..." : text)
  }
}

/// Colour, where a terminal shows it.
struct TextStyle {
  let usesColor: Bool

  private func wrap(_ code: Int, _ text: String) -> String { usesColor ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }

  func bold(_ text: String) -> String { wrap(1, text) }
  func dim(_ text: String) -> String { wrap(2, text) }
  func red(_ text: String) -> String { wrap(31, text) }
  func green(_ text: String) -> String { wrap(32, text) }
  func yellow(_ text: String) -> String { wrap(33, text) }
}
