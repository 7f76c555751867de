import ArgumentParser
import Glibc
import WeftFilterTest
import WeftRegex

struct FilterTestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Run the tests of Lua bundles.",
    discussion: """
      Runs DIR/tests/*.lua. The bundle runs in the real host, with its limits; the client, the upstream, services and the \
      clock are the test's. Exit code 0: all passed. 1: a test failed, or a bundle is not right.

      Examples:
        weft filter test filters/tenant-tag
        weft filter test filters/* --filter 'answers 403'
        weft filter test filters/tenant-tag --coverage --watch
      """)

  @Argument(help: "Folders of bundles.")
  var folders: [String]

  @Option(help: "Run the tests whose names this regular expression is found in.")
  var filter: String?

  @Flag(help: "Stop after the first failure.")
  var failFast = false

  @Flag(name: .shortAndLong, help: "Name every test.")
  var verbose = false

  @Flag(help: "One JSON object a line: a file each, and the sum.")
  var json = false

  @Option(help: "Write the results to this file, as JUnit does, for CI systems.")
  var junit: String?

  @Flag(help: "Report which lines of the bundle have run.")
  var coverage = false

  @Option(help: "Write which lines have run to this file, as lcov does.")
  var coverageLcov: String?

  @Flag(help: "Run again whenever a file of a bundle changes.")
  var watch = false

  @Option(help: "Seconds of processor time that one test may use.")
  var timeout: Double = 5

  func validate() throws {
    if !(0.01...3600).contains(timeout) { throw ValidationError("--timeout takes seconds, from 0.01 to 3600") }
    _ = try options()
  }

  private func options() throws -> TestOptions {
    var options = TestOptions()
    options.failsFast = failFast
    options.cpu = UInt64(timeout * 1e9)
    options.countsLines = coverage || coverageLcov != nil
    if let filter {
      do {
        options.filter = try Pattern(filter, anchoring: .anywhere, options: .utf8)
      } catch {
        throw ValidationError("--filter is no regular expression: \(error)")
      }
    }
    return options
  }

  func run() throws {
    let options = try options()
    if !watch {
      if try !runOnce(options) { throw ExitCode(1) }
      return
    }
    var changes = try Findings.orExit(json: json) { try FolderWatch() }
    while true {
      changes.begin(folders)
      if !json && isatty(1) == 1 { Terminal.write("\u{1b}[2J\u{1b}[H", to: 1) }
      _ = try runOnce(options)
      if !json { Terminal.write("\nwaiting for changes; Ctrl-C ends this\n", to: 1) }
      changes.wait()
    }
  }

  private func runOnce(_ options: TestOptions) throws -> Bool {
    let console = ConsoleReport(usesColor: Terminal.hasColor(1), isVerbose: verbose)
    let runner = TestRunner(options)
    let isJSON = json
    runner.onFile = { Terminal.write(isJSON ? JSONReport.text($0) : console.text($0), to: 1) }
    let report = runner.run(folders)
    let lines = CoverageReport(runner.coverage.flatMap(\.files))
    if json {
      Terminal.write(JSONReport.summary(report, coverage: lines.files), to: 1)
    } else {
      if coverage && !lines.files.isEmpty { Terminal.write(lines.text(usesColor: Terminal.hasColor(1)), to: 1) }
      Terminal.write(console.summary(report), to: 1)
    }
    try Findings.orExit(json: json) {
      if let junit { try FileText.write(JUnitReport.text(report), to: junit) }
      if let coverageLcov { try FileText.write(lines.lcov, to: coverageLcov) }
    }
    return report.isSuccess
  }
}
