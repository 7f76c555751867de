import Logging
import WeftConfig
import WeftIO
import WeftTelemetry

/// Key sets that rules name by address: fetched, kept up to date, and handed to workers. On the supervisor's loop, off
/// the data path. Keys that were fetched stay in use for as long as newer ones cannot be had.
final class KeySetTable {
  /// What is known of one key set.
  final class Entry {
    fileprivate(set) var set: RemoteKeySet
    /// As the server sent them last.
    fileprivate var body: [UInt8]?
    fileprivate(set) var keyCount = 0
    /// Seconds since 1970; nil before the first.
    fileprivate(set) var fetchedAt: UInt64?
    /// Why the last attempt brought nothing; nil when it did.
    fileprivate(set) var problem: String?
    fileprivate var failures = 0
    /// Monotonic milliseconds.
    fileprivate var lastAttempt: UInt64?
    fileprivate var fetch: KeySetFetch?
    fileprivate var timer: EventLoop.TimerID?
    /// When the timer fires, in monotonic milliseconds.
    fileprivate var due: UInt64 = 0
    /// The keys that workers were given.
    fileprivate var keys: [TokenKey] = []

    fileprivate init(_ set: RemoteKeySet) { self.set = set }
  }

  private let loop: EventLoop
  private let log: Logger
  private let status: StatusMetrics
  private let onKeys: (String, [TokenKey]) -> Void
  private let onTrouble: () -> Void
  private var entries: [String: Entry] = [:]
  private var resolver: Resolver?
  private var servers: [SocketAddress] = []
  private var fetching = 0

  /// Milliseconds between two fetches where the server says nothing, as in Istio.
  private static let standardRefresh: UInt64 = 1_200_000
  /// What a server may ask for by Cache-Control.
  private static let refreshBounds: ClosedRange<UInt64> = 60_000...3_600_000
  /// Between two fetches that tokens of unknown keys cause, whatever they are.
  private static let eagerInterval: UInt64 = 10_000
  /// Fetches under way at once; more wait a moment.
  private static let fetchLimit = 16

  /// - Parameters:
  ///   - onKeys: other keys than before are in use.
  ///   - onTrouble: `troubles` has changed.
  init(
    loop: EventLoop, log: Logger, status: StatusMetrics, onKeys: @escaping (String, [TokenKey]) -> Void,
    onTrouble: @escaping () -> Void
  ) {
    self.loop = loop
    self.log = log
    self.status = status
    self.onKeys = onKeys
    self.onTrouble = onTrouble
  }

  /// The key sets of the configuration in force; others are forgotten.
  /// - Parameter servers: DNS servers; empty: those of /etc/resolv.conf.
  func want(_ sets: [RemoteKeySet], servers: [SocketAddress]) {
    if sets.isEmpty && entries.isEmpty { return }
    if resolver == nil || self.servers != servers { resolve(with: servers) }
    var left = entries
    for set in sets {
      let uri = set.location.uri
      if let known = left.removeValue(forKey: uri) {
        known.set = set
        continue
      }
      let entry = Entry(set)
      entries[uri] = entry
      begin(entry)
    }
    for (uri, entry) in left {
      stop(entry)
      entries[uri] = nil
      onKeys(uri, [])
    }
    count()
    onTrouble()
  }

  /// A token was signed by a key that is not known: the issuer may have a new one.
  func miss(_ uri: String) {
    guard let entry = entries[uri], entry.fetch == nil else { return }
    let now = MonotonicTime.milliseconds()
    let next = (entry.lastAttempt ?? 0) + Self.eagerInterval
    schedule(entry, after: next > now ? next - now : 0, unlessSooner: true)
  }

  /// Every key set has been fetched, or at least tried.
  var isComplete: Bool { entries.values.allSatisfy { $0.fetchedAt != nil || $0.problem != nil } }

  /// What is known, by address.
  var all: [Entry] { entries.values.sorted { $0.set.location.uri < $1.set.location.uri } }

  /// What cannot be fetched, once for each rule that wants it.
  var troubles: [Diagnostic] {
    all.flatMap { entry -> [Diagnostic] in
      guard let problem = entry.problem else { return [] }
      return entry.set.origins.map { $0.warning("the keys at \(entry.set.location.uri) cannot be fetched: \(problem)") }
    }
  }

  // MARK: Fetching

