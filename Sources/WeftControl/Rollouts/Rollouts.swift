import Foundation
import WeftConfig
import WeftStore

/// What people do with rollouts. It changes the FilterBundle, or leaves a wish in the rollout's status; the controller of
/// whichever replica leads does the rest.
struct Rollouts: Sendable {
  let resources: ResourceService
  let registry: BundleRegistry
  let mesh: any MeshStatus

  /// Proxies that a status names.
  private static let proxyLimit = 1_000

  private var store: any Store { resources.store }

  private static func key(_ namespace: String, _ name: String) throws -> ResourceKey {
    guard ResourceDocument.isName(namespace, limit: 63, dots: false),
      ResourceDocument.isName(name, limit: 253, dots: true)
    else { throw APIProblem(.badRequest, "\(namespace.prefix(80))/\(name.prefix(80)) names no FilterBundle") }
    return ResourceKey(group: "weft.dev", kind: "FilterBundle", namespace: namespace, name: name)
  }

  // MARK: Status

  func status(_ namespace: String, _ name: String) async throws -> JSONValue {
    let key = try Self.key(namespace, name)
    let resource = try? await resources.get(key)
    let entry = try await store.get(key.statusPath, at: nil)
    let status = entry.flatMap(RolloutStatus.init)
    guard resource != nil || status != nil else { throw APIProblem(.notFound, "no \(key)") }
    return try await shown(key, resource, status)
  }

  func list() async throws -> [JSONValue] {
    var all: [JSONValue] = []
    let prefix = "\(ResourceKey.statusPrefix)weft.dev/FilterBundle/"
    for entry in try await store.list(prefix: prefix, after: nil, limit: 1_000, at: nil).entries {
      let path = ResourceKey.prefix + entry.key.dropFirst(ResourceKey.statusPrefix.count)
      guard let key = ResourceKey(path), let status = RolloutStatus(entry) else { continue }
      all.append(try Self.json(key, status))
    }
    return all
  }

  private func shown(_ key: ResourceKey, _ resource: JSONValue?, _ status: RolloutStatus?) async throws -> JSONValue {
    var value = try Self.json(key, status)
    value["digest"] = resource?["spec"]?["digest"]
    // Asked for, and not begun yet.
    if resource?["spec"]?["rollout"] != nil, status.map(\.phase.isOver) ?? true { value["isPending"] = true }
    let name = "\(key.namespace)/\(key.name)"
    let proxies = await mesh.proxies().compactMap { proxy -> JSONValue? in
      guard let bundle = proxy.bundles.first(where: { $0.name == name }) else { return nil }
      return [
        "id": .string(proxy.id), "sync": .string(proxy.sync.rawValue), "digest": .string(bundle.digest),
        "state": .string(bundle.state.rawValue), "error": .string(bundle.error),
      ]
    }
    value["proxies"] = .array(Array(proxies.prefix(Self.proxyLimit)))
    return value
  }

  /// Not inlined, for Swift 6.3's optimiser crashes on its errors within an async function.
  @inline(never)
  private static func json(_ key: ResourceKey, _ status: RolloutStatus?) throws -> JSONValue {
    var value: JSONValue = ["namespace": .string(key.namespace), "name": .string(key.name)]
    if let status {
      value["rollout"] = try JSONValue(parsing: status.bytes)["rollout"]
      value["rollout"]?["stableWindow"] = nil
      value["rollout"]?["candidateWindow"] = nil
      for (version, figures) in [("stable", status.stableFigures), ("candidate", status.candidateFigures)] {
        value["rollout"]?["\(version)Figures"]?["latencyP99"] = figures.latency(quantile: 0.99).map { .number("\($0)") }
        let name = "\(version)Figures"
        value["rollout"]?[name]?["latencyP50"] = figures.latency(quantile: 0.5).map { .number("\($0)") }
        value["rollout"]?[name]?["errorRate"] = .number("\(figures.errorRate)")
        value["rollout"]?[name]?["callTime"] = figures.callTime.map { .number("\($0)") }
        value["rollout"]?["\(version)Figures"]?["latencyMean"] = figures.meanLatency.map { .number("\($0)") }
      }
    }
    return value
  }

  // MARK: Commands

