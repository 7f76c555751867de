import Glibc
import Testing
import WeftFilterTest
import WeftRegex

/// A bundle in a folder of its own, which goes with it.
final class ScratchBundle {
  let path: String

  /// - Parameter files: by path in the folder; `bundle.yaml` is made unless it is given.
  init(_ files: [String: String]) throws {
    var template = Array("/tmp/weft-filter-test-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
    var files = files
    if files["bundle.yaml"] == nil { files["bundle.yaml"] = "name: scratch\nversion: 1.0.0\nservices: [users]\n" }
    for (name, text) in files {
      var folder = path
      for part in name.split(separator: "/").dropLast() {
        folder += "/\(part)"
        mkdir(folder, 0o755)
      }
      try FileText.write(text, to: "\(path)/\(name)")
    }
  }

  convenience init(_ script: String, tests: String) throws {
    try self.init(["main.lua": script, "tests/scratch.lua": tests])
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { remove("\(path)/\(name)") }
      }
      closedir(directory)
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  func run(_ options: TestOptions = TestOptions()) -> TestReport { TestRunner(options).run([path]) }

  /// Runs tests that must all pass, and says which did not.
  static func pass(_ script: String, _ tests: String) throws {
    let report = try ScratchBundle(script, tests: tests).run()
    let console = ConsoleReport(usesColor: false, isVerbose: false)
    #expect(report.isSuccess && report.passed > 0, "\(report.files.map(console.text).joined())")
  }

  /// The problem of the one test that fails.
  static func problem(_ script: String, _ tests: String, _ options: TestOptions = TestOptions()) throws -> TestProblem {
    let report = try ScratchBundle(script, tests: tests).run(options)
    #expect(report.failed == 1)
    return try #require(report.tests.compactMap(\.problem).first ?? report.files.first?.problem)
  }
}
