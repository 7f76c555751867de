import WeftFilter
import WeftIO
import WeftTelemetry

/// The metric families of the data plane, registered once per process. docs/metrics.md explains them.
struct ProxyMetrics: Sendable {
  let tls: TLSFamilies
  let http2: HTTP2Families
  let connections: CounterFamily
  let connectionsActive: GaugeFamily
  let acceptFailures: CounterFamily
  let proxyProtocolFailures: CounterFamily
  let refused: CounterFamily

  let requests: CounterFamily
  let requestsActive: GaugeFamily
  let requestDuration: HistogramFamily
  let requestBytes: CounterFamily
  let responseBytes: CounterFamily
  let responseFlags: CounterFamily

  let upstreamRequests: CounterFamily
  let upstreamRequestsActive: GaugeFamily
  let upstreamFirstByte: HistogramFamily
  let upstreamPending: GaugeFamily
  let upstreamConnections: CounterFamily
  let upstreamConnectionsActive: GaugeFamily
  let upstreamConnectionsIdle: GaugeFamily
  let upstreamConnectFailures: CounterFamily
  let upstreamConnectDuration: HistogramFamily
  let upstreamRetries: CounterFamily
  let upstreamOverflows: CounterFamily
  let upstreamRetryOverflows: CounterFamily
  let upstreamEjections: CounterFamily
  let upstreamPanics: CounterFamily
  let upstreamTimeouts: CounterFamily
  let upstreamResets: CounterFamily
  let upstreamEndpoints: GaugeFamily

  let authorization: CounterFamily
  let plainConnections: CounterFamily
  let tokenFailures: CounterFamily

  let workerExchanges: GaugeFamily
  let workerBusy: CounterFamily
  let workerBuffers: GaugeFamily

  let filters: FilterMetrics

  init(_ r: MetricsRegistry) throws {
    filters = try FilterMetrics(r)
    tls = try TLSFamilies(r)
    http2 = try HTTP2Families(r)
    connections = try r.counter(
      "weft_downstream_connections_total", help: "Accepted connections.", labels: ["listener"])
    connectionsActive = try r.gauge(
      "weft_downstream_connections_active", help: "Open connections.", labels: ["listener"])
    acceptFailures = try r.counter(
      "weft_downstream_accept_failures_total",
      help: "Connections that could not be accepted or kept: descriptors, memory, limit, other.",
      labels: ["listener", "reason"])
    proxyProtocolFailures = try r.counter(
      "weft_downstream_proxy_protocol_failures_total",
      help: "Connections closed for their PROXY protocol header: untrusted, missing, malformed, timeout, closed.",
      labels: ["listener", "reason"])
    refused = try r.counter(
      "weft_http_refused_requests_total",
      help: "Requests refused before routing, by the reason's code.", labels: ["listener", "reason"])

    requests = try r.counter(
      "weft_http_requests_total", help: "Finished requests.", labels: ["route", "code_class"])
    requestsActive = try r.gauge("weft_http_requests_active", help: "Requests under way.", labels: ["listener"])
    requestDuration = try r.histogram(
      "weft_http_request_duration_seconds",
      help: "Time from a request's head being complete to its response's last byte.", unit: .nanoseconds,
      buckets: HistogramBuckets.durations, labels: ["route"])
    requestBytes = try r.counter(
      "weft_http_request_body_bytes_total", help: "Body bytes received from clients.", unit: .bytes,
      labels: ["route"])
    responseBytes = try r.counter(
      "weft_http_response_body_bytes_total", help: "Body bytes sent to clients.", unit: .bytes, labels: ["route"])
    responseFlags = try r.counter(
      "weft_http_response_flags_total", help: "Finished requests that carry a response flag.",
      labels: ["route", "flag"])

    upstreamRequests = try r.counter(
      "weft_upstream_requests_total", help: "Attempts sent to a service, by its answer.",
      labels: ["service", "code_class"])
    upstreamRequestsActive = try r.gauge(
      "weft_upstream_requests_active", help: "Attempts under way.", labels: ["service"])
    upstreamFirstByte = try r.histogram(
      "weft_upstream_first_byte_duration_seconds",
      help: "Time from a request's head being complete to the head of a service's answer, retries too.",
      unit: .nanoseconds, buckets: HistogramBuckets.durations, labels: ["service"])
    upstreamPending = try r.gauge(
      "weft_upstream_requests_pending", help: "Requests that wait for a connection.", labels: ["service"])
    upstreamConnections = try r.counter(
      "weft_upstream_connections_total", help: "Connections opened.", labels: ["service"])
    upstreamConnectionsActive = try r.gauge(
      "weft_upstream_connections_active", help: "Open connections, idle ones too.", labels: ["service"])
    upstreamConnectionsIdle = try r.gauge(
      "weft_upstream_connections_idle", help: "Open connections that wait in a pool.", labels: ["service"])
    upstreamConnectDuration = try r.histogram(
      "weft_upstream_connect_duration_seconds", help: "Time to establish a connection.", unit: .nanoseconds,
      buckets: HistogramBuckets.durations, labels: ["service"])
    upstreamConnectFailures = try r.counter(
      "weft_upstream_connect_failures_total",
      help: "Connections that failed: refused, timeout, unreachable, other.", labels: ["service", "reason"])
    upstreamRetries = try r.counter(
      "weft_upstream_retries_total", help: "Further attempts of a retry policy.", labels: ["service"])
    upstreamOverflows = try r.counter(
      "weft_upstream_overflows_total",
      help: "Requests refused because too many waited for a connection or were under way.",
      labels: ["service"])
    upstreamRetryOverflows = try r.counter(
      "weft_upstream_retry_overflows_total", help: "Retries left undone because too many were under way.",
      labels: ["service"])
    upstreamEjections = try r.counter(
      "weft_upstream_ejections_total",
      help: "Endpoints left out for how they answered: consecutive_5xx, consecutive_gateway_errors.",
      labels: ["service", "reason"])
    upstreamPanics = try r.counter(
      "weft_upstream_panics_total", help: "Choices of an endpoint without regard to health, for too few were healthy.",
      labels: ["service"])
    upstreamTimeouts = try r.counter(
      "weft_upstream_timeouts_total", help: "Attempts that ran out of time: first_byte, idle.",
      labels: ["service", "kind"])
    upstreamResets = try r.counter(
      "weft_upstream_resets_total", help: "Attempts whose connection the service broke.", labels: ["service"])
    upstreamEndpoints = try r.gauge(
      "weft_upstream_endpoints", help: "Endpoints: ready, failed, unhealthy, ejected.", labels: ["service", "state"])

    authorization = try r.counter(
      "weft_authorization_decisions_total",
      help:
        "What authorization policies said: allowed, denied, audited, would_allow, would_deny. Policy none: no ALLOW policy matched.",
      labels: ["policy", "decision"])
    tokenFailures = try r.counter(
      "weft_request_authentication_failures_total",
      help:
        "Requests whose token was not good: malformed, issuer, audience, expired, early, signature, keys (not fetched yet).",
      labels: ["listener", "reason"])
    plainConnections = try r.counter(
      "weft_downstream_plain_connections_total",
      help: "Plain connections at listeners that take TLS as well.", labels: ["listener"])

    workerExchanges = try r.gauge("weft_worker_exchanges_active", help: "Exchanges under way.", labels: ["worker"])
    workerBusy = try r.counter(
      "weft_worker_busy_seconds_total", help: "CPU time of an event loop.", unit: .nanoseconds, labels: ["worker"])
    workerBuffers = try r.gauge(
      "weft_worker_buffer_bytes", help: "Memory of the buffers that are lent.", unit: .bytes, labels: ["worker"])
  }
}

