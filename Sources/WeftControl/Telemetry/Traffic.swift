/// What goes on in the mesh at present: the last minute, for people to read.
public struct Traffic: Sendable, Codable {
  public struct Figures: Sendable, Codable, Hashable {
    public var requestsPerSecond = 0.0
    /// Of the requests that were answered, how many were not answered with 5xx: 0 to 1. nil: there were none.
    public var successRate: Double?
    /// Milliseconds, estimated within a factor of two. nil: nothing was measured.
    public var p50: Double?
    public var p99: Double?
  }

  /// A service as its own sidecars see it; one without sidecars, as those see it that call it.
  public struct Service: Sendable, Codable {
    /// NAMESPACE/NAME
    public var service: String
    /// Whether its own sidecars report it.
    public var isReportedByItself: Bool
    public var figures: Figures
  }

  /// Requests of one service or gateway to another, as the caller sees them: until the head of the answer, retries too.
  public struct Edge: Sendable, Codable {
    public var source: String
    public var destination: String
    public var figures: Figures
  }

  /// What clients see of a route at a proxy: until the last byte.
  public struct Route: Sendable, Codable {
    /// Gateway or service whose proxies run it, NAMESPACE/NAME.
    public var proxy: String
    /// NAMESPACE/NAME#RULE
    public var route: String
    public var figures: Figures
  }

  public var services: [Service] = []
  public var edges: [Edge] = []
  public var routes: [Route] = []
  public var filters: [FilterTraffic] = []

  /// Sums, while they are made.
  private struct Sums {
    var requests: UInt64 = 0
    var failures: UInt64 = 0
    var counts = TelemetryAggregator.Counts()

    mutating func add(_ code: UInt32, _ new: TelemetryAggregator.Counts) {
      requests &+= new.requests
      if code >= 500 { failures &+= new.requests }
      counts.add(new)
    }

    func figures(_ seconds: Double) -> Figures {
      Figures(
        requestsPerSecond: Double(requests) / seconds,
        successRate: requests > 0 ? 1 - Double(failures) / Double(requests) : nil,
        p50: Traffic.quantile(0.5, of: counts.latency), p99: Traffic.quantile(0.99, of: counts.latency))
    }

    var isEmpty: Bool { requests == 0 && counts.latency.isEmpty }
  }

  private struct Pair: Hashable, Comparable {
    let first: String
    let second: String

    static func < (a: Pair, b: Pair) -> Bool { (a.first, a.second) < (b.first, b.second) }
  }

  public init(_ snapshot: TelemetryAggregator.Snapshot) {
    var own: [String: Sums] = [:]
    var called: [String: Sums] = [:]
    var edges: [Pair: Sums] = [:]
    var routes: [Pair: Sums] = [:]
    for figures in snapshot.edges {
      let (edge, counts) = (figures.edge, figures.lastMinute)
      if edge.destination.isEmpty {
        routes[Pair(first: edge.source, second: edge.route), default: Sums()].add(edge.code, counts)
      } else if edge.source.isEmpty {
        own[edge.destination, default: Sums()].add(edge.code, counts)
      } else {
        called[edge.destination, default: Sums()].add(edge.code, counts)
        edges[Pair(first: edge.source, second: edge.destination), default: Sums()].add(edge.code, counts)
      }
    }
    filters = FilterTraffic.all(snapshot)
    let seconds = snapshot.seconds
    for name in Set(own.keys).union(called.keys).sorted() {
      let isOwn = own[name].map { !$0.isEmpty } ?? false
      guard let sums = isOwn ? own[name] : called[name], !sums.isEmpty else { continue }
      services.append(Service(service: name, isReportedByItself: isOwn, figures: sums.figures(seconds)))
    }
    self.edges = edges.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map {
      Edge(source: $0.key.first, destination: $0.key.second, figures: $0.value.figures(seconds))
    }
    self.routes = routes.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map {
      Route(proxy: $0.key.first, route: $0.key.second, figures: $0.value.figures(seconds))
    }
  }

  /// Milliseconds; linear within the bucket.
  static func quantile(_ share: Double, of latency: [UInt64]) -> Double? {
    let total = latency.reduce(0) { $0 + Double($1) }
    guard total > 0 else { return nil }
    let rank = share * total
    var before = 0.0
    for (index, count) in latency.enumerated() where count > 0 {
      let (low, high) = (index == 0 ? 0 : bound(index - 1), bound(index))
      // What lies beyond the last bound is at least that.
      if index == latency.count - 1 { return low }
      if before + Double(count) >= rank { return low + (high - low) * (rank - before) / Double(count) }
      before += Double(count)
    }
    return nil
  }

  /// The upper bound of a bucket, in milliseconds.
  static func bound(_ index: Int) -> Double { 0.1 * Double(UInt64(1) << UInt64(min(index, 40))) }
}
