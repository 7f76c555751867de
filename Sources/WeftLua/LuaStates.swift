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
    if let known = find(program.key, worker), !known.isGivenUp { return known }
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
    samples(in: registry) {
      Double($0.memory)
    } combine: {
      $0 + $1
    }
  }

  /// Seconds of the longest hold by bundle.
  static func longestHolds(in registry: ObjectIdentifier) -> [CollectedSample] {
    samples(in: registry) {
      Double($0.longestHold) / 1e9
    } combine: {
      max($0, $1)
    }
  }

  /// How many states have been given up, by bundle.
  static func givenUp(in registry: ObjectIdentifier) -> [CollectedSample] {
    samples(in: registry) {
      $0.isGivenUp ? 1 : 0
    } combine: {
      $0 + $1
    }
  }

  private static func samples(
    in registry: ObjectIdentifier, _ value: (LuaState) -> Double, combine: (Double, Double) -> Double
  ) -> [CollectedSample] {
    entries.withLock { list in
      var values: [String: Double] = [:]
      for entry in list where entry.registry == registry {
        guard let state = entry.state else { continue }
        let own = value(state)
        values[state.program.name] = values[state.program.name].map { combine($0, own) } ?? own
      }
      return values.map { CollectedSample(labels: [$0.key], value: $0.value) }
    }
  }
}