/// A counter for each class of status code.
struct ClassCounters {
  private let informational: Counter
  private let success: Counter
  private let redirect: Counter
  private let clientError: Counter
  private let serverError: Counter
  private let none: Counter

  init(_ make: (String) -> Counter) {
    informational = make("1xx")
    success = make("2xx")
    redirect = make("3xx")
    clientError = make("4xx")
    serverError = make("5xx")
    none = make("none")
  }

  /// - Parameter status: 0 when no response was begun.
  @inline(__always)
  func count(status: Int) {
    switch status {
    case 200..<300: success.add()
    case 500...: serverError.add()
    case 400..<500: clientError.add()
    case 300..<400: redirect.add()
    case 100..<200: informational.add()
    default: none.add()
    }
  }
}

struct ListenerMetrics {
  /// nil for a listener without TLS.
  var tls: TLSMetrics?
  /// nil until a client has spoken HTTP/2.
  var http2: HTTP2Metrics?
  let connections: Counter
  let active: Gauge
  let requestsActive: Gauge
  /// Closed at once because the limit on connections was reached.
  let limited: Counter

  /// Keeps the series while the listener lives.
  private let lease: MetricsLease

  init(_ m: ProxyMetrics, _ shard: MetricsShard, listener: String) {
    let lease = shard.registry.makeLease()
    self.lease = lease
    connections = shard.counter(m.connections, [listener], lease: lease)
    active = shard.gauge(m.connectionsActive, [listener], lease: lease)
    requestsActive = shard.gauge(m.requestsActive, [listener], lease: lease)
    limited = shard.counter(m.acceptFailures, [listener, "limit"], lease: lease)
  }
}

struct RouteMetrics {
  let requests: ClassCounters
  let duration: Histogram
  let received: Counter
  let sent: Counter
  let flags: FlagCounters

