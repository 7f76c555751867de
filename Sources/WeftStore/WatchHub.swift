/// Hands commits to those who watch, each in order. A watcher that does not keep up is cut off, so that memory is
/// bounded and nobody waits for it.
struct WatchHub {
  /// Commits that a watcher may be behind.
  static let backlog = 4_096

  private struct Watcher {
    let prefix: String
    let continuation: WatchStream.Continuation
    /// Commits that came while history was read for it; nil: it has caught up.
    var held: [WatchBatch]?
    /// The last revision that it has been given, or need not be given.
    var seen: Revision
  }

  private var watchers: [Int: Watcher] = [:]
  private var next = 0

  /// Adds a watcher that gets what comes after `seen`, once `release` has been called for it.
  mutating func add(_ prefix: String, seen: Revision, _ continuation: WatchStream.Continuation) -> Int {
    next += 1
    watchers[next] = Watcher(prefix: prefix, continuation: continuation, held: [], seen: seen)
    return next
  }

  mutating func remove(_ id: Int) { watchers[id] = nil }

  /// Gives a new watcher what lies between its revision and the moment at which it was added, and lets it go on live.
  mutating func release(_ id: Int, history: [WatchBatch]) {
    guard let watcher = watchers[id] else { return }
    let held = watcher.held ?? []
    watchers[id]?.held = nil
    for batch in history + held { give(batch, to: id) }
  }

  mutating func fail(_ id: Int, _ error: StoreError) {
    watchers.removeValue(forKey: id)?.continuation.finish(throwing: error)
  }

  /// A commit to everybody whom it concerns.
  mutating func publish(_ batch: WatchBatch) {
    for id in watchers.keys.sorted() {
      if watchers[id]?.held == nil {
        give(batch, to: id)
      } else if let count = watchers[id]?.held?.count, count < Self.backlog {
        watchers[id]?.held?.append(batch)
      } else {
        fail(id, .compacted(oldest: batch.revision))
      }
    }
  }

  private mutating func give(_ batch: WatchBatch, to id: Int) {
    guard let watcher = watchers[id], batch.revision > watcher.seen else { return }
    watchers[id]?.seen = batch.revision
    let changes = batch.changes.filter { $0.key.hasPrefix(watcher.prefix) }
    if changes.isEmpty { return }
    switch watcher.continuation.yield(WatchBatch(revision: batch.revision, changes: changes)) {
    case .enqueued: break
    case .terminated: watchers[id] = nil
    case .dropped: fail(id, .compacted(oldest: batch.revision))
    @unknown default: break
    }
  }

  mutating func finish(_ error: StoreError) {
    for id in watchers.keys { fail(id, error) }
  }
}
