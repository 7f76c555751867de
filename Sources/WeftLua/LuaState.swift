import CLuaHost
import WeftBundle
import WeftFilter
import WeftIO

/// Why Lua code could not be loaded or run.
struct LuaFailure: Error, CustomStringConvertible {
  enum Reason: String {
    /// The script's own error.
    case error
    /// Too much processor time or memory.
    case limit
  }

  let reason: Reason
  /// The message, with a traceback where there is one.
  let description: String

  init(_ outcome: Int32, _ description: String) {
    reason = outcome == WL_FAILED ? .error : .limit
    self.description = description
  }

  /// The file and line that the message begins with (`main.lua:12: ...`), and what follows them on the first line.
  var place: (file: String, line: Int, message: String)? {
    let parts = (description.split(separator: "\n").first ?? "").split(
      separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].hasSuffix(".lua"), let line = Int(parts[1]) else { return nil }
    return (String(parts[0]), line, String(parts[2].drop(while: { $0 == " " })))
  }
}

/// One Lua state: what a program is on one worker. Shared by all filters there that run the program.
///
/// Made on any thread, then used on its worker's alone.
final class LuaState {
  let program: LuaProgram
  /// Lives as long as the host, which points to it.
  let environment: LuaEnvironment
  let host: OpaquePointer
  /// The functions that the script defines, by `WL_ON_...`.
  let hasOnRequest: Bool
  let hasOnResponse: Bool
  let hasOnLog: Bool
  /// Bounds the lines that scripts log, and those about their errors.
  var scriptLog: LogBudget
  var errorLog = LogBudget(linesPerSecond: 5)

  /// Its work that belongs to no exchange; nil for a state without a worker.
  private(set) var background: LuaBackground?
  /// What comes after it when it is given up; nil for a state without a worker.
  private(set) var succession: LuaSuccession?
  /// States that were given up before this one, while calls wait in them. Touched on the worker's thread alone.
  private(set) var formers: [LuaState] = []

  /// Metrics that scripts have made.
  var stats = LuaStats()
  /// Keys that scripts have imported.
  var keys = LuaKeys()
  /// The call of a service that a script is making.
  var call: ServiceCall?

  /// Settings of filters that have gone, perhaps on another thread.
  private let released = Locked<[Int32]>([])
  private var tape: UnsafeMutableBufferPointer<UInt8>?

  /// Processor time for running a bundle's files when it is loaded.
  private static let loadNanoseconds: UInt64 = 1_000_000_000

  /// What keeps a test's instruments alive.
  private let bridge: LuaBridge?

  /// - Parameter worker: that the state is for; nil: only to see whether the script can be loaded.
  init(
    _ program: LuaProgram, on worker: WorkerContext? = nil, _ instruments: LuaInstruments? = nil
  ) throws(LuaFailure) {
    var accessors = LuaAccessors.table()
    let environment = LuaEnvironment(program, worker)
    let context = Unmanaged.passUnretained(environment).toOpaque()
    guard let host = wl_open(&accessors, context, program.limits.memory) else {
      throw LuaFailure(Int32(WL_FAILED_MEMORY), "no memory for a Lua state")
    }
    if let instruments, !instruments.install(in: host) {
      wl_close(host)
      throw LuaFailure(Int32(WL_FAILED_MEMORY), "no memory for a Lua state")
    }
    let entry = wl_text(program.entry.bytes)
    let outcome = wl_load(host, program.sources, program.sourceCount, entry, Self.loadNanoseconds)
    environment.isLoading = false
    if outcome != WL_DONE {
      let message = wl_error(host).bytes.string
      wl_close(host)
      throw LuaFailure(outcome, message)
    }
    wl_limit_cpu(host, UInt64(clamping: program.limits.cpu.nanoseconds) &* (instruments?.cpuFactor ?? 1))
    bridge = instruments?.bridge
    self.program = program
    self.environment = environment
    self.host = host
    hasOnRequest = wl_has(host, Int32(WL_ON_REQUEST)) != 0
    hasOnResponse = wl_has(host, Int32(WL_ON_RESPONSE)) != 0
    hasOnLog = wl_has(host, Int32(WL_ON_LOG)) != 0
    scriptLog = LogBudget(linesPerSecond: program.limits.logLines)
    if let worker {
      background = LuaBackground(self, worker)
      succession = LuaSuccession(self, worker)
    }
  }

  deinit {
    wl_close(host)
    tape?.deallocate()
  }

  /// Bytes that the state has in use. For any thread.
  var memory: Int { wl_memory(host) }

  /// The longest that the state has kept its worker: nanoseconds of processor time, as far as they are more than 4 ms. For
  /// any thread.
  var longestHold: UInt64 { wl_longest(host) }

  /// Whether each call fails, because one could not be ended. For any thread.
  var isGivenUp: Bool { wl_is_given_up(host) != 0 }

  /// Takes the place of a state that was given up, which need not be the only one: filters of one program can have used
  /// several.
  func succeed(_ former: LuaState) {
    for state in former.formers + [former] where !formers.contains(where: { $0 === state }) { formers.append(state) }
    releaseFormers()
  }

  /// Lets go of states before this one in which no call waits any more.
  func releaseFormers() {
    if !formers.isEmpty { formers.removeAll { wl_slots($0.host) == wl_free_slots($0.host) } }
  }

  /// Why the last call failed.
  func failure(_ outcome: Int32) -> LuaFailure { LuaFailure(outcome, wl_error(host).bytes.string) }

  /// Whether the script defines `check_settings`.
  var checksSettings: Bool { wl_has_check_settings(host) != 0 }

  /// Asks the script's `check_settings`, which must be there, within what loading may take.
  /// - Returns: what it finds wrong; nil: nothing.
  func check(_ settings: ValueTape?) throws(LuaFailure) -> SettingsProblem? {
    let owned = settings.map { OwnedBytes($0.bytes) }
    var answer = wl_text.none
    let outcome = wl_check_settings(host, owned.map { wl_text($0.bytes) } ?? .none, Self.loadNanoseconds, &answer)
    withExtendedLifetime(owned) {}
    if outcome != WL_DONE { throw failure(outcome) }
    return SettingsProblem(answer)
  }

  /// Makes a read-only table of settings.
  /// - Returns: its reference, or nil when the state has no memory left.
  func makeSettings(_ tape: ValueTape) -> Int32? {
    for reference in released.withLock({ list in
      let taken = list
      list.removeAll()
      return taken
    }) {
      wl_release(host, reference)
    }
    let reference = tape.bytes.withUnsafeBufferPointer {
      wl_make_settings(host, wl_text(base: $0.baseAddress, count: $0.count))
    }
    return reference == LUA_NOREF ? nil : reference
  }

  /// Lets go of settings, from any thread: the state itself does it when it next makes some.
  func release(settings reference: Int32) { released.withLock { $0.append(reference) } }

  /// Writes a value for Lua to read at once: valid until the next one.
  func lendTape(_ write: (inout ValueTape) -> Void) -> wl_text {
    var made = ValueTape()
    write(&made)
    tape?.deallocate()
    let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: made.bytes.count)
    _ = copy.initialize(from: made.bytes)
    tape = copy
    return wl_text(base: UnsafePointer(copy.baseAddress), count: copy.count)
  }
}
