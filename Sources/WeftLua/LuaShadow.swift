import CLuaHost
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// Runs a script on a copy of an exchange, without effect on the exchange or anything else: the copy has a worker, metrics
/// and shared dictionaries of its own, and calls no service.
final class LuaShadow {
  enum Outcome: Equatable {
    /// It ran to its end; perhaps it answered.
    case ran
    case failed(String)
    /// It wanted to wait or to call a service, which a copy cannot do.
    case skipped
  }

  let filter: LuaFilter
  private let worker: WorkerContext
  private let scratch: UnsafeMutablePointer<BodyScratch>
  private let state: UnsafeMutablePointer<ExchangeState>
  private let errors: Counter

  /// Its times are told, though it counts nowhere else.
  private let lease: MetricsLease

  /// - Parameter times: where the real worker counts them.
  init(_ use: LuaFilterUse, _ real: WorkerContext, errors: Counter, times: HistogramFamily) throws {
    guard let surroundings = use.program.surroundings else { throw LuaFailure(Int32(WL_FAILED), "no surroundings") }
    self.errors = errors
    worker = WorkerContext(
      index: real.index, count: real.count, metrics: surroundings.registry.makeShard(), logger: real.logger)
    let made = LuaFilter(use, try LuaStates.state(for: use.program, on: worker), worker, pacesCalls: false)
    lease = real.metrics.registry.makeLease()
    made.timings = real.metrics.histogram(
      times, [use.filterName, use.program.name, use.program.digest], lease: lease)
    filter = made
    scratch = .allocate(capacity: 1)
    scratch.initialize(to: BodyScratch())
    state = .allocate(capacity: 1)
    state.initialize(
      to: ExchangeState(slot: 0, clock: worker.clock, worker: .passUnretained(worker), scratch: scratch))
  }

  deinit {
    state.pointee.reset()
    state.deinitialize(count: 1)
    state.deallocate()
    scratch.deinitialize(count: 1)
    scratch.deallocate()
  }

  /// The copy.
  var copy: Exchange { Exchange(state) }

  /// Copies what scripts can see of an exchange's heads.
  func take(_ x: Exchange) {
    state.pointee.reset()
    state.pointee.request.reset()
    state.pointee.response.reset()
    worker.clock.pointee = x.state.pointee.clock.pointee
    Self.copy(from: x.state.request, to: state.request)
    Self.copy(from: x.state.response, to: state.response)
    state.pointee.phase = x.phase
    state.pointee.localStatus = x.state.pointee.localStatus
    state.pointee.details = x.state.pointee.details
    state.pointee.responseFlags = x.state.pointee.responseFlags
    state.pointee.attempts = x.state.pointee.attempts
    state.pointee.matchedPrefixLength = x.state.pointee.matchedPrefixLength
    state.pointee.started = x.state.pointee.started
    state.pointee.startedWall = x.state.pointee.startedWall
    state.pointee.routeName = x.state.pointee.routeName
    state.pointee.routeMetadata = x.state.pointee.routeMetadata
    state.pointee.serviceName = x.state.pointee.serviceName
    state.pointee.listenerName = x.state.pointee.listenerName
    state.pointee.clientAddress = x.state.pointee.clientAddress
    state.pointee.peerAddress = x.state.pointee.peerAddress
    state.pointee.localAddress = x.state.pointee.localAddress
    state.pointee.upstreamAddress = x.state.pointee.upstreamAddress
    state.pointee.tls = x.state.pointee.tls
  }

  private static func copy(from: UnsafeMutablePointer<MessageHead>, to: UnsafeMutablePointer<MessageHead>) {
    for i in 0..<from.pointee.headers.count where !from.pointee.headers.isRemoved(i) {
      let field = from.pointee.headers[i]
      to.pointee.headers.add(from.pointee.headers.name(field), from.pointee.headers.value(field), known: field.known)
    }
    to.pointee.method = from.pointee.method
    to.pointee.methodText = to.pointee.headers.store(from.pointee.headers.text(from.pointee.methodText)) ?? .init()
    to.pointee.setTarget(from.pointee.headers.text(from.pointee.target))
    to.pointee.originalTarget =
      to.pointee.headers.store(from.pointee.headers.text(from.pointee.originalTarget)) ?? .init()
    to.pointee.status = from.pointee.status
    to.pointee.reason = to.pointee.headers.store(from.pointee.headers.text(from.pointee.reason)) ?? .init()
    to.pointee.version = from.pointee.version
    to.pointee.framing = from.pointee.framing
  }

  /// Runs one of the script's functions on the copy.
  func run(_ function: Int32) -> Outcome {
    var slot: UnsafeMutablePointer<wl_slot>?
    filter.hasMissedService = false
    let outcome = filter.start(function, copy, &slot)
    if outcome != WL_DONE { _ = wl_take_spent(filter.state.host) }
    switch Int(outcome) {
    case WL_DONE, WL_DONE_SLOWLY, WL_RESPONDED: return .ran
    case WL_FAILED, WL_FAILED_CPU, WL_FAILED_MEMORY:
      if filter.hasMissedService { return .skipped }
      errors.add()
      let text = filter.state.failure(outcome).description
      return .failed(String(text.prefix { $0 != "\n" }))
    default:
      if let slot { wl_cancel(slot) }
      return .skipped
    }
  }
}

/// What shadow mode counts on a worker.
struct LuaComparisons {
  let same: Counter
  let different: Counter
  let skipped: Counter
  private let place: BundleDifferences.Place

  init(_ metrics: LuaRolloutMetrics, _ shard: MetricsShard, _ use: LuaFilterUse, digest: String) {
    func counter(_ result: String) -> Counter {
      shard.counter(metrics.comparisons, [use.filterName, use.program.name, digest, result])
    }
    same = counter("same")
    different = counter("different")
    skipped = counter("skipped")
    place = BundleDifferences.Place(filter: use.filterName, digest: digest)
  }

  func sample(_ line: String) { BundleDifferences.shared.add(line, at: place) }
}
