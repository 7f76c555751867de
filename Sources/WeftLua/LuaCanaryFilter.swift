import WeftFilter

/// Runs one of two versions of a bundle for each exchange, and counts what comes of either.
final class LuaCanaryFilter: HTTPFilter {
  private let stable: LuaFilter
  private let stablePhases: FilterPhases
  private let stableSeries: LuaVariantCounters
  private let candidate: LuaFilter
  private let candidatePhases: FilterPhases
  private let candidateSeries: LuaVariantCounters
  private let share: LuaShare

  /// - Parameter candidate: nil: the present version has all exchanges, and is counted.
  init(
    _ stable: LuaFilter, _ series: LuaVariantCounters, _ candidate: (filter: LuaFilter, series: LuaVariantCounters)?,
    percent: Int
  ) {
    self.stable = stable
    stablePhases = stable.phases
    stableSeries = series
    self.candidate = candidate?.filter ?? stable
    candidatePhases = candidate?.filter.phases ?? stable.phases
    candidateSeries = candidate?.series ?? series
    share = LuaShare(percent: candidate == nil ? 0 : percent)
  }

  override var phases: FilterPhases { stablePhases.union(candidatePhases).union(.log) }

  @inline(__always)
  private func chosen(_ x: Exchange) -> LuaFilter { share.takes(x) ? candidate : stable }

  @inline(__always)
  private func runs(_ phase: FilterPhases, _ x: Exchange) -> Bool {
    (share.takes(x) ? candidatePhases : stablePhases).contains(phase)
  }

  private var both: [LuaFilter] { candidate === stable ? [stable] : [stable, candidate] }

  override func onStart() {
    for filter in both {
      filter.uses = 1
      filter.onStart()
    }
  }

  override func onStop() {
    for filter in both {
      filter.uses = 0
      filter.onStop()
    }
  }

  override func onRequest(_ x: Exchange) -> FilterVerdict { runs(.request, x) ? chosen(x).onRequest(x) : .next }
  override func onResponse(_ x: Exchange) -> FilterVerdict { runs(.response, x) ? chosen(x).onResponse(x) : .next }

  override func onRequestBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    chosen(x).onRequestBody(x, &chunk)
  }

  override func onResponseBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    chosen(x).onResponseBody(x, &chunk)
  }

  override func onResume(_ x: Exchange) -> FilterVerdict { chosen(x).onResume(x) }
  override func onEnd(_ x: Exchange) { chosen(x).onEnd(x) }

  override func onLog(_ x: Exchange) {
    (share.takes(x) ? candidateSeries : stableSeries).count(x)
    if runs(.log, x) { chosen(x).onLog(x) }
  }
}
