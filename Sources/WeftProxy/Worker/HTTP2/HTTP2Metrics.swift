import WeftHTTP
import WeftTelemetry

/// The metric families of HTTP/2. docs/metrics.md explains them.
struct HTTP2Families: Sendable {
  /// Of one side: the connections of a listener, or those to a service.
  struct Side: Sendable {
    let sessions: CounterFamily
    let sessionsActive: GaugeFamily
    let streams: CounterFamily
    let streamsActive: GaugeFamily
    let resets: CounterFamily
    let goAways: CounterFamily
    let floods: CounterFamily

    fileprivate init(_ r: MetricsRegistry, prefix: String, owner: String, peer: String) throws {
      sessions = try r.counter("\(prefix)_sessions_total", help: "HTTP/2 connections with \(peer).", labels: [owner])
      sessionsActive = try r.gauge(
        "\(prefix)_sessions_active", help: "Open HTTP/2 connections with \(peer).", labels: [owner])
      streams = try r.counter(
        "\(prefix)_streams_total", help: "Streams opened on HTTP/2 connections with \(peer).", labels: [owner])
      streamsActive = try r.gauge(
        "\(prefix)_streams_active", help: "Streams under way on HTTP/2 connections with \(peer).", labels: [owner])
      resets = try r.counter(
        "\(prefix)_resets_total", help: "RST_STREAM frames: received, sent.", labels: [owner, "direction"])
      goAways = try r.counter(
        "\(prefix)_goaways_total", help: "GOAWAY frames: received, sent.", labels: [owner, "direction"])
      floods = try r.counter(
        "\(prefix)_floods_total",
        help: "HTTP/2 connections that were ended because \(peer) flooded them, by what there was too much of.",
        labels: [owner, "reason"])
    }
  }

  let downstream: Side
  let upstream: Side
  let liveSessions: GaugeFamily
  let liveStreams: GaugeFamily
  let liveTLS: GaugeFamily

  init(_ r: MetricsRegistry) throws {
    downstream = try Side(r, prefix: "weft_downstream_http2", owner: "listener", peer: "clients")
    upstream = try Side(r, prefix: "weft_upstream_http2", owner: "service", peer: "endpoints")
    liveSessions = try r.gauge(
      "weft_http2_sessions_live", help: "HTTP/2 sessions in memory, of clients, endpoints and health checks.")
    liveStreams = try r.gauge("weft_http2_streams_live", help: "HTTP/2 streams in memory, of clients and endpoints.")
    liveTLS = try r.gauge(
      "weft_tls_sessions_live", help: "TLS sessions in memory, of clients, endpoints and health checks.")
  }
}

/// Counters of HTTP/2 on one side: of a listener, or of a service. Its sessions keep it, and with it the series, until
/// the last of them is gone.
final class HTTP2Metrics {
  let sessions: Counter
  let sessionsActive: Gauge
  let streams: Counter
  let streamsActive: Gauge
  let resetsReceived: Counter
  let resetsSent: Counter
  let goAwaysReceived: Counter
  let goAwaysSent: Counter
  private let floods: [Counter]
  private let lease: MetricsLease

  /// - Parameter owner: the listener's or service's name.
  init(_ side: HTTP2Families.Side, _ shard: MetricsShard, owner: String) {
    let lease = shard.registry.makeLease()
    self.lease = lease
    sessions = shard.counter(side.sessions, [owner], lease: lease)
    sessionsActive = shard.gauge(side.sessionsActive, [owner], lease: lease)
    streams = shard.counter(side.streams, [owner], lease: lease)
    streamsActive = shard.gauge(side.streamsActive, [owner], lease: lease)
    resetsReceived = shard.counter(side.resets, [owner, "received"], lease: lease)
    resetsSent = shard.counter(side.resets, [owner, "sent"], lease: lease)
    goAwaysReceived = shard.counter(side.goAways, [owner, "received"], lease: lease)
    goAwaysSent = shard.counter(side.goAways, [owner, "sent"], lease: lease)
    floods = HTTP2Flood.allCases.map { shard.counter(side.floods, [owner, $0.rawValue], lease: lease) }
  }

  func flooded(_ reason: HTTP2Flood) {
    for (i, known) in HTTP2Flood.allCases.enumerated() where known == reason { floods[i].add() }
  }

  /// A session's counts since the last time.
  func count(_ signals: HTTP2Signals) {
    resetsReceived.add(signals.resetsReceived)
    resetsSent.add(signals.resetsSent)
    goAwaysReceived.add(signals.goAwaysReceived)
    goAwaysSent.add(signals.goAwaysSent)
    if let flood = signals.flood { flooded(flood) }
  }
}
