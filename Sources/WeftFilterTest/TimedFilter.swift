import CLuaTest
import WeftFilter
import WeftIO
import WeftLua

/// Passes everything on to a Lua filter, and adds up what its calls cost.
///
/// What a function waits for and goes on with later counts as that function's.
final class TimedFilter: HTTPFilter {
  enum Function: String, CaseIterable {
    case request = "on_request"
    case response = "on_response"
    case log = "on_log"
  }

  struct Sum {
    var exchanges = 0
    var looks = 0
    var nanoseconds: UInt64 = 0
    var instructions: UInt64 = 0
    var bytes = 0
    var allocations: UInt64 = 0
  }

  private let inner: HTTPFilter
  private(set) var sums: [Function: Sum] = [:]
  var meter: Meter?
  /// Count memory, and not time.
  var countsMemory = false

  init(_ inner: HTTPFilter) { self.inner = inner }

  /// The memory of the filter's state.
  var luaMemory: LuaMemory? { LuaMemory(of: inner) }

  func clear() { sums = [:] }

  override var phases: FilterPhases { inner.phases }

  override func onStart() { inner.onStart() }
  override func onStop() { inner.onStop() }

  private func count<R>(_ function: Function, begins: Bool, _ body: () -> R) -> R {
    var sum = sums[function] ?? Sum()
    if begins { sum.exchanges += 1 }
    let result: R
    if countsMemory {
      let memory = luaMemory
      let before = (bytes: memory?.bytes ?? 0, allocations: memory?.allocations ?? 0)
      result = body()
      sum.bytes += (memory?.bytes ?? 0) - before.bytes
      sum.allocations += (memory?.allocations ?? 0) - before.allocations
    } else if let meter {
      let before = meter.begin()
      result = body()
      let after = meter.end()
      sum.looks += 1
      sum.nanoseconds += after.nanoseconds - before.nanoseconds
      sum.instructions += after.instructions - before.instructions
    } else {
      result = body()
    }
    sums[function] = sum
    return result
  }

  private static func side(_ x: Exchange) -> Function {
    switch x.phase {
    case .request, .requestBody, .requestTrailers: .request
    case .response, .responseBody, .responseTrailers: .response
    case .ended: .log
    }
  }

  override func onRequest(_ x: Exchange) -> FilterVerdict { count(.request, begins: true) { inner.onRequest(x) } }

  override func onRequestBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    count(.request, begins: false) { inner.onRequestBody(x, &chunk) }
  }

  override func onRequestTrailers(_ x: Exchange) -> FilterVerdict {
    count(.request, begins: false) { inner.onRequestTrailers(x) }
  }

  override func onResponse(_ x: Exchange) -> FilterVerdict { count(.response, begins: true) { inner.onResponse(x) } }

  override func onResponseBody(_ x: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict {
    count(.response, begins: false) { inner.onResponseBody(x, &chunk) }
  }

  override func onResponseTrailers(_ x: Exchange) -> FilterVerdict {
    count(.response, begins: false) { inner.onResponseTrailers(x) }
  }

  override func onResume(_ x: Exchange) -> FilterVerdict {
    count(Self.side(x), begins: false) { inner.onResume(x) }
  }

  override func onLog(_ x: Exchange) { count(.log, begins: true) { inner.onLog(x) } }
  override func onEnd(_ x: Exchange) { inner.onEnd(x) }
}

/// Time and, where the system lets us, instructions of this thread.
final class Meter {
  struct Look {
    let nanoseconds: UInt64
    let instructions: UInt64
  }

  private let counter: Int32
  /// What two looks with nothing in between come to.
  private var overhead = FilterTiming.Sample(nanoseconds: 0, instructions: nil)

  init() {
    counter = wl_count_instructions()
    var times: [UInt64] = []
    var instructions: [UInt64] = []
    for _ in 0..<10_000 {
      let before = begin()
      let after = end()
      times.append(after.nanoseconds - before.nanoseconds)
      instructions.append(after.instructions - before.instructions)
    }
    overhead = FilterTiming.Sample(
      nanoseconds: Double(times.sorted()[times.count / 2]),
      instructions: counter >= 0 ? Double(instructions.sorted()[instructions.count / 2]) : nil)
  }

  deinit { if counter >= 0 { Socket.close(counter) } }

  // Reading the counter takes a system call, which stays outside of what is timed.

  @inline(never)
  func begin() -> Look {
    let count = counter >= 0 ? wl_read_counter(counter) : 0
    return Look(nanoseconds: MonotonicTime.nanoseconds(), instructions: count)
  }

  @inline(never)
  func end() -> Look {
    let time = MonotonicTime.nanoseconds()
    return Look(nanoseconds: time, instructions: counter >= 0 ? wl_read_counter(counter) : 0)
  }

  /// One exchange of a batch, what the looks cost taken off.
  func sample(_ sum: TimedFilter.Sum) -> FilterTiming.Sample {
    let exchanges = Double(sum.exchanges)
    let looks = Double(sum.looks)
    let time = (Double(sum.nanoseconds) - looks * overhead.nanoseconds) / exchanges
    let instructions = overhead.instructions.map { (Double(sum.instructions) - looks * $0) / exchanges }
    return FilterTiming.Sample(nanoseconds: max(time, 0), instructions: instructions.map { max($0, 0) })
  }
}
