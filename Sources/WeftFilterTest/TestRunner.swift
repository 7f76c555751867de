import WeftConfig

/// Runs the tests of bundles.
///
/// ```swift
/// let report = TestRunner(TestOptions()).run(["filters/tenant-tag"])
/// print(report.failed)
/// ```
public final class TestRunner {
  private let options: TestOptions
  /// Called when a file has been run.
  public var onFile: ((TestFileResult) -> Void)?
  /// Called when a test has been run.
  public var onTest: ((TestResult) -> Void)?
  /// What the run has counted, if it counts lines.
  public private(set) var coverage: [Coverage] = []

  public init(_ options: TestOptions) { self.options = options }

  /// - Parameter folders: of bundles.
  public func run(_ folders: [String]) -> TestReport {
    var report = TestReport()
    coverage = []
    for path in folders {
      let folder: TestFolder
      do {
        folder = try TestFolder(path)
      } catch {
        report.refusals.append(error.description)
        continue
      }
      if folder.entries.isEmpty {
        report.refusals.append("\(folder.path): there are no tests; they are Lua files in \(folder.path)/tests")
        continue
      }
      let lines = options.countsLines ? Coverage(folder) : nil
      if let lines { coverage.append(lines) }
      for entry in folder.entries {
        var isOver = false
        let result = TestFileRun(folder, entry, options, lines).run { test in
          onTest?(test)
          isOver = options.failsFast && test.problem != nil
          return isOver
        }
        report.files.append(result)
        onFile?(result)
        if isOver || (options.failsFast && result.failures > 0) { return report }
      }
    }
    return report
  }
}
