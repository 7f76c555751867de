import Synchronization
import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftRegex
import WeftTelemetry

/// `fault`: delays or aborts a share of the requests, to see how clients bear it.
public struct Fault: FilterType {
  public static let name = "fault"

  /// A share of requests, in millionths.
  struct Share: Sendable {
    let millionths: UInt32

    init(_ reader: ObjectReader) {
      millionths = UInt32((reader.double("percentage", in: 0...100, default: 100) * 10_000).rounded())
    }

    func isHit(_ random: inout WorkerRandom) -> Bool {
      millionths >= 1_000_000 || (millionths > 0 && random.chance(millionths, of: 1_000_000))
    }
  }

  struct HeaderMatch: Sendable {
    let name: HeaderName
    /// Nil: the value is compared by `pattern`.
    let value: OwnedBytes?
    let pattern: Pattern?
  }

  private enum MatchType: String, CaseIterable {
    case exact = "Exact"
    case regularExpression = "RegularExpression"
  }

  /// Delays under way on all workers.
  final class Active: Sendable {
    private let count = Atomic<Int>(0)
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Takes a place; false when there is none.
    func enter() -> Bool {
      if limit == 0 { return true }
      if count.add(1, ordering: .relaxed).newValue <= limit { return true }
      count.subtract(1, ordering: .relaxed)
      return false
    }

    func leave() {
      if limit != 0 { count.subtract(1, ordering: .relaxed) }
    }
  }

  let delay: (milliseconds: UInt32, share: Share)?
  let abort: (status: Int, share: Share)?
  let headers: [HeaderMatch]
  let active: Active
  let series: FilterSeries

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    if !reader.has("delay") && !reader.has("abort") {
      reader.error(nil, "injects nothing; give \"delay\", \"abort\" or both")
    }
    delay = reader.optionalObject("delay") { delay in
      let time = delay.duration("fixedDelay", in: .milliseconds(1)...(.seconds(3600)))
      return (UInt32(clamping: time.milliseconds), Share(delay))
    }
    abort = reader.optionalObject("abort") { abort in
      (abort.int("httpStatus", in: 200...599), Share(abort))
    }
    headers = reader.objects("headers", count: 0...16) { try Fault.match($0) }.compactMap(\.self)
    active = Active(limit: reader.int("maxActiveFaults", in: 0...1_000_000, default: 0))
    series = try FilterSeries(
      context, "weft_filter_faults_total", help: "Injected faults: delay, abort.", label: "kind")
  }

  private static func match(_ reader: ObjectReader) throws -> HeaderMatch? {
    let type: MatchType = reader.enumeration("type", default: .exact)
    let name = reader.string("name", .headerName)
    let value = reader.string("value", .length(1...4096))
    guard let name = HeaderName(name), !value.isEmpty else { return nil }
    if type == .exact { return HeaderMatch(name: name, value: OwnedBytes(value), pattern: nil) }
    do {
      return HeaderMatch(name: name, value: nil, pattern: try Pattern(value))
    } catch {
      reader.error("value", error.description)
      return nil
    }
  }

  public func makeFilter(_ worker: WorkerContext) throws -> HTTPFilter {
    FaultFilter(self, worker, scratch: try PatternScratch())
  }
}

final class FaultFilter: HTTPFilter {
  private let fault: Fault
  private let worker: WorkerContext
  private let scratch: PatternScratch
  private let delays: Counter
  private let aborts: Counter

  init(_ fault: Fault, _ worker: WorkerContext, scratch: consuming PatternScratch) {
    self.fault = fault
    self.worker = worker
    self.scratch = scratch
    delays = fault.series.counter(worker, "delay")
    aborts = fault.series.counter(worker, "abort")
  }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    if !matches(exchange) { return .next }
    if let delay = fault.delay, delay.share.isHit(&worker.random), fault.active.enter() {
      delays.add()
      exchange.addFlags(.delayInjected)
      exchange.filterNumber = 1
      worker.resume(exchange.reference, afterMilliseconds: delay.milliseconds)
      return .suspend
    }
    return abortIfDrawn(exchange)
  }

  override func onResume(_ exchange: Exchange) -> FilterVerdict {
    leave(exchange)
    return abortIfDrawn(exchange)
  }

  override func onEnd(_ exchange: Exchange) { leave(exchange) }

  private func leave(_ exchange: Exchange) {
    if exchange.filterNumber == 0 { return }
    exchange.filterNumber = 0
    fault.active.leave()
  }

  private func abortIfDrawn(_ exchange: Exchange) -> FilterVerdict {
    guard let abort = fault.abort, abort.share.isHit(&worker.random) else { return .next }
    aborts.add()
    exchange.addFlags(.faultInjected)
    exchange.respond(abort.status, body: Bytes("fault injected\n"), details: "fault_injected")
    return .respond
  }

  /// Whether every header that is asked for is there. A pattern that takes too long does not match.
  private func matches(_ exchange: Exchange) -> Bool {
    for match in fault.headers {
      guard let found = exchange.request.headers.value(match.name) else { return false }
      if let value = match.value {
        if !(value.bytes == found) { return false }
      } else if let pattern = match.pattern {
        guard let isMatch = try? pattern.matches(found, scratch: scratch), isMatch else { return false }
      }
    }
    return true
  }
}
