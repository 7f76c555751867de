import Foundation
import GRDB

/// The tables of a store's file, and what is asked of them. Every function runs within a read or a write of GRDB.
enum SQLiteTables {
  /// Version of the tables, in SQLite's `user_version`.
  static let version = 1

  /// - Throws: `StoreError.unusable` for a file of a newer program.
  static func create(_ db: Database, path: String) throws {
    let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    if found > version {
      throw StoreError.unusable(
        "\(path) was written by a newer version of Weft (format \(found), this one knows \(version)): upgrade, or restore a backup"
      )
    }
    if found == version { return }
    try db.execute(
      sql: """
        CREATE TABLE versions (
          key TEXT NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL, lease INTEGER NOT NULL, value BLOB,
          PRIMARY KEY (key, revision));
        CREATE INDEX versions_revision ON versions (revision);
        CREATE TABLE entries (
          key TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, lease INTEGER NOT NULL) WITHOUT ROWID;
        CREATE INDEX entries_lease ON entries (lease) WHERE lease <> 0;
        CREATE TABLE revisions (revision INTEGER PRIMARY KEY, seconds INTEGER NOT NULL);
        CREATE TABLE leases (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl INTEGER NOT NULL);
        CREATE TABLE compaction (oldest INTEGER NOT NULL);
        INSERT INTO compaction VALUES (1);
        PRAGMA user_version = \(version);
        """)
  }

  static func revision(_ db: Database) throws -> Revision {
    Revision(try Int64.fetchOne(db, sql: "SELECT max(revision) FROM revisions") ?? 0)
  }

  /// The oldest revision that is still kept.
  static func oldest(_ db: Database) throws -> Revision {
    Revision(try Int64.fetchOne(db, sql: "SELECT oldest FROM compaction") ?? 1)
  }

  /// - Throws: `StoreError.compacted`.
  static func demand(_ revision: Revision, _ db: Database) throws {
    let oldest = try oldest(db)
    if revision + 1 < oldest { throw StoreError.compacted(oldest: oldest) }
  }

  static func entry(_ row: Row) -> Entry {
    let value: Data? = row["value"]
    return Entry(
      key: row["key"], value: value.map { [UInt8]($0) }, created: Revision(row["created"] as Int64),
      modified: Revision(row["revision"] as Int64), lease: LeaseID(row["lease"] as Int64))
  }

  static func get(_ db: Database, _ key: String) throws -> Entry? {
    let statement = try db.cachedStatement(
      sql: "SELECT v.* FROM entries e JOIN versions v ON v.key = e.key AND v.revision = e.revision WHERE e.key = ?")
    return try Row.fetchOne(statement, arguments: [key]).map(entry)
  }

  static func get(_ db: Database, _ key: String, at revision: Revision) throws -> Entry? {
    try demand(revision, db)
    let found = try Row.fetchOne(
      db, sql: "SELECT * FROM versions WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1",
      arguments: [key, Int64(revision)]
    ).map(entry)
    return found?.value == nil ? nil : found
  }