  private func resolve(with servers: [SocketAddress]) {
    var options = Resolver.Options()
    options.servers = servers
    do {
      let new = try Resolver(options)
      try loop.host(new)
      if let resolver { loop.unhost(resolver) }
      // What is under way waits for answers that will not come.
      for entry in entries.values where entry.fetch != nil {
        stop(entry)
        schedule(entry, after: 0)
      }
      resolver = new
      self.servers = servers
    } catch {
      log.error("cannot resolve the names of key servers: \(error)")
    }
  }

  private func stop(_ entry: Entry) {
    if let timer = entry.timer { loop.cancel(timer) }
    entry.timer = nil
    if let fetch = entry.fetch {
      fetch.cancel()
      fetching -= 1
    }
    entry.fetch = nil
  }

  private func schedule(_ entry: Entry, after milliseconds: UInt64, unlessSooner: Bool = false) {
    let due = MonotonicTime.milliseconds() + milliseconds
    if let timer = entry.timer {
      if unlessSooner && entry.due <= due { return }
      loop.cancel(timer)
    }
    entry.due = due
    entry.timer = loop.after(milliseconds) { [weak self, weak entry] in
      guard let self, let entry else { return }
      entry.timer = nil
      begin(entry)
    }
  }

  private func begin(_ entry: Entry) {
    if entry.fetch != nil { return }
    guard let resolver, fetching < Self.fetchLimit else { return schedule(entry, after: 100) }
    fetching += 1
    entry.lastAttempt = MonotonicTime.milliseconds()
    let fetch = KeySetFetch(entry.set, loop: loop, resolver: resolver) { [weak self, weak entry] result in
      guard let self, let entry else { return }
      fetching -= 1
      entry.fetch = nil
      switch result {
      case .success(let answer): fetched(answer, entry)
      case .failure(let failure): failed(entry, failure.description, failure.isTimeout ? "timeout" : "failure")
      }
    }
    entry.fetch = fetch
    fetch.start()
  }

  private func fetched(_ answer: KeySetFetch.Answer, _ entry: Entry) {
    let uri = entry.set.location.uri
    if entry.body != answer.body {
      do throws(TokenKeyError) {
        let keys = try TokenKey.keys(inSet: String(decoding: answer.body, as: UTF8.self))
        // Whoever can read the answer could sign with such a key.
        let published = keys.filter { if case .publicKey = $0.material { true } else { false } }
        if published.isEmpty { throw TokenKeyError("holds no public key") }
        entry.keys = published
        entry.keyCount = published.count
      } catch {
        return failed(entry, "the answer \(error.description)", "failure")
      }
      entry.body = answer.body
      log.info("\(entry.keyCount) keys from \(uri)")
      onKeys(uri, entry.keys)
    }
    status.fetchedKeys("success")
    let wasTrouble = entry.problem != nil
    if wasTrouble { log.notice("the keys at \(uri) can be fetched again") }
    entry.fetchedAt = UnixTime.nanoseconds() / 1_000_000_000
    entry.problem = nil
    entry.failures = 0
    let wanted = answer.maxAge.map { min($0, 86_400) * 1_000 } ?? Self.standardRefresh
    let bounded = min(max(wanted, Self.refreshBounds.lowerBound), Self.refreshBounds.upperBound)
    // Many proxies need not ask at the same moment.
    schedule(entry, after: bounded - .random(in: 0...(bounded / 10)))
    count()
    if wasTrouble { onTrouble() }
  }

  private func failed(_ entry: Entry, _ reason: String, _ result: String) {
    status.fetchedKeys(result)
    let problem = VisibleText.of(reason)
    let isNew = entry.problem != problem
    entry.problem = problem
    if isNew {
      let rest =
        entry.keyCount > 0
        ? "the \(entry.keyCount) keys that were fetched before stay in use" : "tokens of its issuer are refused"
      log.warning("cannot fetch the keys at \(entry.set.location.uri): \(problem); \(rest)")
    }
    let wait = min(UInt64(1_000) << UInt64(min(entry.failures, 6)), 60_000)
    entry.failures += 1
    schedule(entry, after: wait - .random(in: 0...(wait / 4)))
    count()
    if isNew { onTrouble() }
  }

  private func count() {
    let missing = entries.values.count { $0.fetchedAt == nil }
    let stale = entries.values.count { $0.fetchedAt != nil && $0.problem != nil }
    status.haveKeySets(current: entries.count - missing - stale, stale: stale, missing: missing)
  }
}
