import WeftFilter
import WeftIO

/// The programs that configurations use at present, so that many uses of one bundle hold its files once.
enum LuaPrograms {
  /// Weak: a program ends with its last use.
  private struct Entry: @unchecked Sendable {
    weak var program: LuaProgram?
    let checksSettings: Bool
  }

  private static let entries = Locked<[String: Entry]>([:])

  /// Programs of different processes' worth of metrics, as tests have them, are different ones.
  private static func key(_ program: LuaProgram) -> String {
    let registry = program.surroundings.map { ObjectIdentifier($0.registry) }
    return "\(program.name) \(program.key) \(registry.hashValue)"
  }

  /// The program in use that is the same as `program`, and whether it defines `check_settings`.
  static func find(_ program: LuaProgram) -> (program: LuaProgram, checksSettings: Bool)? {
    entries.withLock { entries in
      entries[key(program)].flatMap { entry in entry.program.map { ($0, entry.checksSettings) } }
    }
  }

  /// Adds a program that can be loaded.
  static func add(_ program: LuaProgram, checksSettings: Bool) {
    entries.withLock { entries in
      entries = entries.filter { $0.value.program != nil }
      entries[key(program)] = Entry(program: program, checksSettings: checksSettings)
    }
  }
}
