import CLuaHost
import Logging
import WeftBundle
import WeftFilter
import WeftIO
import WeftTelemetry

/// What a test runner builds into a state before its code is loaded. A proxy's states have nothing of it.
package struct LuaInstruments {
  /// Time as scripts see it: nanoseconds since 1970. Must outlive the state.
  package var clock: UnsafePointer<UInt64>?
  /// Counters of lines, one for each of the program's files. Must outlive the state.
  package var lines: UnsafeBufferPointer<wl_line_counts>?
  /// How much longer than its limit says a call may compute: counting lines takes time.
  package var cpuFactor: UInt64 = 1
  /// Answers what Lua code of the runner asks. Kept by the state.
  package var bridge: LuaBridge?

  /// Whether a filter waits after calls that took long. Where time stands still, it would wait for ever.
  package var pacesCalls = false

  package init() {}

  /// To be called before the state's files are loaded.
  /// - Returns: whether there was memory for it.
  func install(in host: OpaquePointer) -> Bool {
    if let clock { wl_set_clock(host, clock) }
    if let lines, let base = lines.baseAddress { wl_count_lines(host, base, lines.count) }
    guard let bridge else { return true }
    return wl_add_bridge(host, LuaBridge.call, Unmanaged.passUnretained(bridge).toOpaque()) != 0
  }
}

/// What Lua code asks of Swift through `native.call`; see the host's `wl_testing.h`.
package final class LuaBridge {
  private let answer: (_ operation: String, _ argument: Bytes) throws -> [UInt8]
  private var lent = OwnedBytes([])

  /// - Parameter answer: takes the operation and its argument as a tape (see the host's `tape.c`), which is borrowed;
  ///   returns a tape, or throws what is raised in Lua.
  package init(_ answer: @escaping (_ operation: String, _ argument: Bytes) throws -> [UInt8]) { self.answer = answer }

  private func lend(_ bytes: [UInt8]) -> wl_text {
    lent = OwnedBytes(bytes)
    return wl_text(lent.bytes)
  }

  fileprivate static let call: wl_bridge = { context, operation, argument, failed in
    guard let context, let failed else { return .none }
    let bridge = Unmanaged<LuaBridge>.fromOpaque(context).takeUnretainedValue()
    do {
      return bridge.lend(try bridge.answer(operation.bytes.string, argument.bytes))
    } catch {
      failed.pointee = 1
      return bridge.lend(Array("\(error)".utf8))
    }
  }
}

/// A state that drives tests: the runner's library, and the files of the tests that it loads.
package final class LuaDriver {
  private let state: LuaState
  private let worker: WorkerContext

  /// Time as the tests' own code sees it.
  package var clock: UnsafeMutablePointer<WorkerClock> { worker.clock }

  /// - Parameters:
  ///   - entry: the library's path among `files`. It gives its functions to `native.drive`.
  ///   - memory: bytes that the state may have.
  ///   - clock: the time at first.
  /// - Throws: why it could not be loaded.
  package init(entry: String, files: [Bundle.Source], memory: Int, clock: WorkerClock, bridge: LuaBridge) throws {
    let quiet = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
    worker = WorkerContext(index: 0, count: 1, metrics: MetricsRegistry().makeShard(), logger: quiet)
    worker.clock.pointee = clock
    var instruments = LuaInstruments()
    instruments.clock = UnsafePointer(withUnsafeMutablePointer(to: &worker.clock.pointee.wall) { $0 })
    instruments.bridge = bridge
    var limits = BundleLimits()
    limits.memory = memory
    let program = LuaProgram(name: "tests", entry: entry, sources: files, digest: "", limits: limits)
    state = try LuaState(program, on: worker, instruments)
  }

  /// Calls a function of the library with a tape.
  /// - Parameter cpu: nanoseconds of processor time, what the bridge does in between not counted.
  /// - Returns: the function's result, as a tape.
  /// - Throws: the error that ended it, a limit among them.
  package func call(_ function: String, _ argument: [UInt8], cpu: UInt64) throws -> [UInt8] {
    let owned = OwnedBytes(argument)
    var result = wl_text.none
    let outcome = wl_drive(state.host, function, wl_text(owned.bytes), cpu, &result)
    withExtendedLifetime(owned) {}
    if outcome != WL_DONE { throw state.failure(outcome) }
    return result.bytes.array
  }
}

extension LuaFilterType {
  /// As `makeFilter(_:)`, for a state that has instruments built in if it is not there yet.
  package func makeFilter(_ worker: WorkerContext, _ instruments: LuaInstruments) throws -> HTTPFilter {
    LuaFilter(
      use, try LuaStates.state(for: use.program, on: worker, instruments), worker, pacesCalls: instruments.pacesCalls)
  }
}

/// The lines of Lua files.
package enum LuaLines {
  /// Those that hold code, in order; none of a file that cannot be compiled.
  package static func withCode(_ source: Bundle.Source) -> [Int] {
    var accessors = LuaAccessors.table()
    guard let host = wl_open(&accessors, nil, 64 << 20) else { return [] }
    defer { wl_close(host) }
    wl_limit_cpu(host, 1_000_000_000)
    let path = OwnedBytes(source.path)
    let text = OwnedBytes(source.text)
    var active = [UInt8](repeating: 0, count: source.text.count { $0 == UInt8(ascii: "\n") } + 2)
    var file = wl_source(path: wl_text(path.bytes), text: wl_text(text.bytes))
    let outcome = wl_code_lines(host, &file, &active, active.count)
    withExtendedLifetime((path, text)) {}
    return outcome == WL_DONE ? active.indices.filter { active[$0] != 0 } : []
  }
}

/// What a state's scripts find.
package enum LuaListing {
  /// A tape of a table: `classes`, the names of methods by class; `globals`, the paths of what is in the globals.
  package static func api() throws -> [UInt8] {
    let source = Bundle.Source(path: "main.lua", text: [])
    let program = LuaProgram(
      name: "listing", entry: "main.lua", sources: [source], digest: "", limits: BundleLimits())
    let state = try LuaState(program)
    var listing = wl_text.none
    let outcome = wl_list_api(state.host, &listing)
    if outcome != WL_DONE { throw state.failure(outcome) }
    return listing.bytes.array
  }
}

/// The memory of a Lua filter's state, for measurements.
package struct LuaMemory {
  private let state: LuaState

  /// nil: it is no Lua filter.
  package init?(of filter: HTTPFilter) {
    guard let filter = filter as? LuaFilter else { return nil }
    state = filter.state
  }

  /// Bytes in use.
  package var bytes: Int { state.memory }

  /// Blocks that have been taken so far.
  package var allocations: UInt64 { wl_blocks(state.host) }

  /// Collects everything, and nothing any more until `collect`: what is in use then grows by what is made.
  package func stopCollecting() { wl_collect(state.host, 0) }
  /// Collects everything, and goes on collecting.
  package func collect() { wl_collect(state.host, 1) }
}
