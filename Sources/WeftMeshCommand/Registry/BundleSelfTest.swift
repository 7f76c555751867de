import ArgumentParser
import Foundation
import WeftBundle
import WeftCommand
import WeftFilterTest

/// The tests that a bundle brings along, run before it is pushed.
struct BundleSelfTest {
  let bundle: WeftBundle.Bundle
  /// As the user named it.
  let path: String

  /// - Throws: `ExitCode(1)`, with what is wrong said, when a test fails or there is none.
  func run() throws {
    let hasTests = bundle.files.contains {
      $0.path.hasPrefix("tests/") && $0.path.hasSuffix(".lua") && $0.path.split(separator: "/").count == 2
    }
    guard hasTests else {
      Terminal.printError(
        """
        nothing was pushed: \(bundle.manifest.name) has no tests, so nobody knows whether it works. Write one in \
        \(bundle.isArchive ? "its folder" : path)/tests/main_test.lua (weft bundle new NAME makes one to start from; \
        docs/testing-filters.md), or push it as it is with --skip-tests
        """)
      throw ExitCode(1)
    }
    guard bundle.isArchive else { return try run(path) }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weft-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for file in bundle.files {
      let place = URL(fileURLWithPath: "\(folder)/\(file.path)")
      try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(file.text).write(to: place)
    }
    try run(folder)
  }

  private func run(_ folder: String) throws {
    let console = ConsoleReport(usesColor: Terminal.hasColor(2), isVerbose: false)
    let runner = TestRunner(TestOptions())
    var text = ""
    runner.onFile = { text += console.text($0) }
    let report = runner.run([folder])
    if report.isSuccess { return }
    Terminal.write(text + console.summary(report), to: 2)
    Terminal.printError(
      "nothing was pushed: tests of the bundle fail; weft filter test \(path) runs them, and --skip-tests pushes it all the same"
    )
    throw ExitCode(1)
  }
}
