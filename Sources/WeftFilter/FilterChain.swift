import WeftHTTP
import WeftIO

/// The filters of one route rule and backend on one worker, in order.
///
/// Filters are called through a fixed row of unowned references and a bit mask per phase, so that a phase walks only
/// the filters that take part in it, and no reference count moves.
public final class FilterChain {
  private let filters: UnsafeMutablePointer<Unmanaged<HTTPFilter>>
  public let count: Int
  /// What each filter is called in configuration, for logs and metrics.
  public let names: [String]

  @usableFromInline let requestMask: UInt64
  @usableFromInline let responseMask: UInt64
  private let requestTrailersMask: UInt64
  private let responseTrailersMask: UInt64
  @usableFromInline let logMask: UInt64
  package let requestBodyMask: UInt64
  package let responseBodyMask: UInt64

  /// Filters that one chain may have.
  public static let limit = ExchangeState.chainLimit

  /// - Parameter filters: at most `limit`; what is beyond is left out (validation has refused it before).
  public init(_ filters: [(name: String, filter: HTTPFilter)]) {
    let taken = filters.prefix(Self.limit)
    count = taken.count
    names = taken.map(\.name)
    self.filters = .allocate(capacity: max(taken.count, 1))
    for (i, entry) in taken.enumerated() { (self.filters + i).initialize(to: Unmanaged.passRetained(entry.filter)) }
    func mask(_ phase: FilterPhases) -> UInt64 {
      var m: UInt64 = 0
      for (i, entry) in taken.enumerated() where entry.filter.phases.contains(phase) { m |= 1 << UInt64(i) }
      return m
    }
    requestMask = mask(.request)
    responseMask = mask(.response)
    requestTrailersMask = mask(.requestTrailers)
    responseTrailersMask = mask(.responseTrailers)
    logMask = mask(.log)
    requestBodyMask = mask(.requestBody)
    responseBodyMask = mask(.responseBody)
  }

  deinit {
    for i in 0..<count { filters[i].release() }
    filters.deallocate()
  }

  @usableFromInline package typealias State = UnsafeMutablePointer<ExchangeState>

  /// Whether trailers must be looked at, so that the body cannot be passed on as it stands.
  package var watchesRequestTrailers: Bool { requestTrailersMask != 0 }
  package var watchesResponseTrailers: Bool { responseTrailersMask != 0 }

  // MARK: Request side, in order

  /// Runs `onRequest` of the filters from `first` on. Stops at the first verdict but `.next`, with
  /// `filterIndex` at that filter.
  @inlinable @inline(__always)
  package func request(_ x: State, from first: Int) -> FilterVerdict {
    requestMask == 0 ? .next : runRequest(x, from: first)
  }

  @usableFromInline
  func runRequest(_ x: State, from first: Int) -> FilterVerdict {
    var mask = requestMask & (~0 &<< UInt64(first))
    if first >= 64 { return .next }
    while mask != 0 {
      let i = mask.trailingZeroBitCount
      mask &= mask &- 1
      x.pointee.filterIndex = i
      x.pointee.filtersRun |= 1 &<< UInt64(i)
      let verdict = filters[i]._withUnsafeGuaranteedRef { $0.onRequest(Exchange(x)) }
      if verdict != .next { return stop(verdict, i, x) }
    }
    return .next
  }

  package func requestBody(_ x: State, from first: Int, below end: Int, _ chunk: inout BodyChunk) -> FilterVerdict {
    if first >= 64 { return .next }
    var mask = x.pointee.requestBodyFilters & (~0 &<< UInt64(first))
    while mask != 0 {
      let i = mask.trailingZeroBitCount
      if i >= end { return .next }
      mask &= mask &- 1
      x.pointee.filterIndex = i
      let verdict = filters[i]._withUnsafeGuaranteedRef { $0.onRequestBody(Exchange(x), &chunk) }
      if verdict != .next { return stop(verdict, i, x) }
    }
    return .next
  }

