import Synchronization
import WeftBundle
import WeftConfig

/// A bundle that a FilterBundle wants.
struct BundleWant: Sendable, Hashable {
  /// Of the FilterBundle, NAMESPACE/NAME.
  let name: String
  /// sha256:HEX
  let digest: String
  /// Whose signatures the proxy wanted when it asked.
  var trust = ""
}

/// How fetching a bundle ended.
struct FetchedBundle: Sendable {
  let want: BundleWant
  /// nil: it is there and verified.
  let problem: String?
  /// It was there before, and its signatures could not be fetched anew.
  var refreshFailure: String?
}

/// The archives of bundles, in the state folder by digest, each fetched once and verified by its digest. Who has signed
/// them the proxy itself looks at, as for any bundle; when it comes to trust others, signatures are fetched anew, for
/// somebody may have signed meanwhile.
final class BundleStore: Sendable {
  typealias Fetch = @Sendable (_ digest: String) async throws -> (archive: [UInt8], signatures: [UInt8]?)

  struct State {
    /// Present, verified.
    var places: [String: String] = [:]
    /// Whose signatures were wanted when those of an archive were fetched.
    var trusts: [String: String] = [:]
    /// Services that scripts may call, by digest.
    var services: [String: [String]] = [:]
    var underway: Set<BundleWant> = []
    var failed: Set<BundleWant> = []
    /// Why those of `failed` are.
    var problems: [BundleWant: String] = [:]
    /// The last digest of each FilterBundle that was good.
    var last: [String: String] = [:]
    /// Those before it, the latest first.
    var earlier: [String: [String]] = [:]
    /// What was kept when files were deleted last.
    var kept: Set<String>?
  }

  /// Bytes of an archive.
  static let sizeLimit = BundleArchive.sizeLimit

  let folder: String
  private let fetch: Fetch
  let state = Mutex(State())

  init(_ folder: StateFolder, fetch: @escaping Fetch) {
    self.folder = folder.path
    self.fetch = fetch
  }

  /// The versions that a FilterBundle names: the one in force, and the candidate of its rollout.
  static func wants(_ resource: HeldResource) -> [BundleWant] {
    let spec = resource.content["spec"]
    return [spec?["digest"]?.string, spec?[path: "rollout", "candidate"]?.string].compactMap { $0 }
      .filter(SHA256DigestText.isValid).map { BundleWant(name: resource.name, digest: $0) }
  }

  private static func wants(_ bundles: [HeldResource]) -> [BundleWant] { bundles.flatMap { wants($0) } }

  /// A bundle that has to be fetched before a set can be built.
  /// - Parameter trust: whose signatures the proxy wants.
  func missing(_ held: HeldResources, trust: String) -> BundleWant? {
    let wants = Self.wants(held.all(ResourceType.filterBundle))
    return state.withLock { state in
      wants.lazy.map { BundleWant(name: $0.name, digest: $0.digest, trust: trust) }.first { want in
        let isThere = state.places[want.digest] != nil && state.trusts[want.digest] == trust
        return !isThere && !state.failed.contains(want)
      }
    }
  }

  /// Archives by FilterBundle, and moves to other versions.
  /// - Parameter proxy: this proxy's id, which decides whether it is among those that run a candidate.
  func uses(
    _ bundles: [HeldResource], proxy: String
  ) -> (places: [ResourceName: String], rollouts: [ResourceName: BundleRollout]) {
    state.withLock { state in
      var places: [ResourceName: String] = [:]
      var rollouts: [ResourceName: BundleRollout] = [:]
      for resource in bundles {
        let stable = resource.content[path: "spec", "digest"]?.string
        let digest = stable.flatMap { state.places[$0] != nil ? $0 : nil } ?? state.last[resource.name]
        guard let digest, let place = state.places[digest] else { continue }
        let name = ResourceName(
          namespace: resource.namespace, name: resource.name.split(separator: "/").last.map(String.init) ?? "")
        places[name] = place
        guard let rollout = RolloutShare(resource) else { continue }
        let percent = rollout.percent(proxy: proxy)
        let candidate = percent > 0 ? state.places[rollout.candidate] : nil
        rollouts[name] = BundleRollout(
          candidate: candidate, percent: candidate == nil ? 0 : percent, mode: rollout.mode)
      }
      return (places, rollouts)
    }
  }

  /// The version of each FilterBundle that the proxy runs: the candidate where that has all its requests.
  func versions(_ bundles: [HeldResource], _ proxy: String) -> [String: String] {
    state.withLock { state in
      var versions: [String: String] = [:]
      for resource in bundles {
        versions[resource.name] = state.last[resource.name]
        guard let rollout = RolloutShare(resource), rollout.mode == .canary, rollout.percent(proxy: proxy) == 100,
          state.places[rollout.candidate] != nil
        else { continue }
        versions[resource.name] = rollout.candidate
      }
      return versions
    }
  }

  /// The digest of the archive that lies at the path, above it, or beside it, as its signatures do.
  static func digest(of path: String) -> String? {
    for part in path.split(separator: "/") {
      for suffix in [".weft", ".weft.sig"] where part.hasSuffix(suffix) {
        let digest = "sha256:\(part.dropLast(suffix.count))"
        if SHA256DigestText.isValid(digest) { return digest }
      }
    }
    return nil
  }

