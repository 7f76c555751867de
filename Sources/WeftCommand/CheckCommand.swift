import ArgumentParser
import Glibc
import Logging
import WeftConfig
import WeftProxy

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a configuration and say every mistake with file, line and path.",
    discussion: """
      Reads and compiles everything as `weft run` would, filters and scripts included, but serves nothing. \
      Exit code 0: fine, warnings aside. 1: there are errors (or, with --strict, warnings).

      Example:
        weft check -f config/
      """)

  @Option(name: [.customShort("f"), .customLong("file")], help: "A file or folder of YAML or JSON. May be repeated.")
  var files: [String] = []

  @Option(help: "Folder in which bundles are looked up by name. May be repeated.")
  var bundles: [String] = []

  @Flag(help: "Warnings count as errors.")
  var strict = false

  @Flag(help: "One JSON object a line.")
  var json = false

  func validate() throws {
    if files.isEmpty { throw ValidationError("say what to check: -f PATH") }
  }

  func run() throws {
    var options = ProxyOptions(source: .paths(files))
    options.isStrict = strict
    options.bundleFolders = bundles
    let quiet = Logger(label: "weft") { _ in SwiftLogNoOpLogHandler() }
    let (diagnostics, summary) = Proxy.check(options, registry: WeftCommandLine.registry, log: quiet)
    let isTerminal = isatty(1) == 1
    for diagnostic in diagnostics {
      if json {
        print(diagnostic.json)
      } else {
        let color = diagnostic.severity == .error ? "\u{1b}[31m" : "\u{1b}[33m"
        print(isTerminal ? "\(color)\(diagnostic)\u{1b}[0m" : "\(diagnostic)")
      }
    }
    let errors = diagnostics.count { $0.severity == .error }
    let warnings = diagnostics.count - errors
    if errors > 0 {
      if !json { print("\(errors) error\(errors == 1 ? "" : "s"), \(warnings) warning\(warnings == 1 ? "" : "s")") }
      throw ExitCode(1)
    }
    if !json { print("ok: \(summary)" + (warnings > 0 ? ", \(warnings) warning\(warnings == 1 ? "" : "s")" : "")) }
  }
}
