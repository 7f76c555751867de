/// What discovery and telemetry show in `/metrics`.
struct ControlPlaneMetrics: MetricsSource {
  /// Pairs of a source and a destination at most; the rest is in none.
  static let limit = 2_000

  let hub: DiscoveryHub
  let telemetry: TelemetryAggregator

  func write(to page: inout MetricsPage) async {
    let figures = await hub.figures
    page.family("weft_control_streams", .gauge, "Streams of proxies that are open.")
    page.sample("weft_control_streams", [], Double(figures.streams))
    page.family("weft_control_resources", .gauge, "Resources that proxies can subscribe to.")
    page.sample("weft_control_resources", [], Double(figures.resources))
    struct Pair: Hashable {
      let source: String
      let destination: String
      let code: UInt32
    }
    var requests: [Pair: UInt64] = [:]
    for figures in telemetry.snapshot().edges {
      let edge = figures.edge
      let pair = Pair(source: edge.source, destination: edge.destination, code: edge.code)
      guard requests[pair] != nil || requests.count < Self.limit else { continue }
      requests[pair, default: 0] &+= figures.total.requests
    }
    let name = "weft_mesh_requests_total"
    page.family(name, .counter, "Requests that proxies report, by source, destination and status.")
    for (pair, count) in requests.sorted(by: {
      ($0.key.source, $0.key.destination, $0.key.code) < ($1.key.source, $1.key.destination, $1.key.code)
    }) {
      page.sample(
        name, [("source", pair.source), ("destination", pair.destination), ("code", "\(pair.code)")], Double(count))
    }
  }
}

extension ControlPlane {
  /// For the API's `/metrics`.
  public var metrics: [any MetricsSource] { [ControlPlaneMetrics(hub: hub, telemetry: telemetry)] }
}
