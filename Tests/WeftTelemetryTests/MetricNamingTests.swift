import Testing
import WeftTelemetry

@Suite struct MetricNamingTests {
  func refusal(
    _ kind: MetricKind, _ name: String, help: String = "Help.", unit: MetricUnit = .count, labels: [String] = [],
    buckets: [UInt64] = []
  ) -> String? {
    do {
      _ = try MetricDescriptor(kind, name: name, help: help, unit: unit, labels: labels, buckets: buckets)
      return nil
    } catch { return "\(error)" }
  }

  @Test func goodNamesPass() {
    #expect(refusal(.counter, "weft_http_requests_total") == nil)
    #expect(refusal(.counter, "weft_downstream_received_bytes_total", unit: .bytes) == nil)
    #expect(refusal(.counter, "weft_worker_busy_seconds_total", unit: .nanoseconds) == nil)
    #expect(refusal(.gauge, "weft_downstream_connections_active", labels: ["listener"]) == nil)
    #expect(
      refusal(.histogram, "weft_http_request_duration_seconds", unit: .nanoseconds, buckets: HistogramBuckets.durations)
        == nil)
  }

  @Test(arguments: [
    (MetricKind.counter, "weft_requests", MetricUnit.count, "_total"),
    (.gauge, "weft_requests_total", .count, "_total"),
    (.counter, "weft_wait_milliseconds_total", .count, "base unit"),
    (.gauge, "weft_wait_seconds", .count, "its unit does not"),
    (.gauge, "weft_wait", .nanoseconds, "its name must say"),
    (.gauge, "weft_memory", .bytes, "its name must say"),
    (.gauge, "weft_thing_gauge", .count, "type"),
    (.gauge, "weft_thing_count", .count, "suffix"),
    (.gauge, "weftThing", .count, "lower case"),
    (.gauge, "weft:thing", .count, "letters"),
    (.gauge, "9thing", .count, "letters"),
    (.gauge, "", .count, "letters"),
    (.histogram, "weft_wait_seconds", .nanoseconds, "1 to 32 buckets"),
  ])
  func badNamesAreRefused(kind: MetricKind, name: String, unit: MetricUnit, reason: String) {
    #expect(refusal(kind, name, unit: unit)?.contains(reason) == true)
  }

  @Test func badHelpLabelsAndBucketsAreRefused() {
    #expect(refusal(.gauge, "weft_x", help: "")?.contains("help") == true)
    #expect(refusal(.gauge, "weft_x", labels: ["a", "a"])?.contains("twice") == true)
    #expect(refusal(.gauge, "weft_x", labels: ["__a"])?.contains("no label name") == true)
    #expect(refusal(.gauge, "weft_x", labels: ["a-b"])?.contains("no label name") == true)
    #expect(refusal(.gauge, "weft_x", labels: (0..<9).map { "l\($0)" })?.contains("more than") == true)
    #expect(refusal(.gauge, "weft_x", buckets: [1])?.contains("only a histogram") == true)
    #expect(refusal(.histogram, "weft_x", labels: ["le"], buckets: [1])?.contains("le") == true)
    #expect(refusal(.histogram, "weft_x", buckets: [2, 1])?.contains("ascend") == true)
    #expect(refusal(.histogram, "weft_x", buckets: [.max])?.contains("2^62") == true)
  }
}
