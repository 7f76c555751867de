import CLuaHost
import Logging
import WeftFilter
import WeftIO

/// Puts a new state in the place of one that has been given up, so that the filters of its bundle run again.
///
/// The new state is made on another thread, as each state is: running a bundle's files may take long. All else happens on
/// the worker's thread, for filters that are in force.
///
/// A script that costs one state after the other gets the next one later each time, and after `limit` none: until its bundle
/// or the configuration changes.
final class LuaSuccession {
  /// States in a row that have been given up, after which there is none any more.
  static let limit = 8
  /// Nanoseconds after which a state is given up for something else than the one before it.
  private static let settled: UInt64 = 3_600_000_000_000
  /// Milliseconds between two looks at whether the new state is there.
  private static let poll: UInt32 = 2

  private unowned let state: LuaState
  private let worker: WorkerContext
  /// The filters in force that use the state.
  private var members: [Member] = []
  /// States before this one that were given up, in a row.
  private var row = 0
  /// When the state came into use.
  private var since: UInt64 = 0
  private var making: Making?
  private var isUnderWay = false
  private lazy var timer = WorkerTimer { [unowned self] in fire() }

  /// Weak, as the filter keeps the state.
  private struct Member {
    weak var filter: LuaFilter?
  }

  /// What the other thread makes.
  private final class Making: Sendable {
    struct Outcome: @unchecked Sendable {
      let result: Result<LuaState, LuaFailure>
    }

    let outcome = Locked<Outcome?>(nil)
  }

  init(_ state: LuaState, _ worker: WorkerContext) {
    self.state = state
    self.worker = worker
  }

  /// Milliseconds between the end of a state and the beginning of the next one, after `row` others.
  static func pause(_ row: Int) -> UInt32 { row == 0 ? 0 : 4000 << UInt32(clamping: row - 1) }

  /// A filter that uses the state is in force.
  func join(_ filter: LuaFilter) {
    if since == 0 { since = worker.now }
    members.append(Member(filter: filter))
    if state.isGivenUp { begin() }
  }

  /// A filter that has joined is in force no more, or uses another state.
  func leave(_ filter: LuaFilter) {
    members.removeAll { $0.filter == nil || $0.filter === filter }
    guard members.isEmpty, isUnderWay else { return }
    worker.cancel(timer)
    isUnderWay = false
    making = nil
  }

  /// The state has been given up.
  func begin() {
    if isUnderWay || members.isEmpty { return }
    if worker.now &- since > Self.settled { row = 0 }
    isUnderWay = true
    guard row < Self.limit else {
      logger?.error(
        """
        \(row + 1) Lua states in a row had to be given up: the bundle gets no new one on this worker until it or its \
        configuration changes. Correct the script, or go back to a version that worked
        """, metadata: metadata)
      return
    }
    worker.schedule(timer, afterMilliseconds: Self.pause(row))
  }

  private func fire() {
    guard let making else {
      make()
      return worker.schedule(timer, afterMilliseconds: Self.poll)
    }
    guard let outcome = making.outcome.withLock({ $0 }) else {
      return worker.schedule(timer, afterMilliseconds: Self.poll)
    }
    self.making = nil
    isUnderWay = false
    switch outcome.result {
    case .success(let next): hand(over: next)
    case .failure(let failure):
      logger?.error("no new Lua state could be made for the bundle: \(failure)", metadata: metadata)
      row += 1
      begin()
    }
  }

  private func make() {
    let making = Making()
    self.making = making
    let program = state.program
    nonisolated(unsafe) let worker = worker
    Task.detached {
      let result: Result<LuaState, LuaFailure>
      do throws(LuaFailure) {
        result = .success(try LuaStates.state(for: program, on: worker))
      } catch {
        result = .failure(error)
      }
      let outcome = Making.Outcome(result: result)
      making.outcome.withLock { $0 = outcome }
    }
  }

  private func hand(over next: LuaState) {
    // Its last filter but this function's takes it away.
    let former = state
    defer { withExtendedLifetime(former) {} }
    wl_inherit_longest(next.host, former.longestHold)
    if let succession = next.succession, succession.members.isEmpty { succession.row = row + 1 }
    for member in members { member.filter?.adopt(next) }
    if let metrics = state.program.surroundings?.metrics {
      worker.metrics.counter(metrics.replacedStates, [state.program.name]).add()
    }
    logger?.notice("the bundle has a new Lua state on this worker, for the one that was given up", metadata: metadata)
  }

  private var logger: Logger? { state.program.surroundings?.logger }
  private var metadata: Logger.Metadata { ["bundle": "\(state.program.name)", "worker": "\(worker.index)"] }
}
