import Foundation
import GRDB
import Logging

/// The embedded store: a SQLite file in WAL mode. One process uses a file at a time. A commit that returned is on the
/// disk (`synchronous=FULL`); commits that wait at the same moment share one write to it.
public actor SQLiteStore: Store {
  /// How much history is kept.
  public struct Retention: Sendable {
    /// Revisions that are kept at least.
    public var revisions: UInt64 = 10_000
    /// Seconds for which a revision is kept at least.
    public var seconds: Int64 = 7 * 86_400

    public init() {}
  }

  private struct Waiting {
    let work: Work
    let done: CheckedContinuation<Result<Revision, StoreError>, Never>
  }

  /// What the one writer does.
  private enum Work {
    case commit(Transaction)
    case grant(ttl: Int)
    case revoke(LeaseID)
  }

  /// What came of one piece of work.
  private enum Outcome {
    case committed(WatchBatch)
    case granted(LeaseID, ttl: Int)
    case revoked(LeaseID, WatchBatch?)
    case failed(StoreError)
  }

  /// Pieces of work that share one transaction of SQLite.
  private static let together = 256
  /// Pieces of work that may wait; beyond it a commit fails at once.
  private static let most = 10_000

  public nonisolated let path: String
  private let pool: DatabasePool
  private let lock: StoreLock
  private let retention: Retention
  private let log: Logger
  private var latest: Revision
  private var queue: [Waiting] = []
  private var isWriting = false
  private var isClosed = false
  private var hub = WatchHub()
  /// When each lease ends, unless it is kept alive.
  private var deadlines: [LeaseID: (end: ContinuousClock.Instant, ttl: Int)] = [:]
  private var timer: Task<Void, Never>?
  private var sinceCompaction = 0

  /// Opens `weft.db` in a folder, which is made when it is missing. Leases that were alive get their whole time again.
  /// - Throws: `StoreError.unavailable` or `.unusable`, with what to do.
  public init(folder: String, retention: Retention = Retention(), log: Logger = Logger(label: "store"))
    async throws(StoreError)
  {
    path = "\(folder)/weft.db"
    self.retention = retention
    self.log = log
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .unavailable("cannot make the data folder \(folder): \(error.localizedDescription)")
    }
    lock = try StoreLock("\(folder)/weft.lock")
    let path = path
    var configuration = Configuration()
    configuration.maximumReaderCount = 4
    configuration.busyMode = .timeout(5)
    configuration.foreignKeysEnabled = false
    configuration.label = "weft-store"
    configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
    let leases: [(LeaseID, Int)]
    do {
      pool = try DatabasePool(path: path, configuration: configuration)
      (latest, leases) = try await pool.write { db in
        try SQLiteTables.create(db, path: path)
        let leases = try Row.fetchAll(db, sql: "SELECT id, ttl FROM leases").map { row in
          (LeaseID(bitPattern: row["id"] as Int64), row["ttl"] as Int)
        }
        return (try SQLiteTables.revision(db), leases)
      }
    } catch {
      lock.release()
      throw StoreError(error, path: path)
    }
    for name in [path, path + "-wal", path + "-shm"] { chmod(name, 0o600) }
    let now = ContinuousClock.now
    for (id, ttl) in leases { deadlines[id] = (now + .seconds(ttl), ttl) }
    scheduleExpiry()
  }

  // MARK: Reading

  private func read<Value: Sendable>(_ body: @Sendable @escaping (Database) throws -> Value) async throws(StoreError)
    -> Value
  {
    if isClosed { throw .closed }
    do { return try await pool.read(body) } catch { throw StoreError(error, path: path) }
  }

  public func get(_ key: String, at revision: Revision?) async throws(StoreError) -> Entry? {
    try await read { db in
      if let revision { try SQLiteTables.get(db, key, at: revision) } else { try SQLiteTables.get(db, key) }
    }
  }

  public func list(prefix: String, after: String?, limit: Int, at revision: Revision?) async throws(StoreError) -> Page
  {
    let limit = min(max(limit, 1), 10_000)
    return try await read { db in
      let now = try SQLiteTables.revision(db)
      var found =
        if let revision, revision < now {
          try SQLiteTables.list(db, prefix, after: after, limit: limit + 1, at: revision)
        } else { try SQLiteTables.list(db, prefix, after: after, limit: limit + 1) }
      let hasMore = found.count > limit
      if hasMore { found.removeLast() }
      return Page(entries: found, revision: min(revision ?? now, now), hasMore: hasMore)
    }
  }

  public func history(_ key: String, limit: Int) async throws(StoreError) -> [Entry] {
    try await read { db in try SQLiteTables.history(db, key, limit: min(max(limit, 1), 10_000)) }
  }

  public func revision() throws(StoreError) -> Revision {
    if isClosed { throw .closed }
    return latest
  }

  public func check() async throws(StoreError) {
    if isClosed { throw .closed }
    do {
      // Takes the write lock and gives it back: finds a full disk or a file that became read-only.
      try await pool.write { db in try db.execute(sql: "UPDATE compaction SET oldest = oldest") }
    } catch { throw StoreError(error, path: path) }
  }

  // MARK: Writing

  @discardableResult
  public func commit(_ transaction: Transaction) async throws(StoreError) -> Revision {
    try transaction.checkLimits()
    return try await submit(.commit(transaction))
  }

  public func grantLease(ttl: Int) async throws(StoreError) -> LeaseID {
    guard (1...86_400 * 30).contains(ttl) else { throw .invalid("a lease of \(ttl) s; 1 s to 30 days are taken") }
    return try await submit(.grant(ttl: ttl))
  }

  public func keepAlive(_ lease: LeaseID) throws(StoreError) {
    if isClosed { throw .closed }
    guard let known = deadlines[lease] else { throw .leaseNotFound(lease) }
    deadlines[lease] = (ContinuousClock.now + .seconds(known.ttl), known.ttl)
  }

  public func revoke(_ lease: LeaseID) async throws(StoreError) {
    guard deadlines[lease] != nil else { throw .leaseNotFound(lease) }
    _ = try await submit(.revoke(lease))
  }

  private func submit(_ work: Work) async throws(StoreError) -> Revision {
    if isClosed { throw .closed }
    if queue.count >= Self.most {
      throw .unavailable("\(queue.count) changes wait to be written to \(path): the disk is too slow; try again later")
    }
    let result = await withCheckedContinuation { done in
      queue.append(Waiting(work: work, done: done))
      if !isWriting {
        isWriting = true
        Task { await writeAll() }
      }
    }
    return try result.get()
  }

  /// Writes what waits, some at a time, until nothing does.
  private func writeAll() async {
    while !queue.isEmpty {
      let batch = Array(queue.prefix(Self.together))
      queue.removeFirst(batch.count)
      let work = batch.map(\.work)
      let first = latest
      let path = path
      do {
        let outcomes = try await pool.write { db in try Self.write(work, after: first, db) }
        for (outcome, waiting) in zip(outcomes, batch) { finish(outcome, waiting.done) }
      } catch {
        let failure = StoreError(error, path: path)
        for waiting in batch { waiting.done.resume(returning: .failure(failure)) }
      }
      await compactIfDue(batch.count)
    }
    isWriting = false
  }

  private static func write(_ work: [Work], after first: Revision, _ db: Database) throws -> [Outcome] {
    var revision = first
    let seconds = Int64(Date().timeIntervalSince1970)
    return try work.map { piece in
      do {
        switch piece {
        case .commit(let transaction):
          let batch = try SQLiteTables.apply(transaction, as: revision + 1, seconds: seconds, db)
          revision += 1
          return .committed(batch)
        case .grant(let ttl):
          try db.execute(sql: "INSERT INTO leases (ttl) VALUES (?)", arguments: [ttl])
          return .granted(LeaseID(bitPattern: db.lastInsertedRowID), ttl: ttl)
        case .revoke(let lease):
          let id = Int64(bitPattern: lease)
          try db.execute(sql: "DELETE FROM leases WHERE id = ?", arguments: [id])
          let keys = try String.fetchAll(db, sql: "SELECT key FROM entries WHERE lease = ?", arguments: [id])
          if keys.isEmpty { return .revoked(lease, nil) }
          let batch = try SQLiteTables.apply(
            Transaction(keys.map { .delete($0) }), as: revision + 1, seconds: seconds, db)
          revision += 1
          return .revoked(lease, batch)
        }
      } catch let error as StoreError {
        // A condition that does not hold: nothing was written for it, and the others go on.
        return .failed(error)
      }
    }
  }

  private func finish(_ outcome: Outcome, _ done: CheckedContinuation<Result<Revision, StoreError>, Never>) {
    switch outcome {
    case .committed(let batch):
      publish(batch)
      done.resume(returning: .success(batch.revision))
    case .granted(let lease, let ttl):
      deadlines[lease] = (ContinuousClock.now + .seconds(ttl), ttl)
      scheduleExpiry()
      done.resume(returning: .success(lease))
    case .revoked(let lease, let batch):
      deadlines[lease] = nil
      if let batch { publish(batch) }
      done.resume(returning: .success(lease))
    case .failed(let error): done.resume(returning: .failure(error))
    }
  }

  private func publish(_ batch: WatchBatch) {
    latest = batch.revision
    hub.publish(batch)
  }

  // MARK: Watching

  public func watch(prefix: String, after revision: Revision?) async throws(StoreError) -> WatchStream {
    if isClosed { throw .closed }
    let (stream, continuation) = WatchStream.makeStream(bufferingPolicy: .bufferingOldest(WatchHub.backlog))
    let now = latest
    let id = hub.add(prefix, seen: revision ?? now, continuation)
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      Task { await self.unwatch(id) }
    }
    guard let revision, revision < now else {
      hub.release(id, history: [])
      return stream
    }
    do {
      let history = try await read { db in
        try SQLiteTables.batches(db, prefix, after: revision, through: now, limit: WatchHub.backlog)
      }
      hub.release(id, history: history)
    } catch {
      hub.remove(id)
      throw error
    }
    return stream
  }

  private func unwatch(_ id: Int) { hub.remove(id) }

  // MARK: Leases

  /// One timer, for the lease that ends first. Keeping one alive does not move it: it looks again when it fires.
  private func scheduleExpiry() {
    timer?.cancel()
    guard let first = deadlines.values.map(\.end).min() else {
      timer = nil
      return
    }
    timer = Task { [weak self] in
      do { try await Task.sleep(until: first, clock: .continuous) } catch { return }
      await self?.expire()
    }
  }

  private func expire() async {
    let now = ContinuousClock.now
    for (lease, known) in deadlines where known.end <= now {
      // From here on it cannot be kept alive: whoever tries is told, and is not left with keys that vanish.
      guard deadlines.removeValue(forKey: lease) != nil else { continue }
      do { _ = try await submit(.revoke(lease)) } catch .closed { return } catch {
        log.error("cannot end lease \(lease): \(error)")
        // Tried again, not at once.
        deadlines[lease] = (ContinuousClock.now + .seconds(1), known.ttl)
      }
    }
    if !isClosed { scheduleExpiry() }
  }

  // MARK: Compaction and the end

  public func compact(before revision: Revision) async throws(StoreError) {
    if isClosed { throw .closed }
    do { try await pool.write { db in try SQLiteTables.compact(db, before: revision) } } catch {
      throw StoreError(error, path: path)
    }
  }

  /// Forgets what the retention no longer asks for, every thousand commits.
  private func compactIfDue(_ commits: Int) async {
    sinceCompaction += commits
    if sinceCompaction < 1_000 || latest <= retention.revisions { return }
    sinceCompaction = 0
    let keep = latest - retention.revisions
    let before = Int64(Date().timeIntervalSince1970) - retention.seconds
    do {
      try await pool.write { db in
        // The last revision that is old enough.
        let aged =
          try Int64.fetchOne(db, sql: "SELECT max(revision) FROM revisions WHERE seconds < ?", arguments: [before]) ?? 0
        try SQLiteTables.compact(db, before: min(keep, Revision(aged)))
      }
    } catch { log.error("cannot compact the store: \(StoreError(error, path: path))") }
  }

  /// Writes a copy of the store as it is now into a new file.
  public func backup(to file: String) async throws(StoreError) {
    if isClosed { throw .closed }
    guard !FileManager.default.fileExists(atPath: file) else {
      throw .invalid("\(file) exists; name a file that does not")
    }
    do {
      let copy = try DatabaseQueue(path: file)
      defer { try? copy.close() }
      chmod(file, 0o600)
      try pool.backup(to: copy)
    } catch { throw StoreError(error, path: file) }
  }

  /// Reads the whole file and compares its tables with their indexes; takes seconds for a large store.
  /// - Throws: `StoreError.unusable` with what was found.
  public func checkIntegrity() async throws(StoreError) {
    let found = try await read { db in try String.fetchAll(db, sql: "PRAGMA integrity_check(10)") }
    if found != ["ok"] {
      throw .unusable(
        "\(path) is damaged (\(found.joined(separator: "; "))): stop the control plane and restore the folder from a backup"
      )
    }
  }

  public func close() async {
    if isClosed { return }
    isClosed = true
    timer?.cancel()
    hub.finish(.closed)
    for waiting in queue { waiting.done.resume(returning: .failure(.closed)) }
    queue = []
    // A write under way ends first.
    do { try pool.close() } catch { log.error("cannot close the store: \(error)") }
    lock.release()
  }
}
