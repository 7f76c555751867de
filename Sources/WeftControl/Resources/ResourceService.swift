import Foundation
import Logging
import WeftConfig
import WeftStore

/// Reads and writes resources. A write is checked as a whole: the set of all resources with the change applied must
/// have no error that it did not have before; what the change cannot concern is not looked at (`ChangeScope`). Writes of all replicas are made one after the other, by a key of the
/// store that each of them changes, so that what was checked is what is stored.
public actor ResourceService {
  public nonisolated let store: any Store
  public nonisolated let audit: AuditLog
  let validator: ResourceValidator
  private let log: Logger
  private let now: @Sendable () -> Date

  /// Changed by each write, in the same transaction.
  private static let guardKey = "/control/resources/revision"
  /// Writes that may wait for their turn.
  private static let queueLimit = 1_000
  /// How often a write begins anew because another replica was quicker.
  private static let attempts = 20
  /// Bytes of one resource as JSON.
  public static let sizeLimit = StoreLimits.value

  private var isWriting = false
  private var waiting: [CheckedContinuation<Void, Never>] = []
  private var cache = Everything(revision: nil, resources: [:])
  /// When the cache was last compared with the whole store.
  private var compared: ContinuousClock.Instant?
  /// For so long, the cache counts as long as the guard has not changed. What somebody has put into the store past all
  /// control planes is seen afterwards.
  private static let trust = Duration.seconds(10)
  /// What is said of the set at the revision of the guard.
  var known: (revision: Revision, findings: Set<ResourceFinding>)?
  private var writesSincePrune = 0

  struct Stored {
    let revision: Revision
    let document: ResourceDocument
    let mentions: ResourceMentions

    init(_ revision: Revision, _ document: ResourceDocument) {
      self.revision = revision
      self.document = document
      mentions = ResourceMentions(document)
    }
  }

  struct Everything {
    /// Of the guard; nil before the first write.
    var revision: Revision?
    var resources: [ResourceKey: Stored]
  }

  public init(
    _ store: any Store, validator: ResourceValidator = ResourceValidator(), log: Logger = Logger(label: "api"),
    now: @escaping @Sendable () -> Date = { Date() }
  ) {
    self.store = store
    self.validator = validator
    self.log = log
    self.now = now
    audit = AuditLog(store)
  }

  // MARK: Writing

  /// Makes all changes in one transaction, or several when they are more than a transaction takes (about 95); then
  /// those before one that fails are made.
  public func write(
    _ changes: [ResourceChange], verb: String, by author: Author, _ options: WriteOptions = WriteOptions()
  ) async throws(ResourceProblem) -> WriteResult {
    try await enter()
    defer { leave() }
    for _ in 0..<Self.attempts {
      let everything = try await load()
      let planned = try plan(changes, on: everything)
      let warnings = try check(planned, on: everything, options)
      var result = WriteResult(results: planned, warnings: warnings.0, revision: 0)
      if options.isDryRun || !planned.contains(where: { $0.outcome != .unchanged }) { return result }
      guard let revision = try await commit(&result, over: everything.revision, verb: verb, by: author, options)
      else { continue }
      if let known, known.revision == everything.revision ?? 0 {
        self.known = (revision, known.findings.subtracting(warnings.gone).union(warnings.new))
      }
      remember(result, at: revision, over: everything)
      result.revision = revision
      await pruneSometimes()
      return result
    }
    throw .conflict("others write all the time; try again", [])
  }

  /// Resources as they would be after the changes, in their order.
  private func plan(_ changes: [ResourceChange], on everything: Everything) throws(ResourceProblem) -> [ResourceResult]
  {
    var results: [ResourceResult] = []
    var seen: Set<ResourceKey> = []
    for change in changes {
      guard seen.insert(change.key).inserted else {
        throw .invalid([ResourceFinding(resource: change.key, path: "metadata", "is given twice; remove one")])
      }
      if let type = ResourceType.named(change.key.resourceKind), !type.isWritable {
        throw .readOnly("\(type.plural) are written by the control plane itself, from what sidecars report")
      }
      let current = everything.resources[change.key]
      try check(change.precondition, change.key, current)
      switch change.action {
      case .delete:
        guard let current else { throw .notFound("no \(change.key)") }
        results.append(
          ResourceResult(
            key: change.key, outcome: .deleted, document: current.document, before: current.document,
            revision: current.revision))
      case .put(let document): results.append(try put(document, over: current))
      case .edit(let edit):
        guard let current else { throw .notFound("no \(change.key)") }
        let document = try edit(current.document)
        guard document.key == change.key else {
          throw .invalid([ResourceFinding(resource: change.key, path: "metadata.name", "cannot be changed")])
        }
        results.append(try put(document, over: current))
      }
    }
    return results
  }

  private func put(_ document: ResourceDocument, over current: Stored?) throws(ResourceProblem) -> ResourceResult {
    if let current, current.document.content == document.content {
      return ResourceResult(
        key: document.key, outcome: .unchanged, document: current.document, before: current.document,
        revision: current.revision)
    }
    let stored = document.stored(over: current?.document, at: now())
    let size = stored.value.text.utf8.count
    guard size <= Self.sizeLimit else {
      throw .tooLarge("\(document.key) has \(size) bytes as JSON; at most \(Self.sizeLimit) are taken")
    }
    return ResourceResult(
      key: document.key, outcome: current == nil ? .created : .configured, document: stored, before: current?.document,
      revision: 0)
  }

  private func check(
    _ precondition: ResourceChange.Precondition, _ key: ResourceKey, _ current: Stored?
  ) throws(ResourceProblem) {
    switch precondition {
    case .none: break
    case .absent: if current != nil { throw .conflict("\(key) exists already; use PUT or PATCH to change it", []) }
    case .exists: if current == nil { throw .notFound("no \(key)") }
    case .revision(let revision):
      guard let current else { throw .conflict("\(key) does not exist any more", []) }
      guard current.revision == revision else {
        throw .conflict(
          "\(key) was changed by somebody else: its resourceVersion is \(current.revision), not \(revision); get it anew",
          [])
      }
    }
  }

  /// - Returns: the new revision; nil when another replica has written meanwhile.
  private func commit(
    _ result: inout WriteResult, over revision: Revision?, verb: String, by author: Author, _ options: WriteOptions
  ) async throws(ResourceProblem) -> Revision? {
    // The guard's condition and new value, and the audit entry.
    let most = StoreLimits.operations - 3
    let indices = result.results.indices.filter { result.results[$0].outcome != .unchanged }
    var latest = revision
    for start in stride(from: 0, to: indices.count, by: most) {
      let part = indices[start..<min(start + most, indices.count)]
      var operations: [Transaction.Operation] = part.map { index in
        let change = result.results[index]
        return change.outcome == .deleted
          ? .delete(change.key.path) : .put(change.key.path, Array(change.document.value.text.utf8), lease: nil)
      }
      operations.append(.put(Self.guardKey, Array(author.name.utf8), lease: nil))
      operations.append(
        AuditLog.entry(
          verb, by: author, manager: options.fieldManager, at: now(), part.map { AuditLog.Item(result.results[$0]) }))
      let condition: Transaction.Condition =
        latest.map { .unchanged(Self.guardKey, since: $0) } ?? .absent(Self.guardKey)
      do {
        let new = try await store.commit(Transaction(when: [condition], operations))
        latest = new
        for index in part { result.results[index].revision = new }
      } catch {
        known = nil
        compared = nil
        if case .conflict = error, start == 0 { return nil }
        if start > 0 {
          throw .conflict(
            "\(start) of \(indices.count) changes were made, and then: \(error); apply the same again", [])
        }
        throw ResourceProblem(error)
      }
    }
    return latest
  }

  private func enter() async throws(ResourceProblem) {
    guard isWriting else {
      isWriting = true
      return
    }
    guard waiting.count < Self.queueLimit else {
      throw .store(.unavailable("\(Self.queueLimit) writes wait already; try again later"))
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  private func leave() {
    if waiting.isEmpty { isWriting = false } else { waiting.removeFirst().resume() }
  }

  private func pruneSometimes() async {
    writesSincePrune += 1
    guard writesSincePrune >= 200 else { return }
    writesSincePrune = 0
    do { try await audit.prune() } catch { log.warning("the audit log cannot be pruned: \(error)") }
  }

  // MARK: Reading everything

  /// All resources but Workloads, which the control plane writes itself.
  private func load() async throws(ResourceProblem) -> Everything {
    do {
      // Read before the resources: a write between the two makes the commit fail.
      let revision = try await store.get(Self.guardKey, at: nil)?.modified
      if let compared, compared.duration(to: .now) < Self.trust, cache.revision == revision { return cache }
      var resources: [ResourceKey: Stored] = [:]
      for type in ResourceType.all where type.isWritable {
        let prefix = ResourceKey.prefix(group: type.kind.group, kind: type.kind.kind)
        var after: String?
        repeat {
          let page = try await store.list(prefix: prefix, after: after, limit: 1_000, at: nil)
          for entry in page.entries {
            guard let key = ResourceKey(entry.key) else { continue }
            if let known = cache.resources[key], known.revision == entry.modified {
              resources[key] = known
            } else if let document = ResourceDocument(entry) {
              resources[key] = Stored(entry.modified, document)
            } else {
              log.warning("the store's entry \(entry.key) is no resource that this version reads")
            }
          }
          after = page.hasMore ? page.entries.last?.key : nil
        } while after != nil
      }
      cache = Everything(revision: revision, resources: resources)
      compared = .now
      return cache
    } catch {
      compared = nil
      throw ResourceProblem(error)
    }
  }

  /// What this control plane has just written need not be read again.
  private func remember(_ result: WriteResult, at revision: Revision, over everything: Everything) {
    guard cache.revision == everything.revision else { return }
    cache.revision = revision
    for change in result.results where change.outcome != .unchanged {
      cache.resources[change.key] = change.outcome == .deleted ? nil : Stored(change.revision, change.document)
    }
  }

  /// Everything that is wrong or odd at present, errors and warnings.
  public func findings() async throws(ResourceProblem) -> [ResourceFinding] {
    let everything = try await load()
    if let known, known.revision == everything.revision ?? 0 { return Self.sorted(known.findings) }
    let findings = validator.findings(documents(everything))
    known = (everything.revision ?? 0, findings)
    return Self.sorted(findings)
  }
}
