import Foundation
import Testing
import WeftTelemetry

@testable import WeftProxy

/// docs/metrics.md says what the proxy registers, and nothing else.
@Suite struct MetricsDocumentTests {
  @Test func thePageListsTheProxysOwnMetrics() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/metrics.md")
    let document = try String(contentsOf: path, encoding: .utf8)
    let registry = MetricsRegistry()
    _ = try ProxyMetrics(registry)
    _ = try StatusMetrics(registry, version: "1.2.3")
    try LogWriter().register(in: registry)
    // Filters register theirs when they are configured.
    let differences = registry.differences(fromDocument: document).filter {
      !$0.contains("weft_filter_") && !$0.contains("weft_lua_")
    }
    #expect(differences == [])
  }
}
