import WeftProtocol
import WeftTelemetry

/// Turns the proxy's figures, which count up, into what has been added since the last report.
///
/// An edge is a service that the proxy sends requests to, with the class of the answers; how long these took, all classes
/// together, is an edge with code 0 and no requests. The app beside a sidecar is an edge with no source: the service as it
/// sees itself. A route, as clients see it, is an edge with no destination.
struct TelemetryCollector {
  enum Limits {
    /// Edges of one report; the rest is summed up as "other".
    static let edges = 2_000
    static let filters = 500
    /// Bucket i holds what took less than 0.1 ms x 2^i, the last one the rest.
    static let buckets = 24
  }

  private struct Edge: Hashable {
    var source: String
    var destination: String
    var route = ""
    var code: UInt32 = 0
  }

  private struct Counts {
    var requests: UInt64 = 0
    var latency: [UInt64] = []

    var weight: UInt64 { requests &+ latency.reduce(0, &+) }

    mutating func add(_ other: Counts) {
      requests &+= other.requests
      if latency.isEmpty {
        latency = other.latency
      } else {
        for (index, count) in other.latency.enumerated() { latency[index] &+= count }
      }
    }
  }

  private var before: [String: UInt64] = [:]
  private var now: [String: UInt64] = [:]

  /// - Parameter source: this proxy, NAMESPACE/NAME.
  mutating func report(_ metrics: MetricsSnapshot, source: String) -> Weft_Discovery_V1_TelemetryReport {
    var report = Weft_Discovery_V1_TelemetryReport()
    now = [:]
    report.edges = Self.messages(edges(metrics, source))
    report.filters = filters(metrics)
    report.filters += (variants(metrics) + scripts(metrics)).prefix(Limits.filters - report.filters.count)
    before = now
    return report
  }

  private mutating func edges(_ metrics: MetricsSnapshot, _ source: String) -> [Edge: Counts] {
    var edges: [Edge: Counts] = [:]
    let app = "\(source.prefix { $0 != "/" })/\(SidecarDocuments.appName)"
    func service(_ label: String) -> Edge {
      // `default/reviews:80` is port 80 of default/reviews.
      let name = String(label.prefix { $0 != ":" })
      return name == app ? Edge(source: "", destination: source) : Edge(source: source, destination: name)
    }
    for (labels, count) in Self.counters("weft_upstream_requests_total", metrics) where labels.count == 2 {
      guard let added = added("edge", labels, count) else { continue }
      var edge = service(labels[0])
      edge.code = Self.code(labels[1])
      edges[edge, default: Counts()].add(Counts(requests: added))
    }
    for (labels, latency) in latencies("weft_upstream_first_byte_duration_seconds", metrics) where labels.count == 1 {
      edges[service(labels[0]), default: Counts()].add(Counts(latency: latency))
    }
    for (labels, count) in Self.counters("weft_http_requests_total", metrics) where labels.count == 2 {
      guard let added = added("route", labels, count) else { continue }
      let edge = Edge(source: source, destination: "", route: labels[0], code: Self.code(labels[1]))
      edges[edge, default: Counts()].add(Counts(requests: added))
    }
    for (labels, latency) in latencies("weft_http_request_duration_seconds", metrics) where labels.count == 1 {
      edges[Edge(source: source, destination: "", route: labels[0]), default: Counts()].add(Counts(latency: latency))
    }
    return edges
  }

  /// The busiest ones, and the sum of the rest.
  private static func messages(_ edges: [Edge: Counts]) -> [Weft_Discovery_V1_EdgeCounts] {
    let sorted = edges.sorted { $0.value.weight > $1.value.weight }
    var kept = Array(sorted.prefix(Limits.edges - 6))
    var rest: [UInt32: Counts] = [:]
    for (edge, counts) in sorted.dropFirst(Limits.edges - 6) { rest[edge.code, default: Counts()].add(counts) }
    // There are six codes: the classes, and 0.
    for (code, counts) in rest { kept.append((Edge(source: "other", destination: "other", code: code), counts)) }
    return kept.map { edge, counts in
      .with {
        $0.source = edge.source
        $0.destination = edge.destination
        $0.route = edge.route
        $0.code = edge.code
        $0.requests = counts.requests
        $0.latency = counts.latency
      }
    }
  }

  private mutating func filters(_ metrics: MetricsSnapshot) -> [Weft_Discovery_V1_FilterCounts] {
    var filters: [String: (errors: UInt64, denied: UInt64)] = [:]
    for (labels, count) in Self.counters("weft_filter_errors_total", metrics) {
      guard let name = labels.first, let added = added("errors", labels, count) else { continue }
      filters[name, default: (0, 0)].errors += added
    }
    for (labels, count) in Self.counters("weft_filter_responses_total", metrics) {
      guard let name = labels.first, let added = added("denied", labels, count) else { continue }
      filters[name, default: (0, 0)].denied += added
    }
    return filters.sorted { $0.key < $1.key }.prefix(Limits.filters / 2).map { name, counts in
      .with {
        $0.filter = name
        $0.errors = counts.errors
        $0.denied = counts.denied
      }
    }
  }

  // MARK: Versions of bundles

  private struct Variant: Hashable {
    let filter: String
    let bundle: String
    let digest: String
    let variant: String

    /// Of series with these labels in this order.
    init?(_ labels: [String], variant: String? = nil) {
      guard labels.count == 4 else { return nil }
      filter = labels[0]
      bundle = labels[1]
      digest = labels[2]
      self.variant = variant ?? labels[3]
    }
  }

