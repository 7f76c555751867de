/// Gathers diagnostics, up to a bound: a large file with the same mistake everywhere must not take the memory of a
/// thousand times its size.
struct DiagnosticList: Sendable {
  /// Kept of one document or file; as many again of each severity.
  static let limit = 1000

  private var kept: [Diagnostic] = []
  private var errors = 0
  private var warnings = 0
  private let limit: Int

  init(limit: Int = DiagnosticList.limit) {
    self.limit = limit
  }

  var hasErrors: Bool { errors > 0 }

  /// Whether more errors would not be kept.
  var isFull: Bool { errors >= limit }

  mutating func append(_ diagnostic: Diagnostic) {
    switch diagnostic.severity {
    case .error:
      errors += 1
      if errors <= limit { kept.append(diagnostic) }
    case .warning:
      warnings += 1
      if warnings <= limit { kept.append(diagnostic) }
    }
  }

  mutating func append(contentsOf diagnostics: [Diagnostic]) {
    for diagnostic in diagnostics { append(diagnostic) }
  }

  /// What was kept; the last one says how many were not.
  var all: [Diagnostic] {
    let omitted = max(errors - limit, 0) + max(warnings - limit, 0)
    guard omitted > 0, let last = kept.last else { return kept }
    return kept + [Diagnostic(last.severity, at: last.location, "\(omitted) more are not shown; mend these first")]
  }
}
