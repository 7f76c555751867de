import Testing
import WeftProtocol

@testable import WeftControl

@Suite("Filters in the last minute")
struct FilterTrafficTests {
  private func counts(
    _ filter: String, digest: String = "", variant: String = "",
    _ change: (inout Weft_Discovery_V1_FilterCounts) -> Void
  ) -> Weft_Discovery_V1_FilterCounts {
    var counts = Weft_Discovery_V1_FilterCounts()
    counts.filter = filter
    counts.bundle = digest.isEmpty ? "" : "default/tag"
    counts.digest = digest
    counts.variant = variant
    change(&counts)
    return counts
  }

  private func rows(_ filters: Weft_Discovery_V1_FilterCounts...) -> [FilterTraffic] {
    let telemetry = TelemetryAggregator()
    var report = Weft_Discovery_V1_TelemetryReport()
    report.filters = filters
    telemetry.add(report)
    return Traffic(telemetry.snapshot()).filters
  }

  @Test("a filter with one version has all errors that were counted, and the time of a call")
  func one() {
    let all = rows(
      counts("default/f") { ($0.errors, $0.denied) = (3, 2) },
      counts("default/f", digest: "sha256:a") {
        ($0.scriptCalls, $0.timedCalls, $0.timedNanoseconds) = (640, 10, 25_000)
      },
      counts("default/limit") { $0.denied = 7 })
    #expect(all.map(\.filter) == ["default/f", "default/limit"])
    #expect(all[0].bundle == "default/tag" && all[0].errors == 3 && all[0].answered == 2 && all[0].callTime == 2.5)
    #expect(all[0].callsPerSecond > 0)
    #expect(all[1].answered == 7 && all[1].digest.isEmpty && all[1].callTime == nil)
  }

  @Test("in a rollout each version has its own")
  func two() {
    let all = rows(
      counts("default/f") { $0.errors = 5 },
      counts("default/f", digest: "sha256:a") { $0.scriptCalls = 10 },
      counts("default/f", digest: "sha256:b") { $0.scriptCalls = 10 },
      counts("default/f", digest: "sha256:b", variant: "candidate") { ($0.calls, $0.errors) = (10, 5) })
    #expect(all.map { "\($0.digest) \($0.errors)" } == ["sha256:a 0", "sha256:b 5"])
  }
}
