import Synchronization
import WeftConfig
import WeftProxy

/// The end of the feed that the proxy's supervisor sees. What it says goes to the agent as events.
final class AgentFeed: ConfigurationFeed {
  private struct State {
    var pending: ConfigurationSet?
    var changed: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let tell: @Sendable (AgentEvent) -> Void

  init(_ tell: @escaping @Sendable (AgentEvent) -> Void) { self.tell = tell }

  /// A set for the proxy to take; it replaces one that has not been taken.
  func offer(_ set: ConfigurationSet) {
    let changed = state.withLock { state in
      state.pending = set
      return state.changed
    }
    changed?()
  }

  func start(_ changed: @escaping @Sendable () -> Void) {
    let isWaiting = state.withLock { state in
      state.changed = changed
      return state.pending != nil
    }
    if isWaiting { changed() }
  }

  func take() -> ConfigurationSet? {
    state.withLock { state in
      defer { state.pending = nil }
      return state.pending
    }
  }

  func finished(_ set: ConfigurationSet, _ outcome: ConfigurationOutcome) { tell(.finished(set.number, outcome)) }
  func troubled(_ diagnostics: [Diagnostic]) { tell(.troubled(diagnostics)) }
  func wanted(_ hosts: Set<String>) { tell(.wanted(hosts)) }
  func serving(_ proxy: RunningProxy) { tell(.serving(proxy)) }
  func draining(_ proceed: @escaping @Sendable () -> Void) { tell(.draining(proceed)) }
}
