import ArgumentParser
import WeftConfig

/// Prints errors and warnings, each on a line that begins with its place.
package struct Findings {
  package let diagnostics: [Diagnostic]

  package init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  package var errors: Int { diagnostics.count { $0.severity == .error } }
  package var warnings: Int { diagnostics.count - errors }

  /// - Parameter json: one JSON object a line.
  package func print(json: Bool, to fd: Int32 = 1) {
    for diagnostic in diagnostics {
      let line =
        json
        ? diagnostic.json
        : Terminal.styled(
          Terminal.harmless(diagnostic.description), diagnostic.severity == .error ? .red : .yellow, fd)
      Terminal.write(line + "\n", to: fd)
    }
  }

  /// Says why a command cannot go on, on standard error.
  /// - Returns: what it throws to end: exit code 1, or 2 for a mistake on the command line.
  package static func fail(_ error: any Error, json: Bool) -> any Error {
    switch error {
    case is ExitCode, is ValidationError: return error
    case let error as ConfigError: Findings(error.diagnostics).print(json: json, to: 2)
    default:
      if json {
        var object = JSONObject()
        object.add("severity", Diagnostic.Severity.error.rawValue)
        object.add("message", "\(error)")
        Terminal.printError("\(object)")
      } else {
        Terminal.printError(Terminal.styled("error: \(Terminal.harmless("\(error)"))", .red, 2))
      }
    }
    return ExitCode(1)
  }

  /// Does something; if it fails, says why and ends the command.
  package static func orExit<R: ~Copyable>(json: Bool, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch {
      throw fail(error, json: json)
    }
  }

  /// `2 errors, 1 warning`.
  package var counts: String { "\(Findings.count(errors, "error")), \(Findings.count(warnings, "warning"))" }

  /// `, 1 warning`, or nothing.
  package var andWarnings: String { warnings > 0 ? ", \(Findings.count(warnings, "warning"))" : "" }

  package static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