  package func requestTrailers(_ x: State, from first: Int) -> FilterVerdict {
    if first >= 64 { return .next }
    var mask = requestTrailersMask & (~0 &<< UInt64(first))
    while mask != 0 {
      let i = mask.trailingZeroBitCount
      mask &= mask &- 1
      x.pointee.filterIndex = i
      let verdict = filters[i]._withUnsafeGuaranteedRef { $0.onRequestTrailers(Exchange(x)) }
      if verdict != .next { return stop(verdict, i, x) }
    }
    return .next
  }

  // MARK: Response side, in reverse

  /// Runs `onResponse` of the filters from `last` down to the first one.
  @inlinable @inline(__always)
  package func response(_ x: State, from last: Int) -> FilterVerdict {
    responseMask == 0 ? .next : runResponse(x, from: last)
  }

  @usableFromInline
  func runResponse(_ x: State, from last: Int) -> FilterVerdict {
    if last < 0 { return .next }
    var mask = responseMask & (~0 &>> UInt64(63 &- min(last, 63)))
    while mask != 0 {
      let i = 63 &- mask.leadingZeroBitCount
      mask &= ~(1 &<< UInt64(i))
      x.pointee.filterIndex = i
      x.pointee.filtersRun |= 1 &<< UInt64(i)
      let verdict = filters[i]._withUnsafeGuaranteedRef { $0.onResponse(Exchange(x)) }
      if verdict != .next { return stop(verdict, i, x) }
    }
    return .next
  }

  /// Runs `onResponseBody` of the interested filters from `last` down to `end`.
  package func responseBody(_ x: State, from last: Int, downTo end: Int, _ chunk: inout BodyChunk) -> FilterVerdict {
    if last < 0 { return .next }
    var mask = x.pointee.responseBodyFilters & (~0 &>> UInt64(63 &- min(last, 63)))
    while mask != 0 {
      let i = 63 &- mask.leadingZeroBitCount
      if i < end { return .next }
      mask &= ~(1 &<< UInt64(i))
      x.pointee.filterIndex = i
      let verdict = filters[i]._withUnsafeGuaranteedRef { $0.onResponseBody(Exchange(x), &chunk) }
      if verdict != .next { return stop(verdict, i, x) }
    }
    return .next
  }

  package func responseTrailers(_ x: State, from last: Int) -> FilterVerdict {
    if last < 0 { return .next }
    var mask = responseTrailersMask & (~0 &>> UInt64(63 &- min(last, 63)))
    while mask != 0 {
      let i = 63 &- mask.leadingZeroBitCount
      mask &= ~(1 &<< UInt64(i))
      x.pointee.filterIndex = i
      let verdict = filters[i]._withUnsafeGuaranteedRef { $0.onResponseTrailers(Exchange(x)) }
      if verdict != .next { return stop(verdict, i, x) }
    }
    return .next
  }

  // MARK: Any time

  /// Asks the suspended filter to go on.
  package func resume(_ x: State) -> FilterVerdict {
    let i = x.pointee.filterIndex
    return stop(filters[i]._withUnsafeGuaranteedRef { $0.onResume(Exchange(x)) }, i, x)
  }

  /// Counts a filter's own response.
  @inline(__always)
  private func stop(_ verdict: FilterVerdict, _ i: Int, _ x: State) -> FilterVerdict {
    if verdict == .respond {
      filters[i]._withUnsafeGuaranteedRef { $0.counters?.countResponse(x.pointee.localStatus) }
    }
    return verdict
  }

  @inlinable @inline(__always)
  package func log(_ x: State) {
    if logMask != 0 { runLog(x) }
  }

  @usableFromInline
  func runLog(_ x: State) {
    var mask = logMask
    while mask != 0 {
      let i = mask.trailingZeroBitCount
      mask &= mask &- 1
      x.pointee.filterIndex = i
      filters[i]._withUnsafeGuaranteedRef { $0.onLog(Exchange(x)) }
    }
  }

  /// Lets every filter that holds state for the exchange give it back.
  package func end(_ x: State) {
    var mask = x.pointee.statesHeld
    while mask != 0 {
      let i = mask.trailingZeroBitCount
      mask &= mask &- 1
      x.pointee.filterIndex = i
      if i < count { filters[i]._withUnsafeGuaranteedRef { $0.onEnd(Exchange(x)) } }
      x.pointee.states[i] = nil
    }
    x.pointee.statesHeld = 0
  }
}
