import WeftConfig

/// Prints errors and warnings, each on a line that begins with its place.
struct Findings {
  let diagnostics: [Diagnostic]

  init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  var errors: Int { diagnostics.count { $0.severity == .error } }
  var warnings: Int { diagnostics.count - errors }

  /// - Parameter json: one JSON object a line.
  func print(json: Bool, to fd: Int32 = 1) {
    for diagnostic in diagnostics {
      let line =
        json
        ? diagnostic.json
        : Terminal.styled(
          Terminal.harmless(diagnostic.description), diagnostic.severity == .error ? .red : .yellow, fd)
      Terminal.write(line + "\n", to: fd)
    }
  }

  /// `2 errors, 1 warning`.
  var counts: String { "\(Findings.count(errors, "error")), \(Findings.count(warnings, "warning"))" }

  /// `, 1 warning`, or nothing.
  var andWarnings: String { warnings > 0 ? ", \(Findings.count(warnings, "warning"))" : "" }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
