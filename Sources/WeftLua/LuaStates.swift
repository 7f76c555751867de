import WeftFilter
import WeftIO
import WeftTelemetry

/// Finds the state that filters of one program share on a worker.
enum LuaStates {
  /// Weak, so that a state ends with the last filter that uses it, wherever that happens.
  private struct Entry: @unchecked Sendable {
    weak var worker: WorkerContext?
    weak var state: LuaState?
    let key: String
    let registry: ObjectIdentifier
  }

  private static let entries = Locked<[Entry]>([])

  /// The worker's state for `program`, made if there is none.
  static func state(
    for program: LuaProgram, on worker: WorkerContext, _ instruments: LuaInstruments? = nil
  ) throws(LuaFailure) -> LuaState {
    if let known = find(program.key, worker) { return known }
    let made = try LuaState(program, on: worker, instruments)
    let entry = Entry(
      worker: worker, state: made, key: program.key, registry: ObjectIdentifier(worker.metrics.registry))
    entries.withLock { list in
      list.removeAll { $0.state == nil }
      list.append(entry)
    }
    return made
  }

  private static func find(_ key: String, _ worker: WorkerContext) -> LuaState? {
    let worker = ObjectIdentifier(worker)
    nonisolated(unsafe) var found: LuaState?
    entries.withLock { list in
      for entry in list where entry.key == key {
        if let owner = entry.worker, ObjectIdentifier(owner) == worker { found = entry.state ?? found }
      }
    }
    return found
  }

  /// Bytes in use by bundle, of the states whose workers count in `registry`.
  static func memory(in registry: ObjectIdentifier) -> [CollectedSample] {
    entries.withLock { list in
      var bytes: [String: Int] = [:]
      for entry in list where entry.registry == registry {
        if let state = entry.state { bytes[state.program.name, default: 0] += state.memory }
      }
      return bytes.map { CollectedSample(labels: [$0.key], value: Double($0.value)) }
    }
  }
}
