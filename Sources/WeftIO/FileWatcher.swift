import Glibc

/// Tells when files and folders change: written in place, replaced by a rename as editors do, swapped by a symbolic link
/// as Kubernetes does, deleted, created again or for the first time. A folder counts with everything below it, but for
/// hidden and temporary files (`.name`, `name~`, `#name`, `name.swp`).
///
/// inotify says that something happened; a look at the files then says whether anything is different. Bursts are told
/// once, when they have been over for a moment.
public final class FileWatcher: LoopSource {
  /// Called from `process` with those paths, as given to `watch`, of which something changed.
  public var onChange: (([String]) -> Void)?
  /// Why changes are noticed late or not at all, and what to do about it; nil when all is well.
  public private(set) var problem: String?

  private let quiet: UInt64
  private let maximumDelay: UInt64
  private let pollInterval: UInt64
  private var watches: FolderWatches
  private var roots: [String] = []
  private var fingerprints: [UInt64] = []
  private var written: Set<Int> = []
  /// First and last event of the present burst.
  private var burst: (first: UInt64, last: UInt64)?
  private var nextPoll: UInt64?

  /// - Parameters:
  ///   - quiet: milliseconds without an event after which a burst counts as over.
  ///   - maximumDelay: milliseconds after which a burst is told although it goes on.
  ///   - pollInterval: milliseconds between looks where inotify cannot help.
  /// - Throws: `SystemError` when the process has no descriptor left.
  public convenience init(
    quiet: UInt64 = 100, maximumDelay: UInt64 = 1_000, pollInterval: UInt64 = 2_000
  ) throws(SystemError) {
    try self.init(quiet: quiet, maximumDelay: maximumDelay, pollInterval: pollInterval, usesInotify: true)
  }

  init(quiet: UInt64, maximumDelay: UInt64, pollInterval: UInt64, usesInotify: Bool) throws(SystemError) {
    self.quiet = quiet
    self.maximumDelay = maximumDelay
    self.pollInterval = max(pollInterval, 1)
    watches = try FolderWatches(usesInotify: usesInotify)
  }

  /// Watches these paths and no others. What is there now is the state from which changes are told, except for paths
  /// that were watched already: a change since the last call of `onChange` is still told.
  /// - Parameter since: when the caller began to read the files, in milliseconds since 1970: what changed after that is
  ///   told, too. Files changed just before may be told once in vain, because the kernel's clock for them is coarse.
  public func watch(_ paths: [String], since: UInt64 = .max) {
    let known = Dictionary(zip(roots, fingerprints)) { first, _ in first }
    let wereWritten = Set(written.compactMap { roots.indices.contains($0) ? roots[$0] : nil })
    var seen: Set<String> = []
    roots = paths.filter { seen.insert($0).inserted }
    written = Set(roots.indices.filter { wereWritten.contains(roots[$0]) })
    let now = MonotonicTime.milliseconds()
    let current = scan(now: now)
    fingerprints = zip(roots, current.fingerprints).map { known[$0] ?? $1 }
    for i in roots.indices where known[roots[i]] == nil && current.latest[i] &+ Self.clockTick >= since {
      written.insert(i)
    }
    if fingerprints != current.fingerprints || !written.isEmpty { note(now) }
  }

  /// How far a file's times may lag behind the clock, in milliseconds.
  private static let clockTick: UInt64 = 10

  // MARK: LoopSource

  public var descriptor: Int32 { watches.file.raw }

  public func nextDeadline(now: UInt64) -> UInt64? {
    guard let burst else { return nextPoll }
    return min(burst.last &+ quiet, burst.first &+ maximumDelay, nextPoll ?? .max)
  }

  public func process(now: UInt64) {
    let news = watches.read()
    if news.isRelevant { note(now) }
    written.formUnion(news.isOverflow ? Set(roots.indices) : news.written)
    guard let deadline = nextDeadline(now: now), deadline <= now else { return }
    burst = nil
    let current = scan(now: now).fingerprints
    let changed = roots.indices.filter { fingerprints[$0] != current[$0] || written.contains($0) }.map { roots[$0] }
    fingerprints = current
    written = []
    if !changed.isEmpty { onChange?(changed) }
  }

  private func note(_ now: UInt64) { burst = (burst?.first ?? now, now) }

  /// Looks at everything, and sees to it that whatever changes after the look will be told.
  private func scan(now: UInt64) -> FileScan {
    var scan = FileScan(roots)
    var (hasNew, error) = watches.set(scan.interests)
    // What happened in a folder between the look and the watch would be lost: look again. Where folders come and go
    // without end, the events of those that stay bring us back.
    for _ in 0..<4 where hasNew {
      scan = FileScan(roots)
      (hasNew, error) = watches.set(scan.interests)
    }
    nextPoll = error == 0 ? nil : now &+ pollInterval
    problem = describe(error, isTruncated: scan.isTruncated)
    return scan
  }

  private func describe(_ error: Int32, isTruncated: Bool) -> String? {
    let cause: String
    switch error {
    case 0:
      if !isTruncated { return nil }
      return "more than \(FileScan.entryLimit) files are watched: changes of some are not noticed; watch fewer folders"
    case ENOSPC: cause = "no inotify watches are left: raise the sysctl fs.inotify.max_user_watches"
    case EMFILE: cause = "no inotify instances are left: raise the sysctl fs.inotify.max_user_instances"
    case EACCES: cause = "a watched folder may not be read: allow it"
    default: cause = SystemError(operation: "inotify_add_watch", errno: error).description
    }
    return "\(cause); until then the files are looked at every \(pollInterval) ms"
  }
}
