/// What discovery and telemetry show in `/metrics`.
struct ControlPlaneMetrics: MetricsSource {
  enum Limits {
    /// Series of requests at most; the rest is in one whose labels read `other`.
    static let requests = 5_000
    /// Services whose latencies are shown: the busiest.
    static let services = 200
  }

  let hub: DiscoveryHub
  let telemetry: TelemetryAggregator

  func write(to page: inout MetricsPage) async {
    let figures = await hub.figures
    page.family("weft_control_streams", .gauge, "Streams of proxies that are open.")
    page.sample("weft_control_streams", [], Double(figures.streams))
    page.family("weft_control_resources", .gauge, "Resources that proxies can subscribe to.")
    page.sample("weft_control_resources", [], Double(figures.resources))
    let snapshot = telemetry.snapshot()
    page.family("weft_control_telemetry_reports_total", .counter, "Reports of telemetry that proxies sent.")
    page.sample("weft_control_telemetry_reports_total", [], Double(snapshot.reports))
    page.family("weft_control_telemetry_edges", .gauge, "Edges that are counted, of at most 20,000.")
    page.sample("weft_control_telemetry_edges", [], Double(snapshot.edges.count))
    writeRequests(snapshot, to: &page)
    writeLatencies(snapshot, to: &page)
    writeFilters(snapshot, to: &page)
  }

  private func writeRequests(_ snapshot: TelemetryAggregator.Snapshot, to page: inout MetricsPage) {
    struct Series: Hashable {
      var source: String
      var destination: String
      var code: UInt32
    }
    var requests: [Series: UInt64] = [:]
    for figures in snapshot.edges where !figures.edge.destination.isEmpty && figures.total.requests > 0 {
      let edge = figures.edge
      var series = Series(source: edge.source, destination: edge.destination, code: edge.code)
      if requests[series] == nil, requests.count >= Limits.requests {
        (series.source, series.destination) = ("other", "other")
      }
      requests[series, default: 0] &+= figures.total.requests
    }
    let name = "weft_mesh_requests_total"
    page.family(name, .counter, "Requests that proxies report, by source, destination and class of status.")
    for (series, count) in requests.sorted(by: {
      ($0.key.source, $0.key.destination, $0.key.code) < ($1.key.source, $1.key.destination, $1.key.code)
    }) {
      page.sample(
        name, [("source", series.source), ("destination", series.destination), ("code", "\(series.code)")],
        Double(count))
    }
  }

  private func writeLatencies(_ snapshot: TelemetryAggregator.Snapshot, to page: inout MetricsPage) {
    var sums: [String: TelemetryAggregator.Counts] = [:]
    for figures in snapshot.edges where !figures.edge.destination.isEmpty && !figures.edge.source.isEmpty {
      sums[figures.edge.destination, default: TelemetryAggregator.Counts()].add(figures.total)
    }
    let busiest = sums.filter { !$0.value.latency.isEmpty }.sorted { $0.value.requests > $1.value.requests }
      .prefix(Limits.services).sorted { $0.key < $1.key }
    let name = "weft_mesh_request_duration_seconds"
    page.family(name, .histogram, "Time until the head of a service's answer, as its callers' proxies report it.")
    for (destination, counts) in busiest {
      var below: UInt64 = 0
      var sum = 0.0
      for (index, count) in counts.latency.enumerated() {
        below &+= count
        let isLast = index == counts.latency.count - 1
        let bound = isLast ? Traffic.bound(index - 1) : Traffic.bound(index)
        sum += Double(count) * bound / 1_000
        page.sample(
          name, suffix: "_bucket",
          [("destination", destination), ("le", isLast ? "+Inf" : "\(bound / 1_000)")], Double(below))
      }
      // Of upper bounds of buckets: reports have no sums.
      page.sample(name, suffix: "_sum", [("destination", destination)], sum)
      page.sample(name, suffix: "_count", [("destination", destination)], Double(below))
    }
  }
}

extension ControlPlaneMetrics {
  private static func labels(_ filter: TelemetryAggregator.Filter) -> [(String, String)] {
    [("filter", filter.filter), ("bundle", filter.bundle), ("digest", filter.digest)]
  }

  /// Filters are as many as the aggregator keeps.
  private func writeFilters(_ snapshot: TelemetryAggregator.Snapshot, to page: inout MetricsPage) {
    let versions = snapshot.filters.filter { !$0.filter.digest.isEmpty && $0.total.scriptCalls > 0 }
    let calls = "weft_mesh_filter_calls_total"
    page.family(calls, .counter, "Calls into scripts of filters that proxies report, by version of the bundle.")
    for figures in versions { page.sample(calls, Self.labels(figures.filter), Double(figures.total.scriptCalls)) }
    let times = "weft_mesh_filter_call_duration_seconds"
    page.family(times, .summary, "Processor time of the calls that were timed.")
    for figures in versions where figures.total.timedCalls > 0 {
      let labels = Self.labels(figures.filter)
      page.sample(times, suffix: "_sum", labels, Double(figures.total.timedNanoseconds) / 1e9)
      page.sample(times, suffix: "_count", labels, Double(figures.total.timedCalls))
    }
    let totals = snapshot.filters.filter(\.filter.digest.isEmpty)
    let errors = "weft_mesh_filter_errors_total"
    page.family(errors, .counter, "Failures of filters that proxies report.")
    for figures in totals where figures.total.errors > 0 {
      page.sample(errors, [("filter", figures.filter.filter)], Double(figures.total.errors))
    }
    let responses = "weft_mesh_filter_responses_total"
    page.family(responses, .counter, "Requests that filters answered themselves, as proxies report.")
    for figures in totals where figures.total.denied > 0 {
      page.sample(responses, [("filter", figures.filter.filter)], Double(figures.total.denied))
    }
  }
}

extension ControlPlane {
  /// For the API's `/metrics`.
  public var metrics: [any MetricsSource] { [ControlPlaneMetrics(hub: hub, telemetry: telemetry)] }
}
