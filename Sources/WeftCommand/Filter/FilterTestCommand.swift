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
      """)

  @Argument(help: "Folders of bundles.")
  var folders: [String]

  @Option(help: "Run the tests whose names this regular expression is found in.")
  var filter: String?

  @Flag(help: "Stop after the first failure.")
  var failFast = false

  @Flag(name: .shortAndLong, help: "Name every test.")
  var verbose = false

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
    let report = ConsoleReport(usesColor: isatty(1) == 1, isVerbose: verbose)
    let runner = TestRunner(try options())
    runner.onFile = { Output.write(report.text($0)) }
    let result = runner.run(folders)
    Output.write(report.summary(result))
    if !result.isSuccess { throw ExitCode(1) }
  }
}

/// Standard output at once, so that progress is seen as it is made.
enum Output {
  static func write(_ text: String, to fd: Int32 = 1) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { return }
      rest = rest.dropFirst(n)
    }
  }
}
