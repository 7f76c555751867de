import Testing
import WeftBundle

@Suite struct SemanticVersionTests {
  /// The order that section 11 of the specification gives.
  @Test func precedence() throws {
    let ordered = [
      "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
      "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0",
    ]
    let versions = try ordered.map { try #require(SemanticVersion($0)) }
    for (left, right) in zip(versions, versions.dropFirst()) {
      #expect(left < right)
      #expect(!(right < left))
    }
    #expect(versions.map(\.description) == ordered)
  }

  @Test func buildMetadataIsKeptAndNotCompared() throws {
    let (a, b) = (try #require(SemanticVersion("1.0.0+a")), try #require(SemanticVersion("1.0.0+b")))
    #expect(!(a < b) && !(b < a))
    #expect("\(a)" == "1.0.0+a")
  }

  @Test(arguments: [
    "", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-a..b", "1.0.0-01", "1.0.0+", "1.0.0 ", "1.-1.0",
    "99999999999999999999.0.0",
  ])
  func notAVersion(_ text: String) { #expect(SemanticVersion(text) == nil) }
}
