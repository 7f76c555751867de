import ArgumentParser
import Logging
import WeftProxy

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a configuration and say every mistake with file, line and path.",
    discussion: """
      Reads and compiles everything as `weft run` would, filters and scripts included, but serves nothing. \
      Exit code 0: fine, warnings aside. 1: there are errors (or, with --strict, warnings).

      Example:
        weft check config/
      """)

  @OptionGroup var configuration: ConfigurationFiles

  @Option(
    help: ArgumentHelp("Folder in which bundles are looked up by name. May be repeated.", valueName: "folder"),
    completion: .directory)
  var bundles: [String] = []

  @Flag(help: "Warnings count as errors.")
  var strict = false

  @Flag(help: "One JSON object a line.")
  var json = false

  func validate() throws {
    if configuration.all.isEmpty { throw ValidationError("say what to check: weft check PATH") }
  }

  func run() throws {
    var options = ProxyOptions(source: .paths(configuration.all))
    options.isStrict = strict
    options.bundleFolders = bundles
    let quiet = Logger(label: "weft") { _ in SwiftLogNoOpLogHandler() }
    let (diagnostics, summary) = Proxy.check(options, registry: WeftCommandLine.registry, log: quiet)
    let findings = Findings(diagnostics)
    findings.print(json: json)
    if findings.errors > 0 {
      if !json { print(findings.counts) }
      throw ExitCode(1)
    }
    if !json { print("ok: \(summary)\(findings.andWarnings)") }
  }
}
