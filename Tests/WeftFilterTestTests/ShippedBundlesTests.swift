import Glibc
import Testing
import WeftFilterTest

@Suite("The tests of bundles in this repository")
struct ShippedBundlesTests {
  /// The folder that holds Package.swift.
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  /// Every folder below `filters` and `examples` that holds a bundle.
  private static var bundles: [String] { ["filters", "examples"].flatMap { find($0) }.sorted() }

  private static func find(_ folder: String) -> [String] {
    if access("\(root)/\(folder)/bundle.yaml", R_OK) == 0 { return [folder] }
    guard let directory = opendir("\(root)/\(folder)") else { return [] }
    defer { closedir(directory) }
    var found: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { found += find("\(folder)/\(name)") }
    }
    return found
  }

  @Test("pass", arguments: bundles)
  func pass(_ bundle: String) {
    let report = TestRunner(TestOptions()).run(["\(Self.root)/\(bundle)"])
    let console = ConsoleReport(usesColor: false, isVerbose: false)
    #expect(report.isSuccess, "\(report.files.map(console.text).joined())\(console.summary(report))")
    #expect(report.passed > 0)
  }

  @Test("are found")
  func found() {
    #expect(Self.bundles.contains("filters/tenant-tag"))
    #expect(Self.bundles.contains("examples/quickstart/filters/greeting"))
  }
}
