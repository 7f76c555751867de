import Foundation
import Logging
import WeftConfig
import WeftStore

/// Drives rollouts of bundles: from step to step, to the end, or back. It alone writes a rollout's share into a
/// FilterBundle. What it decides it writes into the store first, so that the next one goes on from there.
public actor RolloutController {
  public struct Options: Sendable {
    /// How often rollouts are looked at.
    public var interval = Duration.seconds(1)

    public init() {}
  }

  static let type = "weft.dev/v1/FilterBundle"
  /// Of each kind of thing that is read at a time.
  private static let limit = 10_000

  private let store: any Store
  private let resources: ResourceService
  private let hub: DiscoveryHub
  private let telemetry: TelemetryAggregator
  private let reports: RolloutReports
  private let options: Options
  private let log: Logger
  private let leadership: RolloutLeadership
  /// What was known of each version the last time, by replica.
  private var last: [String: [RolloutReport.Version: RolloutFigures]] = [:]
  /// Rollouts whose figures have been begun with.
  private var followed: Set<String> = []

  public init(_ plane: ControlPlane, resources: ResourceService, options: Options = Options(), log: Logger) {
    store = plane.store
    self.resources = resources
    hub = plane.hub
    telemetry = plane.telemetry
    reports = RolloutReports(store: plane.store, replica: plane.options.replica)
    leadership = RolloutLeadership(plane.store, replica: plane.options.replica)
    self.options = options
    self.log = log
  }

  /// Runs until the task is cancelled.
  public func run() async {
    var wasWrong = false
    while !Task.isCancelled {
      do { try await Task.sleep(for: options.interval) } catch { break }
      do {
        try await look()
        wasWrong = false
      } catch {
        if case StoreError.closed = error { return }
        if !wasWrong { log.warning("rollouts cannot go on, which is tried again: \(error)") }
        wasWrong = true
      }
    }
    await leadership.resign()
  }

  /// A FilterBundle, or what is left of one.
  private struct Item {
    let key: ResourceKey
    var resource: FilterBundleResource?
    var status: RolloutStatus?
    /// Of the status.
    var revision: Revision?

    var name: String { "\(key.namespace)/\(key.name)" }
    var isActive: Bool { resource?.rollout != nil || status.map { !$0.phase.isOver } == true }
  }

  private func look() async throws {
    let items = try await items().filter(\.isActive)
    let present = Set(items.map(\.name))
    followed.formIntersection(present)
    if items.isEmpty {
      last = [:]
      await leadership.resign()
      return
    }
    let own = await report(items)
    guard try await leadership.campaign() else {
      if let lease = await leadership.ownLease { try await reports.publish(own, lease: lease) }
      last = [:]
      followed = []
      return
    }
    var all = try await reports.others()
    all[reports.replica] = own
    let added = news(all)
    for item in items {
      do { try await drive(item, all, added) } catch let error as StoreError {
        // Somebody has promoted it meanwhile: it is looked at again.
        guard case .conflict = error else { throw error }
      }
    }
  }

  private func items() async throws -> [Item] {
    var items: [ResourceKey: Item] = [:]
    let kind = ResourceKey.prefix(group: "weft.dev", kind: "FilterBundle")
    for entry in try await store.list(prefix: kind, after: nil, limit: Self.limit, at: nil).entries {
      guard let key = ResourceKey(entry.key), let document = ResourceDocument(entry) else { continue }
      items[key] = Item(key: key, resource: Self.read(document))
    }
    let status = ResourceKey.statusPrefix + kind.dropFirst(ResourceKey.prefix.count)
    for entry in try await store.list(prefix: status, after: nil, limit: Self.limit, at: nil).entries {
      let path = ResourceKey.prefix + entry.key.dropFirst(ResourceKey.statusPrefix.count)
      guard let key = ResourceKey(path), let found = RolloutStatus(entry) else { continue }
      items[key, default: Item(key: key)].status = found
      items[key]?.revision = entry.modified
    }
    return items.values.sorted { $0.key < $1.key }
  }

  private static func read(_ document: ResourceDocument) -> FilterBundleResource? {
    let loaded = ConfigLoader.load(
      documents: [ConfigDocuments(document.value, source: document.key.source)], sources: [document.key.source])
    return loaded.resources.filterBundles.all.first
  }

  // MARK: What is known

  private func report(_ items: [Item]) async -> RolloutReport {
    var report = RolloutReport()
    var digests: Set<String> = []
    for item in items {
      digests.formUnion(item.resource?.digests ?? [])
      for refused in await hub.rejections(type: Self.type, name: item.name) {
        report.refusals.append(
          .init(bundle: item.name, proxy: refused.proxy, message: refused.message, since: refused.since))
      }
    }
    report.entries = telemetry.versions(digests).map { filter, counts, samples in
      RolloutReport.Entry(
        version: .init(filter: filter.filter, digest: filter.digest, variant: filter.variant),
        figures: RolloutFigures(counts, isShadow: filter.variant == "shadow"), samples: samples)
    }
    return report
  }

  /// What came since the last time, of all replicas.
  private func news(_ reports: [String: RolloutReport]) -> [RolloutReport.Version: RolloutFigures] {
    var news: [RolloutReport.Version: RolloutFigures] = [:]
    for (replica, report) in reports {
      let known = last[replica]
      var now: [RolloutReport.Version: RolloutFigures] = [:]
      for entry in report.entries {
        now[entry.version] = entry.figures
        // Totals of a replica that was never seen before are of the past.
        guard let known else { continue }
        news[entry.version, default: .init()].add(entry.figures.since(known[entry.version] ?? .init()))
      }
      last[replica] = now
    }
    return news
  }

  // MARK: Driving

  private func drive(
    _ item: Item, _ reports: [String: RolloutReport], _ news: [RolloutReport.Version: RolloutFigures]
  ) async throws {
    let now = Date().timeIntervalSince1970
    guard let resource = item.resource, let rollout = resource.rollout else { return try await end(item, at: now) }
    var status: RolloutStatus
    if let known = item.status, !known.phase.isOver, known.candidate == rollout.candidate,
      known.from == resource.digest,
      known.mode == rollout.mode.rawValue
    {
      status = known
    } else {
      status = RolloutStatus(rollout, from: resource.digest, at: now)
      followed.remove(item.name)
      status.percent = rollout.percent
      status.note("began at \(rollout.steps.first?.percent ?? 0) %", at: now)
      await tell(.normal, "RolloutStarted", item, "\(resource.digest) to \(rollout.candidate)")
    }
    status.by = rollout.unit.rawValue
    let before = status
    // At its beginning the totals still hold what an earlier rollout did.
    if !followed.insert(item.name).inserted {
      status.add(
        stable: Self.sum(news, item, resource.digest, ["stable", ""]),
        candidate: Self.sum(news, item, rollout.candidate, ["candidate", "shadow", ""]))
    }
    observe(&status, item, rollout, reports, at: now)
    status.advance(rollout, at: now)
    if status.phase == .rollingBack || status.phase == .completing { return try await finish(item, status, at: now) }

    let percent = status.steps[status.step].percent
    let isOld = rollout.percent != percent
    status.percent = percent
    // The decision first: whoever comes after a crash writes the share that it says.
    if status != item.status { try await save(status, item) }
    if before.step != status.step { await tell(.normal, "RolloutStep", item, status.message) }
    if isOld { try await write(percent: percent, item, rollout, status, at: now) }
  }

  private func observe(
    _ status: inout RolloutStatus, _ item: Item, _ rollout: FilterBundleRollout, _ reports: [String: RolloutReport],
    at now: Double
  ) {
    // What a proxy said of an earlier rollout it takes back with the next configuration.
    let refusals = reports.values.flatMap(\.refusals).filter { $0.bundle == item.name && $0.since >= status.started }
    status.refusals = refusals.sorted { $0.proxy < $1.proxy }.prefix(RolloutStatus.refusalLimit).map {
      RolloutStatus.Refusal(proxy: $0.proxy, message: $0.message)
    }
    let samples = reports.values.flatMap(\.entries).filter {
      $0.version.digest == rollout.candidate && $0.version.variant == "shadow" && Self.isOf($0.version, item)
    }.flatMap(\.samples)
    if status.mode == FilterBundleRollout.Mode.shadow.rawValue, status.candidateFigures.different > 0 {
      status.samples = Array(samples.suffix(RolloutStatus.sampleLimit))
    }
    if let first = status.refusals.first, status.phase == .progressing || status.phase == .waiting {
      let line = first.message.split(separator: "\n").first.map(String.init) ?? ""
      status.rollBack("\(first.proxy) refuses it: \(line)", at: now)
    }
  }

  private static func isOf(_ version: RolloutReport.Version, _ item: Item) -> Bool {
    version.filter.hasPrefix("\(item.key.namespace)/")
  }

  private static func sum(
    _ news: [RolloutReport.Version: RolloutFigures], _ item: Item, _ digest: String, _ variants: Set<String>
  ) -> RolloutFigures {
    var sum = RolloutFigures()
    for (version, figures) in news
    where version.digest == digest && variants.contains(version.variant) && isOf(version, item) {
      sum.add(figures)
    }
    return sum
  }

  private func write(
    percent: Int, _ item: Item, _ rollout: FilterBundleRollout, _ status: RolloutStatus, at now: Double
  ) async throws {
    do {
      try await edit(item, rollout.candidate, "bundle rollout") { spec in
        spec["rollout"]?["percent"] = .number("\(percent)")
      }
    } catch let problem as ResourceProblem {
      // Nobody can fix what is wrong with the candidate but by another rollout.
      guard case .invalid(let findings) = problem else { throw problem }
      var status = status
      status.rollBack(findings.map(\.description).prefix(5).joined(separator: "; "), at: now)
      let latest = try await store.get(item.key.statusPath, at: nil)?.modified
      try await finish(
        Item(key: item.key, resource: item.resource, status: item.status, revision: latest), status, at: now)
    }
  }

  // MARK: Ending

  /// Carries out what was decided about the rollout's end.
  private func finish(_ item: Item, _ decided: RolloutStatus, at now: Double) async throws {
    var status = decided
    let revision = try await save(status, item)
    let isDone = status.phase == .completing
    let takesOver = isDone && status.mode == FilterBundleRollout.Mode.canary.rawValue
    let candidate = status.candidate
    do {
      try await edit(item, candidate, isDone ? "bundle promote" : "bundle rollback") { spec in
        spec["rollout"] = nil
        if takesOver { spec["digest"] = .string(candidate) }
      }
    } catch let problem as ResourceProblem {
      // Taken back by somebody else meanwhile.
      guard case .notFound = problem else { throw problem }
    }
    status.phase = isDone ? .succeeded : .rolledBack
    status.percent = takesOver ? 100 : 0
    status.ended = now
    if isDone {
      let figures = status.candidateFigures
      status.note(
        takesOver
          ? "\(candidate) is the present version"
          : "shadow mode ended: \(figures.same) calls were the same, \(figures.different) were different", at: now)
    }
    try await save(status, Item(key: item.key, resource: nil, status: decided, revision: revision))
    await tell(
      isDone ? .normal : .warning, isDone ? "RolloutSucceeded" : "RolloutRolledBack", item, status.message)
  }

  /// The FilterBundle has no rollout any more.
  private func end(_ item: Item, at now: Double) async throws {
    guard var status = item.status, !status.phase.isOver else { return }
    let isThere = item.resource?.digest == status.candidate
    switch status.phase {
    case .completing: status.phase = .succeeded
    case .rollingBack: status.phase = .rolledBack
    default:
      status.phase = isThere ? .succeeded : .aborted
      status.note(isThere ? "somebody made the candidate the present version" : "taken back", at: now)
    }
    status.percent = isThere ? 100 : 0
    status.ended = now
    try await save(status, item)
    let reason = "Rollout\(status.phase.rawValue)"
    await tell(status.phase == .rolledBack ? .warning : .normal, reason, item, status.message)
  }

  // MARK: Writing

  @discardableResult
  private func save(_ status: RolloutStatus, _ item: Item) async throws -> Revision {
    let key = item.key.statusPath
    let condition: Transaction.Condition = item.revision.map { .unchanged(key, since: $0) } ?? .absent(key)
    return try await store.commit(Transaction(when: [condition], [.put(key, try status.bytes, lease: nil)]))
  }

  /// Changes a FilterBundle that is still in the rollout of that candidate.
  private func edit(
    _ item: Item, _ candidate: String, _ verb: String, _ body: @escaping @Sendable (inout JSONValue) -> Void
  ) async throws {
    let change = ResourceChange(
      item.key,
      .edit { document throws(ResourceProblem) in
        guard var spec = document.value["spec"], spec["rollout"]?["candidate"]?.string == candidate else {
          throw .notFound("the rollout is over")
        }
        body(&spec)
        var value = document.value
        value["spec"] = spec
        return try ResourceDocument(value)
      })
    _ = try await resources.write([change], verb: verb, by: .itself)
  }

  private func tell(_ severity: MeshEvent.Severity, _ reason: String, _ item: Item, _ text: String) async {
    log.notice("\(item.name): \(reason): \(text)")
    await hub.report(severity, reason, "FilterBundle.weft.dev \(item.name)", text)
  }
}