  init(_ m: ProxyMetrics, _ shard: MetricsShard, route: String, lease: MetricsLease?) {
    requests = ClassCounters { shard.counter(m.requests, [route, $0], lease: lease) }
    duration = shard.histogram(m.requestDuration, [route], lease: lease)
    received = shard.counter(m.requestBytes, [route], lease: lease)
    sent = shard.counter(m.responseBytes, [route], lease: lease)
    flags = FlagCounters(m, shard, route: route, lease: lease)
  }
}

/// A counter for each response flag that a route's exchanges have carried so far: most never come.
final class FlagCounters {
  private let family: CounterFamily
  private let shard: MetricsShard
  private let route: String
  private let lease: MetricsLease?
  private var counters: [Counter?] = []

  init(_ m: ProxyMetrics, _ shard: MetricsShard, route: String, lease: MetricsLease?) {
    family = m.responseFlags
    self.shard = shard
    self.route = route
    self.lease = lease
  }

  func count(_ flags: ResponseFlags) {
    if counters.isEmpty { counters = Array(repeating: nil, count: ResponseFlags.RawValue.bitWidth) }
    var bits = flags.rawValue
    while bits != 0 {
      let bit = bits.trailingZeroBitCount
      bits &= bits &- 1
      if counters[bit] == nil, bit < ResponseFlags.names.count {
        counters[bit] = shard.counter(family, [route, "\(ResponseFlags.names[bit].short)"], lease: lease)
      }
      counters[bit]?.add()
    }
  }
}

struct ServiceMetrics {
  /// nil for a service without TLS.
  var tls: TLSMetrics?
  /// nil until a connection has spoken HTTP/2.
  var http2: HTTP2Metrics?
  let requests: ClassCounters
  let requestsActive: Gauge
  let firstByte: Histogram
  let connections: Counter
  let active: Gauge
  let retries: Counter
  let overflows: Counter
  let retryOverflows: Counter
  let panics: Counter
  let pending: Gauge
  let resets: Counter
  let firstByteTimeouts: Counter
  let idleTimeouts: Counter
  let connectDuration: Histogram
  // Looked at once a second.
  let idle: Gauge
  let ready: Gauge
  let failed: Gauge
  let unhealthy: Gauge
  let ejected: Gauge

  /// Keeps the series while the service lives.
  private let lease: MetricsLease

  init(_ m: ProxyMetrics, _ shard: MetricsShard, service: String) {
    let lease = shard.registry.makeLease()
    self.lease = lease
    requests = ClassCounters { shard.counter(m.upstreamRequests, [service, $0], lease: lease) }
    requestsActive = shard.gauge(m.upstreamRequestsActive, [service], lease: lease)
    firstByte = shard.histogram(m.upstreamFirstByte, [service], lease: lease)
    connections = shard.counter(m.upstreamConnections, [service], lease: lease)
    active = shard.gauge(m.upstreamConnectionsActive, [service], lease: lease)
    retries = shard.counter(m.upstreamRetries, [service], lease: lease)
    overflows = shard.counter(m.upstreamOverflows, [service], lease: lease)
    retryOverflows = shard.counter(m.upstreamRetryOverflows, [service], lease: lease)
    panics = shard.counter(m.upstreamPanics, [service], lease: lease)
    pending = shard.gauge(m.upstreamPending, [service], lease: lease)
    resets = shard.counter(m.upstreamResets, [service], lease: lease)
    firstByteTimeouts = shard.counter(m.upstreamTimeouts, [service, "first_byte"], lease: lease)
    idleTimeouts = shard.counter(m.upstreamTimeouts, [service, "idle"], lease: lease)
    connectDuration = shard.histogram(m.upstreamConnectDuration, [service], lease: lease)
    idle = shard.gauge(m.upstreamConnectionsIdle, [service], lease: lease)
    ready = shard.gauge(m.upstreamEndpoints, [service, "ready"], lease: lease)
    failed = shard.gauge(m.upstreamEndpoints, [service, "failed"], lease: lease)
    unhealthy = shard.gauge(m.upstreamEndpoints, [service, "unhealthy"], lease: lease)
    ejected = shard.gauge(m.upstreamEndpoints, [service, "ejected"], lease: lease)
  }
}

/// What is looked at once a second, so that it costs the requests nothing.
struct WorkerMetrics {
  let exchanges: Gauge
  let busy: Counter
  let buffers: Gauge
  let streams: Gauge
  let sessions: Gauge
  let tls: Gauge

  init(_ m: ProxyMetrics, _ shard: MetricsShard, worker: Int) {
    streams = shard.gauge(m.http2.liveStreams, [])
    sessions = shard.gauge(m.http2.liveSessions, [])
    tls = shard.gauge(m.http2.liveTLS, [])
    exchanges = shard.gauge(m.workerExchanges, [String(worker)])
    busy = shard.counter(m.workerBusy, [String(worker)])
    buffers = shard.gauge(m.workerBuffers, [String(worker)])
  }
}
