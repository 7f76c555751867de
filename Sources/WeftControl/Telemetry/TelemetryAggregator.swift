import Synchronization
import WeftProtocol

/// Sums up what proxies report: totals since the start, and the last minute. Bounded: beyond so many edges or filters, the
/// rest is counted under the name "other".
public final class TelemetryAggregator: Sendable {
  public enum Limits {
    public static let edges = 20_000
    public static let filters = 2_000
    /// Buckets of a latency histogram: bucket i holds what took less than 0.1 ms × 2^i, the last one the rest.
    public static let buckets = 24
    static let nameBytes = 600
    static let samples = 10
    static let sampleBytes = 1_000
  }

  /// Who called whom and how it ended; as `EdgeCounts` of the protocol says.
  public struct Edge: Sendable, Hashable, Codable {
    public var source: String
    public var destination: String
    public var route: String
    public var code: UInt32
  }

  /// A filter, and which version of its bundle.
  public struct Filter: Sendable, Hashable, Codable {
    public var filter: String
    public var bundle: String
    public var digest: String
    /// `stable`, `candidate` or `shadow`; empty for filters without bundle, and for calls of scripts.
    public var variant: String
  }

  public struct Counts: Sendable, Hashable, Codable {
    public var requests: UInt64 = 0
    /// Empty, or one count for each bucket.
    public var latency: [UInt64] = []

    public init() {}

    fileprivate var padded: Counts {
      var all = self
      all.latency.pad()
      return all
    }

    mutating func add(_ other: Counts) {
      merge(other)
      latency.pad()
    }

    /// Without buckets behind the last one that is not zero, to be kept.
    fileprivate mutating func merge(_ other: Counts) {
      requests &+= other.requests
      latency.add(other.latency)
    }
  }

  public struct FilterCounts: Sendable, Hashable, Codable {
    public var calls: UInt64 = 0
    public var errors: UInt64 = 0
    public var denied: UInt64 = 0
    /// Exchanges that passed it and ended with a 5xx.
    public var failures: UInt64 = 0
    public var same: UInt64 = 0
    public var different: UInt64 = 0
    public var scriptCalls: UInt64 = 0
    /// Of these, how many were timed, and how long they took together: processor time.
    public var timedCalls: UInt64 = 0
    public var timedNanoseconds: UInt64 = 0
    /// Empty, or one count for each bucket.
    public var latency: [UInt64] = []

    public init() {}

    fileprivate var padded: FilterCounts {
      var all = self
      all.latency.pad()
      return all
    }

    mutating func add(_ other: FilterCounts) {
      merge(other)
      latency.pad()
    }

    /// Without buckets behind the last one that is not zero, to be kept.
    fileprivate mutating func merge(_ other: FilterCounts) {
      calls &+= other.calls
      errors &+= other.errors
      denied &+= other.denied
      failures &+= other.failures
      same &+= other.same
      different &+= other.different
      scriptCalls &+= other.scriptCalls
      timedCalls &+= other.timedCalls
      timedNanoseconds &+= other.timedNanoseconds
      latency.add(other.latency)
    }
  }

  /// What is known of all at one moment.
  public struct Snapshot: Sendable {
    public struct EdgeFigures: Sendable, Codable {
      public var edge: Edge
      public var total: Counts
      public var lastMinute: Counts
    }

    public struct FilterFigures: Sendable, Codable {
      public var filter: Filter
      public var total: FilterCounts
      public var lastMinute: FilterCounts
      /// Differences in shadow mode, the latest ones, each a line.
      public var samples: [String]
    }

    public var edges: [EdgeFigures]
    public var filters: [FilterFigures]
    public var reports: UInt64
    /// What "the last minute" is: less than a minute shortly after the start.
    public var seconds: Double
  }

  private struct State {
    var edges: [Edge: Window<Counts>] = [:]
    var filters: [Filter: Window<FilterCounts>] = [:]
    var samples: [Filter: [String]] = [:]
    var reports: UInt64 = 0
  }

  private let state = Mutex(State())
  private let clock: @Sendable () -> Double
  private let begin: Double

  /// - Parameter clock: seconds that only grow.
  init(clock: @escaping @Sendable () -> Double = { TelemetryAggregator.seconds }) {
    self.clock = clock
    begin = clock()
  }

  private static let start = ContinuousClock.now
  private static var seconds: Double {
    let passed = start.duration(to: .now).components
    return Double(passed.seconds) + Double(passed.attoseconds) / 1e18
  }