  /// Begins a rollout of a FilterBundle that is there.
  /// - Parameter body: `to` (a version, a tag or a digest), and the fields of `spec.rollout`.
  func start(_ namespace: String, _ name: String, _ body: JSONValue, by author: Author) async throws -> JSONValue {
    let key = try Self.key(namespace, name)
    guard let target = body["to"]?.string else {
      throw APIProblem(.unprocessableContent, "\"to\" is missing: a version, a tag or a digest of the bundle")
    }
    let digest = try await registry.resolve(name, target).digest
    // What another replica was given a moment ago is brought here, to be compiled.
    await registry.bring(digest)
    var rollout = body
    rollout["to"] = nil
    rollout["percent"] = nil
    rollout["candidate"] = .string(digest)
    let new = rollout
    try await edit(key, "bundle rollout", by: author) { spec throws(ResourceProblem) in
      if spec["digest"]?.string == digest { throw .conflict("\(digest) is the present version of \(key)", []) }
      if let other = spec["rollout"]?["candidate"]?.string {
        throw .conflict(
          "\(key) is in a rollout to \(other); promote it to its end or abort it first (weft bundle status \(name))", []
        )
      }
      spec["rollout"] = new
    }
    return try await status(namespace, name)
  }

  /// Lets a rollout go on at once.
  /// - Parameter isToEnd: to its end, not only to the next step.
  func promote(_ namespace: String, _ name: String, isToEnd: Bool, by author: Author) async throws -> JSONValue {
    let key = try Self.key(namespace, name)
    for _ in 0..<20 {
      guard let entry = try await store.get(key.statusPath, at: nil), var status = RolloutStatus(entry),
        !status.phase.isOver, status.phase != .rollingBack
      else { throw APIProblem(.conflict, "\(key) is in no rollout that could go on") }
      if isToEnd { status.isPromotedToEnd = true } else { status.isPromoted = true }
      let audit = AuditLog.entry(
        "bundle promote", by: author,
        [
          .init(
            subject: ["bundle": .string("\(namespace)/\(name)"), "digest": .string(status.candidate)],
            outcome: "configured", differences: [])
        ])
      do {
        try await store.commit(
          Transaction(
            when: [.unchanged(key.statusPath, since: entry.modified)],
            [.put(key.statusPath, try status.bytes, lease: nil), audit]))
        return try await self.status(namespace, name)
      } catch let error as StoreError {
        guard case .conflict = error else { throw error }
      }
    }
    throw APIProblem(.conflict, "the rollout of \(key) changes all the time; try again")
  }

  /// Takes a rollout back: all proxies run the version that was in force.
  func abort(_ namespace: String, _ name: String, by author: Author) async throws -> JSONValue {
    let key = try Self.key(namespace, name)
    try await edit(key, "bundle abort", by: author) { spec throws(ResourceProblem) in
      guard spec["rollout"] != nil else { throw .conflict("\(key) is in no rollout", []) }
      spec["rollout"] = nil
    }
    return try await status(namespace, name)
  }

  /// Goes back: from a rollout to the version in force, after one to the version before it.
  func rollback(_ namespace: String, _ name: String, by author: Author) async throws -> JSONValue {
    let key = try Self.key(namespace, name)
    let entry = try await store.get(key.statusPath, at: nil)
    let last = entry.flatMap(RolloutStatus.init)
    try await edit(key, "bundle rollback", by: author) { spec throws(ResourceProblem) in
      if spec["rollout"] != nil {
        spec["rollout"] = nil
        return
      }
      guard let last, last.phase == .succeeded, spec["digest"]?.string == last.candidate else {
        throw .conflict(
          "no rollout has led to the present version of \(key); name one: weft bundle rollout \(key.name) --to VERSION",
          [])
      }
      spec["digest"] = .string(last.from)
    }
    return try await status(namespace, name)
  }

  private func edit(
    _ key: ResourceKey, _ verb: String, by author: Author,
    _ body: @escaping @Sendable (inout JSONValue) throws(ResourceProblem) -> Void
  ) async throws {
    let change = ResourceChange(
      key,
      .edit { document throws(ResourceProblem) in
        var value = document.value
        var spec = value["spec"] ?? .object([:])
        try body(&spec)
        value["spec"] = spec
        return try ResourceDocument(value)
      })
    do { _ = try await resources.write([change], verb: verb, by: author) } catch {
      guard case .notFound = error else { throw error }
      throw APIProblem(.notFound, "no \(key); make one with weft bundle push --use, or apply one")
    }
  }
}
