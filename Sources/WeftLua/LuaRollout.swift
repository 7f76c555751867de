import WeftBundle
import WeftConfig
import WeftFilter

/// A bundle's move to another version, in one use of the bundle in the configuration.
struct LuaRollout: Sendable {
  private let percent: Int
  private let mode: BundleRollout.Mode
  /// nil: this proxy does not run it.
  private let candidate: LuaFilterUse?
  private let digest: String
  private let stableDigest: String
  private let metrics: LuaRolloutMetrics

  init(
    _ rollout: BundleCatalog.Rollout, _ configuration: LuaConfiguration, stable: LuaSource, _ reader: ObjectReader
  ) throws {
    percent = rollout.percent
    mode = rollout.mode
    stableDigest = stable.digest
    digest = rollout.candidate?.digest.description ?? ""
    metrics = try LuaRolloutMetrics(configuration.registry)
    candidate = try rollout.candidate.map { bundle in
      if let node = reader.rawNode("bundle") { try LuaSource.check(bundle, at: node) }
      return try configuration.use(
        of: LuaSource(candidate: bundle, of: stable), reader, isShadow: rollout.mode == .shadow)
    }
  }

  /// What of it decides how a filter behaves.
  var fingerprint: String { "\(mode) \(percent) \(candidate?.program.key ?? "")" }

  /// A filter that runs both versions.
  func makeFilter(_ stable: LuaFilter, _ worker: WorkerContext) throws -> HTTPFilter {
    let stableSeries = LuaVariantCounters(
      metrics, worker.metrics, stable.type, digest: stableDigest, variant: "stable")
    stable.failures = stableSeries.errors
    guard let candidate, percent > 0 else { return LuaCanaryFilter(stable, stableSeries, nil, percent: 0) }
    let variant = mode == .shadow ? "shadow" : "candidate"
    let series = LuaVariantCounters(metrics, worker.metrics, stable.type, digest: digest, variant: variant)
    switch mode {
    case .canary:
      let filter = LuaFilter(candidate, try LuaStates.state(for: candidate.program, on: worker), worker)
      filter.failures = series.errors
      return LuaCanaryFilter(stable, stableSeries, (filter, series), percent: percent)
    case .shadow:
      let shadow = try LuaShadow(candidate, worker, errors: series.errors, times: stable.type.metrics.durations)
      return LuaShadowFilter(
        stable, stableSeries, shadow, percent: percent,
        LuaComparisons(metrics, worker.metrics, stable.type, digest: digest))
    }
  }
}

/// Which exchanges a candidate takes: a share that is the same in each phase of an exchange, without anything kept.
struct LuaShare {
  private let bound: UInt64

  /// - Parameter percent: 0 to 100.
  init(percent: Int) {
    bound = percent >= 100 ? .max : UInt64(max(percent, 0)) &* (UInt64.max / 100)
  }

  @inline(__always)
  func takes(_ x: Exchange) -> Bool {
    // The finish of SplitMix64 spreads numbers that count up over the whole range.
    let reference = x.reference
    var hash = UInt64(truncatingIfNeeded: reference.slot) &<< 32 ^ UInt64(reference.generation)
    hash = (hash &+ 0x9e37_79b9_7f4a_7c15)
    hash = (hash ^ hash &>> 30) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ hash &>> 27) &* 0x94d0_49bb_1331_11eb
    hash ^= hash &>> 31
    return bound == .max || hash < bound
  }
}
