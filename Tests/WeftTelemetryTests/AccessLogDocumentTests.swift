import Foundation
import Testing

@testable import WeftTelemetry

/// docs/access-logs.md says what the code does.
@Suite struct AccessLogDocumentTests {
  let document: String

  init() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/access-logs.md")
    document = try String(contentsOf: path, encoding: .utf8)
  }

  @Test func everyOperatorStandsInTheDocument() {
    for name in AccessLogOperator.names {
      #expect(document.contains("`%\(name)%") || document.contains("`%\(name)("), "docs/access-logs.md lacks %\(name)%")
    }
    for point in AccessLogOperator.TimePoint.allCases { #expect(document.contains("`\(point.rawValue)`")) }
    for conversion in TimeFormat.conversions {
      let scalar = Character(UnicodeScalar(conversion))
      #expect(document.contains("%\(scalar)"), "docs/access-logs.md lacks %\(scalar)")
    }
  }

  @Test func everyFlagStandsInTheDocument() {
    for name in ResponseFlags.names {
      let row = "| `\(name.short)` | `\(name.long)` | \(name.meaning) |"
      #expect(document.contains(row), "docs/access-logs.md lacks: \(row)")
    }
  }

  @Test func theDefaultsAreTheOnesDescribed() {
    #expect(document.contains("\n" + AccessLogFormat.defaultText))
    for (name, _) in AccessLogFormat.defaultJSON { #expect(document.contains("`\(name)`")) }
  }

  /// The formats among the examples compile.
  @Test func theExamplesCompile() throws {
    let examples = document.components(separatedBy: "## Examples")[1].components(separatedBy: "```")[1]
    var compiled = 0
    for line in examples.split(separator: "\n") where !line.hasPrefix("#") {
      _ = try AccessLogFormat(text: String(line))
      compiled += 1
    }
    #expect(compiled == 3)
  }
}
