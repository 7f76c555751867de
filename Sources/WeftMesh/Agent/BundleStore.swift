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

  private static func wants(_ held: HeldResources) -> [BundleWant] {
    held.all(ResourceType.filterBundle).compactMap { resource in
      let spec = resource.content["spec"]
      guard let digest = spec?["digest"]?.string ?? resource.content[path: "status", "digest"]?.string,
        SHA256DigestText.isValid(digest)
      else { return nil }
      return BundleWant(name: resource.name, digest: digest)
    }
  }

  /// Bundles that have to be fetched before a set can be built.
  func wanted(_ held: HeldResources) -> (missing: [BundleWant], wants: [BundleWant]) {
    let wants = Self.wants(held)
    return state.withLock { state in
      (wants.filter { state.places[$0.digest] == nil && !state.failed.contains($0) }, wants)
    }
  }

  /// Archives by the name under which Filters know them.
  func places(_ held: HeldResources) -> [String: String] {
    state.withLock { state in
      var places: [String: String] = [:]
      for want in Self.wants(held) {
        let digest = state.places[want.digest] != nil ? want.digest : state.last[want.name]
        guard let digest, let place = state.places[digest] else { continue }
        let name = want.name.split(separator: "/").last.map(String.init) ?? want.name
        places[name] = place
      }
      return places
    }
  }

  /// Services that the scripts of each FilterBundle may call.
  func services(_ held: HeldResources) -> [String: [String]] {
    state.withLock { state in
      Dictionary(
        Self.wants(held).map { ($0.name, state.services[$0.digest] ?? []) }, uniquingKeysWith: { first, _ in first })
    }
  }

  var known: [String: String] { state.withLock { $0.last } }

  func restore(_ known: [String: String]) {
    for (name, digest) in known where SHA256DigestText.isValid(digest) {
      guard let bundle = try? Bundle(at: place(digest)), bundle.digest.description == digest else { continue }
      state.withLock { state in
        state.places[digest] = place(digest)
        state.services[digest] = bundle.manifest.services
        state.last[name] = digest
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
      if fetched.problem == nil {
        state.last[fetched.want.name] = fetched.want.digest
      } else {
        state.failed.insert(fetched.want)
      }
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
