import ArgumentParser
import WeftBundle
import WeftConfig
import WeftLua

struct BundleCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a bundle and say every mistake with file, line and path.",
    discussion: """
      Reads the manifest, holds the defaults and examples of its settings against their schema, loads the scripts as a \
      proxy would, and compiles the tests. Exit code 0: fine, warnings aside. 1: there are errors (or, with --strict, \
      warnings).

      Example:
        weft bundle check filters/tenant-tag
      """)

  @Argument(help: ArgumentHelp("A bundle's folder or archive.", valueName: "path"), completion: .file())
  var paths: [String]

  @Flag(help: "Warnings count as errors.")
  var strict = false

  @Flag(help: "One JSON object a line.")
  var json = false

  func run() throws {
    var hasErrors = false
    for path in paths {
      let (bundle, findings) = BundleCommand.check(path)
      findings.print(json: json)
      let isBad = findings.errors > 0 || (strict && findings.warnings > 0)
      hasErrors = hasErrors || isBad
      if json { continue }
      if let bundle, !isBad {
        let manifest = bundle.manifest
        let tests = bundle.files.count { $0.path.hasPrefix("tests/") && $0.path.hasSuffix(".lua") }
        print(
          "ok: \(manifest.name) \(manifest.version), \(Findings.count(bundle.sources.count, "script")), "
            + "\(Findings.count(tests, "test file"))\(findings.andWarnings)")
      } else {
        print("\(path): \(findings.counts)")
      }
    }
    if hasErrors { throw ExitCode(1) }
  }
}