  /// Why bundles of these resources could not be had.
  func problems(_ bundles: [HeldResource]) -> [ResourceKey: ResourceRejection] {
    state.withLock { state in
      var problems: [ResourceKey: ResourceRejection] = [:]
      for resource in bundles {
        let lines = Self.wants(resource).compactMap { want in
          let problem = state.problems.first { $0.key.name == want.name && $0.key.digest == want.digest }
          return problem.map { "\(want.digest): \($0.value)" }
        }
        if lines.isEmpty { continue }
        problems[resource.key] = ResourceRejection(version: resource.version, message: lines.joined(separator: "\n"))
      }
      return problems
    }
  }

  /// Services that the scripts of each FilterBundle may call.
  func services(_ held: HeldResources) -> [String: [String]] {
    state.withLock { state in
      Dictionary(
        Self.wants(held.all(ResourceType.filterBundle)).map { ($0.name, state.services[$0.digest] ?? []) },
        uniquingKeysWith: { first, second in first + second.filter { !first.contains($0) } })
    }
  }

  var known: [String: String] { state.withLock { $0.last } }
  var earlier: [String: [String]] { state.withLock { $0.earlier } }

  /// - Parameters:
  ///   - known: what was in force, by FilterBundle.
  ///   - earlier: what was before it.
  ///   - bundles: whose versions may be there, too.
  ///   - trust: whose signatures were wanted.
  func restore(
    _ known: [String: String], earlier: [String: [String]], _ bundles: [HeldResource], trust: String
  ) {
    for (name, digest) in known where restore(digest, trust) { state.withLock { $0.last[name] = digest } }
    for want in Self.wants(bundles) { _ = restore(want.digest, trust) }
    for (name, digests) in earlier {
      let found = digests.prefix(Self.earlierKept).filter { restore($0, trust) }
      state.withLock { $0.earlier[name] = found }
    }
  }

  private func restore(_ digest: String, _ trust: String) -> Bool {
    guard SHA256DigestText.isValid(digest), let bundle = try? Bundle(at: place(digest)),
      bundle.digest.description == digest
    else { return false }
    state.withLock { state in
      state.places[digest] = place(digest)
      state.trusts[digest] = trust
      state.services[digest] = bundle.manifest.services
    }
    return true
  }

  /// The proxy runs these, and no others.
  func inForce(_ bundles: [HeldResource]) {
    state.withLock { state in
      for resource in bundles {
        guard let digest = resource.content[path: "spec", "digest"]?.string, state.places[digest] != nil else {
          continue
        }
        let before = state.last.updateValue(digest, forKey: resource.name)
        guard let before, before != digest else { continue }
        let earlier = [before] + (state.earlier[resource.name] ?? []).filter { $0 != before && $0 != digest }
        state.earlier[resource.name] = Array(earlier.prefix(Self.earlierKept))
      }
      let names = Set(bundles.map(\.name))
      state.last = state.last.filter { names.contains($0.key) }
      state.earlier = state.earlier.filter { names.contains($0.key) }
    }
  }

  /// Fetches a bundle, unless that is under way; the end is told.
  func fetch(_ want: BundleWant, _ tell: @escaping @Sendable (AgentEvent) -> Void) {
    guard state.withLock({ $0.underway.insert(want).inserted }) else { return }
    Task {
      do {
        try await bring(want)
        tell(.bundle(FetchedBundle(want: want, problem: nil)))
      } catch {
        // With what it has, the proxy goes on.
        let isThere = state.withLock { $0.places[want.digest] != nil }
        tell(
          .bundle(
            FetchedBundle(
              want: want, problem: isThere ? nil : "\(error)", refreshFailure: isThere ? "\(error)" : nil)))
      }
    }
  }

  func finished(_ fetched: FetchedBundle) {
    state.withLock { state in
      state.underway.remove(fetched.want)
      state.problems = state.problems.filter {
        $0.key.name != fetched.want.name || $0.key.digest != fetched.want.digest
      }
      state.problems[fetched.want] = fetched.problem
      if fetched.problem != nil || fetched.refreshFailure != nil { state.failed.insert(fetched.want) }
    }
  }

  /// After a reconnect, what could not be fetched may be there.
  func retry() { state.withLock { $0.failed = [] } }

  private func place(_ digest: String) -> String { "\(folder)/bundles/\(digest.dropFirst("sha256:".count)).weft" }

  private func bring(_ want: BundleWant) async throws {
    let store = try StateFolder("\(folder)/bundles")
    let name = "\(want.digest.dropFirst("sha256:".count)).weft"
    let isThere = (try? Bundle(at: place(want.digest)))?.digest.description == want.digest
    // Signatures of an archive that has lain here for long may have changed since.
    let isCurrent = state.withLock { $0.trusts[want.digest] == want.trust } || want.trust.isEmpty
    if !isThere || !isCurrent {
      let (archive, signatures) = try await fetch(want.digest)
      if let signatures { try store.write("\(name).sig", signatures) } else { store.remove("\(name).sig") }
      if !isThere { try store.write(name, archive) }
    }
    let bundle = try Bundle(at: place(want.digest))
    guard bundle.digest.description == want.digest else {
      throw MeshError("what the control plane sent for \(want.digest) has the digest \(bundle.digest)")
    }
    state.withLock { state in
      state.places[want.digest] = place(want.digest)
      state.trusts[want.digest] = want.trust
      state.services[want.digest] = bundle.manifest.services
    }
  }
}

enum SHA256DigestText {
  /// `sha256:` and 64 hexadecimal digits in lower case.
  static func isValid(_ text: String) -> Bool {
    text.hasPrefix("sha256:") && text.utf8.count == 71
      && text.utf8.dropFirst(7).allSatisfy { $0 &- 0x30 < 10 || $0 &- 0x61 < 6 }
  }
}
