import CLuaHost
import WeftFilter
import WeftHTTP
import WeftIO

/// Runs a bundle as ever, and beside it another version of it on copies of a share of the exchanges, to see what that one
/// would do.
///
/// Compared are, after each call, the head that the script could change and whether it has answered, with which status. A
/// call of either version that waits is not compared.
final class LuaShadowFilter: HTTPFilter {
  private let stable: LuaFilter
  private let stablePhases: FilterPhases
  private let series: LuaVariantCounters
  private let shadow: LuaShadow
  private let shadowPhases: FilterPhases
  private let share: LuaShare
  private let comparisons: LuaComparisons
  /// A line for people is written once a second at most.
  private var nextSample: UInt64 = 0

  init(
    _ stable: LuaFilter, _ series: LuaVariantCounters, _ shadow: LuaShadow, percent: Int, _ comparisons: LuaComparisons
  ) {
    self.stable = stable
    stablePhases = stable.phases
    self.series = series
    self.shadow = shadow
    shadowPhases = shadow.filter.phases
    share = LuaShare(percent: percent)
    self.comparisons = comparisons
  }

  override var phases: FilterPhases {
    stablePhases.union(shadowPhases.intersection([.request, .response])).union(.log)
  }

  override func onStart() {
    stable.uses = 1
    stable.onStart()
  }

  override func onStop() {
    stable.uses = 0
    stable.onStop()
  }

  override func onRequest(_ x: Exchange) -> FilterVerdict {
    let isCompared = share.takes(x)
    if isCompared { shadow.take(x) }
    let verdict = stablePhases.contains(.request) ? stable.onRequest(x) : .next
    if isCompared { compare(.request, x, verdict) }
    return verdict
  }

  override func onResponse(_ x: Exchange) -> FilterVerdict {
    let isCompared = share.takes(x)
    if isCompared { shadow.take(x) }
    let verdict = stablePhases.contains(.response) ? stable.onResponse(x) : .next
    if isCompared { compare(.response, x, verdict) }
    return verdict
  }

  override func onRequestBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    stable.onRequestBody(x, &chunk)
  }

  override func onResponseBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    stable.onResponseBody(x, &chunk)
  }

  override func onResume(_ x: Exchange) -> FilterVerdict { stable.onResume(x) }
  override func onEnd(_ x: Exchange) { stable.onEnd(x) }

  override func onLog(_ x: Exchange) {
    series.count(x)
    if stablePhases.contains(.log) { stable.onLog(x) }
  }

  // MARK: Comparing

  private func compare(_ phase: FilterPhases, _ x: Exchange, _ verdict: FilterVerdict) {
    // What waits, now or for the body, has not shown yet what it does.
    if verdict == .suspend || WaitingCalls.of(x) != nil { return comparisons.skipped.add() }
    var outcome = LuaShadow.Outcome.ran
    if shadowPhases.contains(phase) {
      outcome = shadow.run(Int32(phase == .request ? WL_ON_REQUEST : WL_ON_RESPONSE))
    }
    let difference: String?
    switch outcome {
    case .skipped: return comparisons.skipped.add()
    case .failed(let message): difference = "the candidate failed: \(message)"
    case .ran:
      difference = Self.difference(
        x.state, shadow.copy.state, isRequest: phase == .request, hasAnswered: verdict == .respond)
    }
    guard let difference else { return comparisons.same.add() }
    comparisons.different.add()
    guard x.now >= nextSample else { return }
    nextSample = x.now &+ 1_000_000_000
    let method = x.request.headers.text(x.request.methodText).slice(0, 20).string
    comparisons.sample("\(method) \(x.request.path.slice(0, 100).string): \(difference)")
  }

  /// The first thing that is different, for people; nil when nothing is.
  private static func difference(
    _ a: UnsafeMutablePointer<ExchangeState>, _ b: UnsafeMutablePointer<ExchangeState>, isRequest: Bool,
    hasAnswered: Bool
  ) -> String? {
    if a.pointee.localStatus != b.pointee.localStatus {
      func said(_ status: Int) -> String { status == 0 ? "did not answer" : "answered \(status)" }
      return "the present version \(said(a.pointee.localStatus)), the candidate \(said(b.pointee.localStatus))"
    }
    if !isRequest || hasAnswered {
      if a.pointee.response.status != b.pointee.response.status {
        return "status \(a.pointee.response.status), the candidate's \(b.pointee.response.status)"
      }
      return fields(a.response, b.response, "response")
    }
    let (mine, other) = (
      a.pointee.request.headers.text(a.pointee.request.target), b.pointee.request.headers.text(b.pointee.request.target)
    )
    if !(mine == other) { return "path \(text(mine)), the candidate's \(text(other))" }
    return fields(a.request, b.request, "request")
  }

  /// Fields are the same when the two heads have the same values of each name, in the same order.
  private static func fields(
    _ a: UnsafeMutablePointer<MessageHead>, _ b: UnsafeMutablePointer<MessageHead>, _ what: String
  ) -> String? {
    for i in 0..<a.pointee.headers.count where !a.pointee.headers.isRemoved(i) {
      let name = a.pointee.headers.name(at: i)
      if !isSame(a, b, name) { return said(a, b, name, what) }
    }
    for i in 0..<b.pointee.headers.count where !b.pointee.headers.isRemoved(i) {
      let name = b.pointee.headers.name(at: i)
      if next(a, name, 0) == nil { return said(a, b, name, what) }
    }
    return nil
  }

  private static func isSame(
    _ a: UnsafeMutablePointer<MessageHead>, _ b: UnsafeMutablePointer<MessageHead>, _ name: Bytes
  ) -> Bool {
    var (i, j) = (next(a, name, 0), next(b, name, 0))
    while let x = i, let y = j {
      if !(a.pointee.headers.value(at: x) == b.pointee.headers.value(at: y)) { return false }
      i = next(a, name, x + 1)
      j = next(b, name, y + 1)
    }
    return i == nil && j == nil
  }

  private static func next(_ head: UnsafeMutablePointer<MessageHead>, _ name: Bytes, _ from: Int) -> Int? {
    for i in from..<max(from, head.pointee.headers.count) where !head.pointee.headers.isRemoved(i) {
      if isSameName(head.pointee.headers.name(at: i), name) { return i }
    }
    return nil
  }

  private static func isSameName(_ a: Bytes, _ b: Bytes) -> Bool {
    func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
    return a.count == b.count && (0..<a.count).allSatisfy { lower(a[$0]) == lower(b[$0]) }
  }

  private static func said(
    _ a: UnsafeMutablePointer<MessageHead>, _ b: UnsafeMutablePointer<MessageHead>, _ name: Bytes, _ what: String
  ) -> String {
    func values(_ head: UnsafeMutablePointer<MessageHead>) -> String {
      var all: [String] = []
      var i = next(head, name, 0)
      while let at = i {
        all.append("\"\(text(head.pointee.headers.value(at: at)))\"")
        i = next(head, name, at + 1)
      }
      return all.isEmpty ? "none" : all.joined(separator: ", ")
    }
    return "\(what) field \(text(name)): \(values(a)), the candidate's \(values(b))"
  }

  private static func text(_ bytes: Bytes) -> String { bytes.slice(0, 100).string }
}