  static func list(_ db: Database, _ prefix: String, after: String?, limit: Int) throws -> [Entry] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT v.* FROM entries e JOIN versions v ON v.key = e.key AND v.revision = e.revision
        WHERE e.key > ? AND e.key >= ? AND e.key < ? ORDER BY e.key LIMIT ?
        """,
      arguments: [after ?? "", prefix, StoreLimits.end(of: prefix), limit]
    ).map(entry)
  }

  static func list(
    _ db: Database, _ prefix: String, after: String?, limit: Int, at revision: Revision
  ) throws -> [Entry] {
    try demand(revision, db)
    return try Row.fetchAll(
      db,
      sql: """
        SELECT v.* FROM versions v
        WHERE v.key > ? AND v.key >= ? AND v.key < ? AND v.value IS NOT NULL
          AND v.revision = (SELECT max(revision) FROM versions w WHERE w.key = v.key AND w.revision <= ?)
        ORDER BY v.key LIMIT ?
        """,
      arguments: [after ?? "", prefix, StoreLimits.end(of: prefix), Int64(revision), limit]
    ).map(entry)
  }

  static func history(_ db: Database, _ key: String, limit: Int) throws -> [Entry] {
    try Row.fetchAll(
      db, sql: "SELECT * FROM versions WHERE key = ? ORDER BY revision DESC LIMIT ?", arguments: [key, limit]
    ).map(entry)
  }

  /// Commits after one revision up to another, of keys with a prefix.
  static func batches(
    _ db: Database, _ prefix: String, after: Revision, through: Revision, limit: Int
  ) throws -> [WatchBatch] {
    try demand(after, db)
    var batches: [WatchBatch] = []
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT * FROM versions WHERE revision > ? AND revision <= ? AND key >= ? AND key < ? ORDER BY revision, key
        """,
      arguments: [Int64(after), Int64(through), prefix, StoreLimits.end(of: prefix)])
    while let row = try rows.next() {
      let entry = entry(row)
      if batches.last?.revision == entry.modified {
        batches[batches.count - 1].changes.append(entry)
      } else {
        if batches.count == limit { throw StoreError.compacted(oldest: entry.modified) }
        batches.append(WatchBatch(revision: entry.modified, changes: [entry]))
      }
    }
    return batches
  }

  /// Applies a transaction as the next revision.
  /// - Throws: `StoreError.conflict`, `StoreError.leaseNotFound`: before anything is written.
  static func apply(
    _ transaction: Transaction, as revision: Revision, seconds: Int64, _ db: Database
  ) throws -> WatchBatch {
    var failed: [String: Entry?] = [:]
    for condition in transaction.conditions {
      let found = try get(db, condition.key)
      if !condition.holds(for: found) { failed.updateValue(found, forKey: condition.key) }
    }
    if !failed.isEmpty { throw StoreError.conflict(failed) }
    for case .put(_, _, let lease?) in transaction.operations where lease != 0 {
      guard
        try Bool.fetchOne(db, sql: "SELECT 1 FROM leases WHERE id = ?", arguments: [Int64(bitPattern: lease)]) == true
      else { throw StoreError.leaseNotFound(lease) }
    }
    var changes: [Entry] = []
    for operation in transaction.operations {
      let present = try get(db, operation.key)
      switch operation {
      case .put(let key, let value, let lease):
        let entry = Entry(
          key: key, value: value, created: present?.created ?? revision, modified: revision, lease: lease ?? 0)
        try write(entry, db)
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO entries (key, revision, lease) VALUES (?, ?, ?)")
          .execute(arguments: [key, Int64(revision), Int64(bitPattern: entry.lease)])
        changes.append(entry)
      case .delete(let key):
        guard let present else { continue }
        let entry = Entry(key: key, value: nil, created: present.created, modified: revision)
        try write(entry, db)
        try db.cachedStatement(sql: "DELETE FROM entries WHERE key = ?").execute(arguments: [key])
        changes.append(entry)
      }
    }
    try db.cachedStatement(sql: "INSERT INTO revisions (revision, seconds) VALUES (?, ?)")
      .execute(arguments: [Int64(revision), seconds])
    return WatchBatch(revision: revision, changes: changes)
  }

  private static func write(_ entry: Entry, _ db: Database) throws {
    try db.cachedStatement(sql: "INSERT INTO versions (key, revision, created, lease, value) VALUES (?, ?, ?, ?, ?)")
      .execute(arguments: [
        entry.key, Int64(entry.modified), Int64(entry.created), Int64(bitPattern: entry.lease),
        entry.value.map { Data($0) },
      ])
  }

  /// Forgets versions before `revision` that nobody can ask for any more.
  static func compact(_ db: Database, before revision: Revision) throws {
    let bound = Int64(min(revision, try SQLiteTables.revision(db)))
    if try Revision(bound) <= oldest(db) { return }
    // Of each key, the newest version before the bound still answers for the bound itself, unless it is a deletion.
    try db.execute(
      sql: """
        DELETE FROM versions WHERE revision < ?1 AND (value IS NULL OR EXISTS (
          SELECT 1 FROM versions w WHERE w.key = versions.key AND w.revision > versions.revision AND w.revision <= ?1))
        """, arguments: [bound])
    try db.execute(sql: "DELETE FROM revisions WHERE revision < ?", arguments: [bound])
    try db.execute(sql: "UPDATE compaction SET oldest = ?", arguments: [bound])
  }
}
