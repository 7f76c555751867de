import Foundation
import WeftConfig
import WeftStore

/// Who changed what, and how: an entry in the store for each change, written in the same transaction as the change.
public struct AuditLog: Sendable {
  static let changes = "/control/audit/"
  /// Entries that are kept.
  public static let limit = 10_000
  /// Bytes of the differences of one entry; beyond it only the names of what was changed are kept.
  static let differenceBytes = 256 << 10

  let store: any Store
  /// Where its entries are.
  let prefix: String

  public init(_ store: any Store) { self.init(store, prefix: Self.changes) }

  init(_ store: any Store, prefix: String) {
    self.store = store
    self.prefix = prefix
  }

  /// What was done to one thing.
  struct Item {
    let subject: JSONValue
    let outcome: String
    let differences: [JSONDifference]
  }

  /// The operation that writes an entry, for the transaction that makes the change.
  static func entry(
    _ verb: String, by author: Author, manager: String? = nil, at time: Date = Date(), _ items: [Item],
    under prefix: String = changes
  ) -> Transaction.Operation {
    let milliseconds = UInt64(max(time.timeIntervalSince1970 * 1000, 0))
    let digits = String(milliseconds)
    let id =
      String(repeating: "0", count: max(15 - digits.count, 0)) + digits + "-"
      + String(UInt32.random(in: 0...UInt32.max), radix: 16)
    var room = differenceBytes
    var isCut = false
    let changes = items.map { item -> JSONValue in
      var change: JSONValue = ["subject": item.subject, "outcome": .string(item.outcome)]
      let differences = item.differences.map(\.json)
      let size = differences.reduce(0) { $0 + $1.text.utf8.count }
      if size <= room {
        room -= size
        change["diff"] = .array(differences)
      } else {
        isCut = true
      }
      return change
    }
    var value: JSONValue = [
      "id": .string(id), "time": .string(ResourceDocument.timestamp(time)), "verb": .string(verb),
      "who": .string(author.name), "role": .string(author.role), "address": .string(author.address),
      "changes": .array(changes),
    ]
    if let manager { value["fieldManager"] = .string(manager) }
    if isCut { value["isCut"] = true }
    return .put(prefix + id, Array(value.text.utf8), lease: nil)
  }

  /// Entries, newest first, each with the revision of its change.
  /// - Parameter limit: at most so many.
  public func entries(limit: Int) async throws(StoreError) -> [JSONValue] {
    try await all().suffix(limit).reversed().compactMap { entry in
      guard let bytes = entry.value, var value = try? JSONValue(parsing: bytes) else { return nil }
      value["revision"] = .string("\(entry.modified)")
      return value
    }
  }

  /// Forgets what is beyond the limit, the oldest first.
  func prune() async throws(StoreError) {
    let old = try await all().dropLast(Self.limit).map(\.key)
    for start in stride(from: 0, to: old.count, by: StoreLimits.operations) {
      let keys = old[start..<min(start + StoreLimits.operations, old.count)]
      try await store.commit(Transaction(keys.map { .delete($0) }))
    }
  }

  private func all() async throws(StoreError) -> [Entry] {
    var entries: [Entry] = []
    while true {
      let page = try await store.list(prefix: prefix, after: entries.last?.key, limit: 1_000, at: nil)
      entries += page.entries
      // Pruning keeps it near the limit; a store that somebody else fills does not fill the memory.
      if !page.hasMore || entries.count > 4 * Self.limit { return entries }
    }
  }
}

extension AuditLog.Item {
  init(_ result: ResourceResult) {
    subject = [
      "apiVersion": .string(result.document.type.apiVersion), "kind": .string(result.key.kind),
      "namespace": .string(result.key.namespace), "name": .string(result.key.name),
    ]
    outcome = result.outcome.rawValue
    let before = result.before?.content
    let after = result.outcome == .deleted ? nil : result.document.content
    var differences = JSONDifference.between(before, after)
    if result.key.kind == "Secret" && result.key.group.isEmpty {
      differences = JSONDifference.between(before.map(AuditLog.withoutSecrets), after.map(AuditLog.withoutSecrets))
      if differences.isEmpty {
        differences = [JSONDifference(path: .root.appending("data"), before: nil, after: "(changed)")]
      }
    }
    self.differences = differences
  }
}

extension AuditLog {
  /// A Secret without its values.
  static func withoutSecrets(_ value: JSONValue) -> JSONValue {
    var value = value
    for field in ["data", "stringData"] {
      guard let members = value[field]?.object else { continue }
      value[field] = .object(members.mapValues { _ in "(hidden)" })
    }
    return value
  }
}
