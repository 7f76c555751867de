import CLuaHost
import WeftFilter
import WeftIO
import WeftTelemetry

/// The families of the metrics that scripts make with `stats()`, each by bundle and name.
struct LuaStatFamilies: Sendable {
  let counters: CounterFamily
  let gauges: GaugeFamily
  let histograms: HistogramFamily

  init(_ registry: MetricsRegistry) throws {
    counters = try registry.counter(
      "weft_lua_script_events_total", help: "Counters of scripts, made with stats().", labels: ["bundle", "name"])
    gauges = try registry.gauge(
      "weft_lua_script_level", help: "Gauges of scripts, made with stats(), summed over the workers.",
      labels: ["bundle", "name"])
    histograms = try registry.histogram(
      "weft_lua_script_values", help: "Histograms of scripts, made with stats().", unit: .count,
      buckets: Self.buckets, labels: ["bundle", "name"])
  }

  /// 1, 2, 5, 10 ... 10^9: what is recorded may be of any unit.
  private static let buckets: [UInt64] = (0...9).flatMap { exponent in
    let ten = (0..<exponent).reduce(UInt64(1)) { product, _ in product * 10 }
    return exponent == 9 ? [ten] : [ten, 2 * ten, 5 * ten]
  }
}

/// The metrics that one state's scripts have made on its worker.
struct LuaStats {
  private var indices: [String: Int32] = [:]
  private var counters: [Counter] = []
  private var gauges: [Gauge] = []
  private var histograms: [Histogram] = []

  /// Metrics that a state may have.
  static let limit = 256
  private static let nameLimit = 128

  /// The metric's number; -1 when there are too many or the name is too long.
  mutating func open(
    _ kind: Int32, _ name: Bytes, bundle: String, _ families: LuaStatFamilies, _ shard: MetricsShard
  ) -> Int32 {
    let key = "\(kind) \(name.string)"
    if let known = indices[key] { return known }
    guard indices.count < Self.limit, name.count <= Self.nameLimit else { return -1 }
    let labels = [bundle, name.string]
    let index: Int
    switch Int(kind) {
    case WL_STAT_COUNTER:
      index = counters.count
      counters.append(shard.counter(families.counters, labels))
    case WL_STAT_GAUGE:
      index = gauges.count
      gauges.append(shard.gauge(families.gauges, labels))
    default:
      index = histograms.count
      histograms.append(shard.histogram(families.histograms, labels))
    }
    indices[key] = Int32(index)
    return Int32(index)
  }

  func change(_ kind: Int32, _ index: Int, _ amount: Int64, sets: Bool) {
    switch Int(kind) {
    case WL_STAT_COUNTER:
      if counters.indices.contains(index) { counters[index].add(UInt64(max(amount, 0))) }
    case WL_STAT_GAUGE:
      if !gauges.indices.contains(index) { return }
      if sets { gauges[index].set(Int(amount)) } else { gauges[index].add(Int(amount)) }
    default:
      if histograms.indices.contains(index) { histograms[index].observe(UInt64(max(amount, 0))) }
    }
  }

  func value(_ kind: Int32, _ index: Int) -> Int64 {
    switch Int(kind) {
    case WL_STAT_COUNTER: counters.indices.contains(index) ? Int64(clamping: counters[index].value) : 0
    case WL_STAT_GAUGE: gauges.indices.contains(index) ? Int64(gauges[index].value) : 0
    default: 0
    }
  }
}

extension LuaAccessors {
  static func openStat(_ filter: UnsafeMutableRawPointer?, _ kind: Int32, _ name: wl_text) -> Int32 {
    guard let filter = owner(filter) else { return -1 }
    return filter.state.stats.open(
      kind, name.bytes, bundle: filter.type.program.name, filter.type.metrics.stats, filter.shard)
  }

  static func changeStat(
    _ filter: UnsafeMutableRawPointer?, _ kind: Int32, _ index: Int32, _ amount: Int64, _ sets: Int32
  ) {
    owner(filter)?.state.stats.change(kind, Int(index), amount, sets: sets != 0)
  }

  static func statValue(_ filter: UnsafeMutableRawPointer?, _ kind: Int32, _ index: Int32) -> Int64 {
    owner(filter)?.state.stats.value(kind, Int(index)) ?? 0
  }
}
