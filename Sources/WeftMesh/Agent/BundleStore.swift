import Synchronization
import WeftBundle

/// A bundle that a FilterBundle wants.
struct BundleWant: Sendable, Hashable {
  /// Of the FilterBundle, NAMESPACE/NAME.
  let name: String
  /// sha256:HEX
  let digest: String
}

/// How fetching a bundle ended.
struct FetchedBundle: Sendable {
  let want: BundleWant
  /// nil: it is there and verified.
  let problem: String?
}

/// The archives of bundles, in the state folder by digest, each fetched once and verified by its digest. Who has signed
/// them the proxy itself looks at, as for any bundle.
final class BundleStore: Sendable {
  typealias Fetch = @Sendable (_ digest: String) async throws -> (archive: [UInt8], signatures: [UInt8]?)

  private struct State {
    /// Present, verified.
    var places: [String: String] = [:]
    /// Services that scripts may call, by digest.
    var services: [String: [String]] = [:]
    var underway: Set<BundleWant> = []
    var failed: Set<BundleWant> = []
    /// Why those of `failed` are.
    var problems: [BundleWant: String] = [:]
    /// The last digest of each FilterBundle that was good.
    var last: [String: String] = [:]
  }

  /// Bytes of an archive.
  static let sizeLimit = BundleArchive.sizeLimit

  private let folder: String
  private let fetch: Fetch
  private let state = Mutex(State())

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

  /// Bundles that have to be fetched before a set can be built.
  func wanted(_ held: HeldResources) -> (missing: [BundleWant], wants: [BundleWant]) {
    let wants = Self.wants(held.all(ResourceType.filterBundle))
    return state.withLock { state in
      (wants.filter { state.places[$0.digest] == nil && !state.failed.contains($0) }, wants)
    }
  }

  /// Archives by the name under which Filters know them, and moves to other versions.
  /// - Parameter proxy: this proxy's id, which decides whether it is among those that run a candidate.
  func uses(_ bundles: [HeldResource], proxy: String) -> (places: [String: String], rollouts: [String: BundleRollout]) {
    state.withLock { state in
      var places: [String: String] = [:]
      var rollouts: [String: BundleRollout] = [:]
      for resource in bundles {
        let stable = resource.content[path: "spec", "digest"]?.string
        let digest = stable.flatMap { state.places[$0] != nil ? $0 : nil } ?? state.last[resource.name]
        guard let digest, let place = state.places[digest] else { continue }
        let name = resource.name.split(separator: "/").last.map(String.init) ?? resource.name
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

  /// The digest of the archive that lies at the path, or above it.
  static func digest(of path: String) -> String? {
    for part in path.split(separator: "/") where part.hasSuffix(".weft") {
      let digest = "sha256:\(part.dropLast(".weft".count))"
      if SHA256DigestText.isValid(digest) { return digest }
    }
    return nil
  }

  /// Why bundles of these resources could not be had.
  func problems(_ bundles: [HeldResource]) -> [ResourceKey: ResourceRejection] {
    state.withLock { state in
      var problems: [ResourceKey: ResourceRejection] = [:]
      for resource in bundles {
        let lines = Self.wants(resource).compactMap { want in state.problems[want].map { "\(want.digest): \($0)" } }
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

  /// - Parameters:
  ///   - known: what was in force, by FilterBundle.
  ///   - bundles: whose versions may be there, too.
  func restore(_ known: [String: String], _ bundles: [HeldResource]) {
    for (name, digest) in known where restore(digest) { state.withLock { $0.last[name] = digest } }
    for want in Self.wants(bundles) { _ = restore(want.digest) }
  }

  private func restore(_ digest: String) -> Bool {
    guard SHA256DigestText.isValid(digest), let bundle = try? Bundle(at: place(digest)),
      bundle.digest.description == digest
    else { return false }
    state.withLock { state in
      state.places[digest] = place(digest)
      state.services[digest] = bundle.manifest.services
    }
    return true
  }

  /// The proxy runs these.
  func inForce(_ bundles: [HeldResource]) {
    state.withLock { state in
      for resource in bundles {
        guard let digest = resource.content[path: "spec", "digest"]?.string, state.places[digest] != nil else {
          continue
        }
        state.last[resource.name] = digest
      }
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
        tell(.bundle(FetchedBundle(want: want, problem: "\(error)")))
      }
    }
  }

  func finished(_ fetched: FetchedBundle) {
    state.withLock { state in
      state.underway.remove(fetched.want)
      state.problems[fetched.want] = fetched.problem
      if fetched.problem != nil { state.failed.insert(fetched.want) }
    }
  }

  /// After a reconnect, what could not be fetched may be there.
  func retry() { state.withLock { $0.failed = [] } }

  private func place(_ digest: String) -> String { "\(folder)/bundles/\(digest.dropFirst("sha256:".count)).weft" }

  private func bring(_ want: BundleWant) async throws {
    let store = try StateFolder("\(folder)/bundles")
    let name = "\(want.digest.dropFirst("sha256:".count)).weft"
    if (try? Bundle(at: place(want.digest)))?.digest.description != want.digest {
      let (archive, signatures) = try await fetch(want.digest)
      if let signatures { try store.write("\(name).sig", signatures) }
      try store.write(name, archive)
    }
    let bundle = try Bundle(at: place(want.digest))
    guard bundle.digest.description == want.digest else {
      throw MeshError("what the control plane sent for \(want.digest) has the digest \(bundle.digest)")
    }
    state.withLock { state in
      state.places[want.digest] = place(want.digest)
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