  /// Adds a report of a proxy. What it says is taken as it is: any member of the mesh can distort these figures.
  func add(_ report: Weft_Discovery_V1_TelemetryReport) {
    let now = clock()
    state.withLock { state in
      state.reports &+= 1
      for counts in report.edges.prefix(2_001) {
        var edge = Edge(
          source: counts.source, destination: counts.destination, route: counts.route, code: counts.code)
        if [edge.source, edge.destination, edge.route].contains(where: { $0.utf8.count > Limits.nameBytes }) {
          continue
        }
        if state.edges[edge] == nil, state.edges.count >= Limits.edges {
          edge = Edge(source: "other", destination: "other", route: "", code: counts.code / 100 * 100)
        }
        var sum = Counts()
        sum.requests = counts.requests
        sum.latency.add(counts.latency)
        state.edges[edge, default: Window(zero: Counts())].add(now) { $0.merge(sum) }
      }
      for counts in report.filters.prefix(501) { Self.add(counts, now, &state) }
    }
  }

  private static func add(_ counts: Weft_Discovery_V1_FilterCounts, _ now: Double, _ state: inout State) {
    var filter = Filter(filter: counts.filter, bundle: counts.bundle, digest: counts.digest, variant: counts.variant)
    if [filter.filter, filter.bundle, filter.digest, filter.variant].contains(where: {
      $0.utf8.count > Limits.nameBytes
    }) {
      return
    }
    if state.filters[filter] == nil, state.filters.count >= Limits.filters {
      filter = Filter(filter: "other", bundle: "", digest: "", variant: "")
    }
    var sum = FilterCounts()
    sum.calls = counts.calls
    sum.errors = counts.errors
    sum.denied = counts.denied
    sum.failures = counts.failures
    sum.same = counts.same
    sum.different = counts.different
    sum.scriptCalls = counts.scriptCalls
    sum.timedCalls = counts.timedCalls
    sum.timedNanoseconds = counts.timedNanoseconds
    sum.latency.add(counts.latency)
    state.filters[filter, default: Window(zero: FilterCounts())].add(now) { $0.merge(sum) }
    guard !counts.samples.isEmpty else { return }
    let new = counts.samples.prefix(Limits.samples).map { String($0.prefix(Limits.sampleBytes)) }
    state.samples[filter] = ((state.samples[filter] ?? []) + new).suffix(Limits.samples)
  }

  /// What versions of bundles did since the start, of those with these digests.
  func versions(_ digests: Set<String>) -> [(filter: Filter, total: FilterCounts, samples: [String])] {
    state.withLock { state in
      state.filters.compactMap { filter, window in
        digests.contains(filter.digest) ? (filter, window.total.padded, state.samples[filter] ?? []) : nil
      }
    }
  }

  /// A copy of everything, in the order of names.
  public func snapshot() -> Snapshot {
    let now = clock()
    return state.withLock { state in
      Snapshot(
        edges: state.edges.map { edge, window in
          Snapshot.EdgeFigures(
            edge: edge, total: window.total.padded, lastMinute: window.recent(now) { $0.add($1) })
        }.sorted {
          ($0.edge.source, $0.edge.destination, $0.edge.route, $0.edge.code)
            < ($1.edge.source, $1.edge.destination, $1.edge.route, $1.edge.code)
        },
        filters: state.filters.map { filter, window in
          Snapshot.FilterFigures(
            filter: filter, total: window.total.padded, lastMinute: window.recent(now) { $0.add($1) },
            samples: state.samples[filter] ?? [])
        }.sorted {
          ($0.filter.filter, $0.filter.digest, $0.filter.variant) < (
            $1.filter.filter, $1.filter.digest, $1.filter.variant
          )
        }, reports: state.reports,
        seconds: Window<Counts>.span(now, since: begin))
    }
  }
}

extension [UInt64] {
  /// Bucket by bucket; what lies beyond the last one is counted in it. Only as long as its last count that is not zero:
  /// there are many of these, and most latencies lie in the lower half.
  fileprivate mutating func add(_ other: [UInt64]) {
    guard let last = other.prefix(64).lastIndex(where: { $0 != 0 }) else { return }
    let needed = Swift.min(last + 1, TelemetryAggregator.Limits.buckets)
    if count < needed { self = self + [UInt64](repeating: 0, count: needed - count) }
    for index in 0...last { self[Swift.min(index, count - 1)] &+= other[index] }
  }

  /// To its full length, unless there is nothing.
  fileprivate mutating func pad() {
    guard !isEmpty, count < TelemetryAggregator.Limits.buckets else { return }
    self += [UInt64](repeating: 0, count: TelemetryAggregator.Limits.buckets - count)
  }
}