  /// What versions of bundles did during a rollout.
  private mutating func variants(_ metrics: MetricsSnapshot) -> [Weft_Discovery_V1_FilterCounts] {
    var all: [Variant: Weft_Discovery_V1_FilterCounts] = [:]
    let families: [(String, WritableKeyPath<Weft_Discovery_V1_FilterCounts, UInt64>)] = [
      ("weft_lua_rollout_requests_total", \.calls), ("weft_lua_rollout_errors_total", \.errors),
      ("weft_lua_rollout_failures_total", \.failures),
    ]
    for (family, figure) in families {
      for (labels, count) in Self.counters(family, metrics) {
        guard let variant = Variant(labels), let added = added(family, labels, count) else { continue }
        all[variant, default: .init()][keyPath: figure] += added
      }
    }
    let comparisons = "weft_lua_rollout_comparisons_total"
    for (labels, count) in Self.counters(comparisons, metrics) {
      guard let variant = Variant(labels, variant: "shadow"), let added = added(comparisons, labels, count)
      else { continue }
      switch labels[3] {
      case "same": all[variant, default: .init()].same += added
      case "different": all[variant, default: .init()].different += added
      default: break
      }
    }
    for series in metrics.family("weft_lua_rollout_request_duration_seconds")?.series ?? [] {
      guard case .histogram(let value) = series.value, let variant = Variant(series.labels) else { continue }
      var latency = [UInt64](repeating: 0, count: value.counts.count)
      for (i, count) in value.counts.enumerated() {
        latency[i] = added("latency \(i)", series.labels, count) ?? 0
      }
      if latency.contains(where: { $0 > 0 }) { all[variant, default: .init()].latency = latency }
    }
    for (place, lines) in BundleDifferences.shared.take() {
      let found = all.keys.first { $0.filter == place.filter && $0.digest == place.digest && $0.variant == "shadow" }
      if let found { all[found]?.samples = lines }
    }
    return Self.messages(all)
  }

  private static func messages(
    _ all: [Variant: Weft_Discovery_V1_FilterCounts]
  ) -> [Weft_Discovery_V1_FilterCounts] {
    all.sorted {
      ($0.key.filter, $0.key.digest, $0.key.variant) < ($1.key.filter, $1.key.digest, $1.key.variant)
    }
    .map { variant, counts in
      var counts = counts
      counts.filter = variant.filter
      counts.bundle = variant.bundle
      counts.digest = variant.digest
      counts.variant = variant.variant
      return counts
    }
  }

  /// How often scripts were called, and how long a call took, by version.
  private mutating func scripts(_ metrics: MetricsSnapshot) -> [Weft_Discovery_V1_FilterCounts] {
    var all: [Variant: Weft_Discovery_V1_FilterCounts] = [:]
    let calls = "weft_lua_calls_total"
    for (labels, count) in Self.counters(calls, metrics) {
      guard let version = Variant(labels + [""]), let added = added(calls, labels, count) else { continue }
      all[version, default: .init()].scriptCalls += added
    }
    let times = "weft_lua_call_duration_seconds"
    for series in metrics.family(times)?.series ?? [] {
      guard case .histogram(let value) = series.value, let version = Variant(series.labels + [""]),
        let timed = added("\(times) count", series.labels, value.count)
      else { continue }
      all[version, default: .init()].timedCalls += timed
      all[version, default: .init()].timedNanoseconds += added("\(times) sum", series.labels, value.sum) ?? 0
    }
    return Self.messages(all)
  }

  // MARK: Figures

  private static func counters(_ name: String, _ metrics: MetricsSnapshot) -> [([String], UInt64)] {
    (metrics.family(name)?.series ?? []).compactMap { series in
      if case .counter(let count) = series.value { (series.labels, count) } else { nil }
    }
  }

  /// What histograms have gained, in the buckets of reports.
  private mutating func latencies(_ name: String, _ metrics: MetricsSnapshot) -> [([String], [UInt64])] {
    var found: [([String], [UInt64])] = []
    for series in metrics.family(name)?.series ?? [] {
      guard case .histogram(let histogram) = series.value else { continue }
      var latency = [UInt64](repeating: 0, count: Limits.buckets)
      var isEmpty = true
      for (index, count) in histogram.counts.enumerated() {
        guard let added = added("\(name) \(index)", series.labels, count) else { continue }
        let bucket = index < histogram.bounds.count ? Self.bucket(nanoseconds: histogram.bounds[index]) : Limits.buckets
        latency[min(bucket, Limits.buckets - 1)] &+= added
        isEmpty = false
      }
      if !isEmpty { found.append((series.labels, latency)) }
    }
    return found
  }

  /// The first bucket whose bound is not below that one.
  static func bucket(nanoseconds bound: UInt64) -> Int {
    (0..<Limits.buckets).first { bound <= 100_000 << UInt64($0) } ?? Limits.buckets - 1
  }

  private mutating func added(_ what: String, _ labels: [String], _ count: UInt64) -> UInt64? {
    let key = ([what] + labels).joined(separator: "\u{1f}")
    now[key] = count
    let last = before[key] ?? 0
    // A series that has begun anew counts from zero.
    let added = count >= last ? count - last : count
    return added > 0 ? added : nil
  }

  /// `2xx` as 200.
  private static func code(_ text: String) -> UInt32 {
    UInt32(text) ?? text.first.flatMap { $0.wholeNumberValue }.map { UInt32($0) * 100 } ?? 0
  }
}
