import CLuaHost
import WeftIO
import WeftTelemetry

/// The metrics that a bundle makes with `weft.metrics`: families `weft_lua_user_...`, whose first label is the bundle.
package final class LuaUserMetrics {
  /// How the names of all of them begin.
  package static let prefix = "weft_lua_user_"
  /// Series of a family: those of all bundles that use the name.
  private static let seriesLimit = 2000

  private enum Family {
    case counter(CounterFamily)
    case gauge(GaugeFamily)
    case histogram(HistogramFamily)
  }

  private enum Series {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
  }

  private struct Mistake: Error, CustomStringConvertible { let description: String }

  private let bundle: String
  private let registry: MetricsRegistry
  /// nil: nothing is counted.
  private let shard: MetricsShard?
  private let lease: MetricsLease
  private var families: [(family: Family, scale: Double)] = []
  private var series: [Series] = []

  init(bundle: String, registry: MetricsRegistry, shard: MetricsShard?) {
    self.bundle = bundle
    self.registry = registry
    self.shard = shard
    lease = registry.makeLease()
  }

  /// Registers a family.
  /// - Returns: its number.
  func make(_ metric: wl_metric) throws -> Int {
    let name = Self.prefix + metric.name.bytes.string
    let labels = (0..<metric.label_count).map { metric.labels[$0].bytes.string }
    let given = (0..<metric.bucket_count).map { metric.buckets[$0] }
    let help = metric.help.base == nil ? "Of a Lua bundle's own." : metric.help.bytes.string
    let words = name.split(separator: "_").map(String.init)
    let unitWord = metric.kind == WL_COUNTER ? words.dropLast().last : words.last
    let unit: MetricUnit = unitWord == "seconds" ? .nanoseconds : unitWord == "bytes" ? .bytes : .count
    let scale = unit == .nanoseconds ? 1e9 : 1
    let family: Family
    do {
      family = try register(metric.kind, name, help, unit, ["bundle"] + labels, given.map { UInt64($0 * scale) })
    } catch let error as MetricError {
      // The text alone may differ between versions and bundles.
      guard let known = registry.families.first(where: { $0.name == name }), known.help != help,
        let again = try? register(
          metric.kind, name, known.help, unit, ["bundle"] + labels, given.map { UInt64($0 * scale) })
      else { throw error }
      family = again
    }
    families.append((family, scale))
    return families.count - 1
  }

  private func register(
    _ kind: Int32, _ name: String, _ help: String, _ unit: MetricUnit, _ labels: [String], _ given: [UInt64]
  ) throws -> Family {
    switch Int(kind) {
    case WL_COUNTER:
      return .counter(
        try registry.counter(name, help: help, unit: unit, labels: labels, maxSeries: Self.seriesLimit))
    case WL_GAUGE:
      return .gauge(try registry.gauge(name, help: help, unit: unit, labels: labels, maxSeries: Self.seriesLimit))
    default:
      var buckets = given
      if buckets.isEmpty {
        switch unit {
        case .nanoseconds: buckets = HistogramBuckets.durations
        case .bytes: buckets = HistogramBuckets.sizes
        case .count:
          throw Mistake(description: "metric \(name): give its 'buckets': its unit is neither seconds nor bytes")
        }
      }
      return .histogram(
        try registry.histogram(
          name, help: help, unit: unit, buckets: buckets, labels: labels, maxSeries: Self.seriesLimit))
    }
  }

  /// The series with these values of labels: its number plus one; 0 where nothing is counted.
  func series(_ number: Int, _ values: [String]) -> Int {
    guard let shard, families.indices.contains(number) else { return 0 }
    let labels = [bundle] + values
    switch families[number].family {
    case .counter(let family): series.append(.counter(shard.counter(family, labels, lease: lease)))
    case .gauge(let family): series.append(.gauge(shard.gauge(family, labels, lease: lease)))
    case .histogram(let family): series.append(.histogram(shard.histogram(family, labels, lease: lease)))
    }
    return series.count
  }

  func change(_ number: Int, _ place: Int, _ operation: Int32, _ amount: Double) {
    guard families.indices.contains(number), series.indices.contains(place - 1) else { return }
    let scaled = (amount * families[number].scale).rounded()
    // Within the bounds that the host keeps, this fits.
    guard let value = Int(exactly: scaled) else { return }
    switch series[place - 1] {
    case .counter(let counter): counter.add(UInt64(clamping: value))
    case .gauge(let gauge): if operation == WL_ASSIGN { gauge.set(value) } else { gauge.add(value) }
    case .histogram(let histogram): histogram.observe(UInt64(clamping: value))
    }
  }
}

/// What `metrics.c` asks.
extension LuaLibrary {
  static func makeMetric(
    _ context: UnsafeMutableRawPointer?, _ metric: UnsafePointer<wl_metric>?, _ error: UnsafeMutablePointer<wl_text>?
  ) -> Int32 {
    guard let environment = LuaEnvironment.of(context), let metric, let error else { return -1 }
    // Without surroundings there is nothing to count in, and nothing to be wrong.
    guard let metrics = environment.userMetrics else { return 0 }
    do {
      return Int32(try metrics.make(metric.pointee))
    } catch let failure {
      error.pointee = environment.lend("\(failure)")
      return -1
    }
  }

  static func metricSeries(
    _ context: UnsafeMutableRawPointer?, _ number: Int32, _ values: UnsafePointer<wl_text>?, _ count: Int
  ) -> UnsafeMutableRawPointer? {
    guard let metrics = LuaEnvironment.of(context)?.userMetrics, let values else { return nil }
    let texts = (0..<count).map { values[$0].bytes.string }
    return UnsafeMutableRawPointer(bitPattern: metrics.series(Int(number), texts))
  }

  static func changeMetric(
    _ context: UnsafeMutableRawPointer?, _ number: Int32, _ series: UnsafeMutableRawPointer?, _ operation: Int32,
    _ amount: Double
  ) {
    LuaEnvironment.of(context)?.userMetrics?.change(Int(number), Int(bitPattern: series), operation, amount)
  }
}
