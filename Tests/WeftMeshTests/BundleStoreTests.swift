import Foundation
import Synchronization
import Testing
import WeftBundle
import WeftConfig

@testable import WeftMesh

@Suite("Archives of bundles at a proxy")
struct BundleStoreTests {
  /// By digest, as a control plane has them.
  private final class Archives: Sendable {
    typealias Archive = (archive: [UInt8], signatures: [UInt8]?)
    private let all: Mutex<[String: Archive]>

    init(_ all: [String: Archive]) { self.all = Mutex(all) }

    subscript(digest: String) -> Archive? { all.withLock { $0[digest] } }
    func sign(_ digest: String, _ text: String?) {
      all.withLock { $0[digest]?.signatures = text.map { Array($0.utf8) } }
    }
  }

  /// A proxy's store that fetches from there.
  private final class Place {
    let path = NSTemporaryDirectory() + "weft-bundles-\(UUID().uuidString)"
    let folder: StateFolder
    let archives: Archives
    let digests: [String]
    private(set) var store: BundleStore

    init(versions: Int) throws {
      folder = try StateFolder("\(path)/state")
      var made: [String: Archives.Archive] = [:]
      var order: [String] = []
      for version in 0..<versions {
        let place = "\(path)/\(version)"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        try Data("name: tag\nversion: 1.\(version).0\n".utf8).write(to: URL(fileURLWithPath: "\(place)/bundle.yaml"))
        try Data("-- \(version)\n".utf8).write(to: URL(fileURLWithPath: "\(place)/main.lua"))
        let bundle = try WeftBundle.Bundle(at: place)
        made[bundle.digest.description] = (bundle.archive, Array("signed once".utf8))
        order.append(bundle.digest.description)
      }
      digests = order
      archives = Archives(made)
      store = BundleStore(folder) { _ in throw MeshError("not yet") }
      restart()
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func restart() {
      store = BundleStore(folder) { [archives] digest in
        guard let found = archives[digest] else { throw MeshError("nobody has pushed it") }
        return found
      }
    }

    func fetch(_ want: BundleWant) async -> FetchedBundle {
      let fetched = await withCheckedContinuation { continuation in
        store.fetch(want) { if case .bundle(let fetched) = $0 { continuation.resume(returning: fetched) } }
      }
      store.finished(fetched)
      return fetched
    }

    /// The FilterBundle, in force with everything that it names.
    func use(_ index: Int, candidate: Int? = nil, name: String = "tag") async throws -> HeldResource {
      let rollout = candidate.map { ",\"rollout\":{\"candidate\":\"\(digests[$0])\",\"percent\":10}" } ?? ""
      let json = """
        {"kind":"FilterBundle","metadata":{"name":"\(name)"},"spec":{"digest":"\(digests[index])"\(rollout)}}
        """
      let made = try #require(resource(ResourceType.filterBundle, json, version: "\(index)"))
      for want in BundleStore.wants(made) { #expect(await fetch(want).problem == nil) }
      store.inForce([made])
      store.prune([made], [made])
      return made
    }

    /// The versions whose archives lie there, and the files that are no archives.
    var kept: (versions: [Int], others: [String]) {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/bundles")) ?? []
      let found = names.filter { $0.hasSuffix(".weft") }.compactMap { name in
        digests.firstIndex { $0 == "sha256:\(name.dropLast(5))" }
      }
      return (found.sorted(), names.filter { !$0.hasSuffix(".weft") && !$0.hasSuffix(".weft.sig") })
    }
  }

  @Test("what is in force stays, both versions of a rollout, and the three before; nothing else")
  func pruning() async throws {
    let place = try Place(versions: 8)
    for index in 0..<6 { _ = try await place.use(index) }
    #expect(place.kept.versions == [2, 3, 4, 5])
    let rolling = try await place.use(5, candidate: 7)
    #expect(place.kept.versions == [2, 3, 4, 5, 7])
    #expect(Set(place.store.uses([rolling], proxy: "p").places.values).count == 1)
    // Back to an earlier one, which has not to be fetched; the candidate goes.
    _ = try await place.use(3)
    #expect(place.kept.versions == [2, 3, 4, 5])
    #expect(place.store.earlier["default/tag"] == [5, 4, 2].map { place.digests[$0] })
    // What the control plane has sent and is not in force yet stays, too.
    let next = try #require(
      resource(
        ResourceType.filterBundle,
        "{\"kind\":\"FilterBundle\",\"metadata\":{\"name\":\"tag\"},\"spec\":{\"digest\":\"\(place.digests[6])\"}}"))
    _ = await place.fetch(BundleWant(name: "default/tag", digest: place.digests[6]))
    let present = try await place.use(3)
    place.store.prune([present], [next])
    #expect(place.kept.versions.contains(6))
    // A FilterBundle that is used no more has no past.
    place.store.inForce([])
    place.store.prune([], [])
    #expect(place.kept.versions.isEmpty && place.store.known.isEmpty)
  }

  @Test("a restart finds what was kept, and what a crash or an earlier version has left goes with the first change")
  func restart() async throws {
    let place = try Place(versions: 5)
    for index in 0..<3 { _ = try await place.use(index) }
    let (known, earlier) = (place.store.known, place.store.earlier)
    let bundles = "\(place.folder.path)/bundles"
    let stale = String(repeating: "ab", count: 32)
    for name in ["\(stale).weft", "\(stale).weft.sig", "\(stale).weft.new", "notes.txt"] {
      try Data("left".utf8).write(to: URL(fileURLWithPath: "\(bundles)/\(name)"))
    }
    try FileManager.default.createDirectory(
      atPath: "\(bundles)/\(String(repeating: "cd", count: 32)).weft", withIntermediateDirectories: true)
    place.restart()
    place.store.restore(known, earlier: earlier, [], trust: "")
    let present = try await place.use(2)
    #expect(place.kept.versions == [0, 1, 2])
    // What is no archive is somebody else's.
    #expect(place.kept.others == ["notes.txt"])
    #expect(!FileManager.default.fileExists(atPath: "\(bundles)/\(stale).weft"))
    #expect(place.store.missing(held(), trust: "") == nil)
    var all = HeldResources()
    all.put(present)
    #expect(place.store.missing(all, trust: "") == nil)
  }

  @Test("signatures are fetched anew when others are trusted, and what was there serves while they cannot be")
  func trust() async throws {
    let place = try Place(versions: 1)
    let present = try await place.use(0)
    var all = HeldResources()
    all.put(present)
    let digest = place.digests[0]
    let file = "\(place.folder.path)/bundles/\(digest.dropFirst(7)).weft.sig"
    func text() -> String? { FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) } }
    #expect(place.store.missing(all, trust: "") == nil && text() == "signed once")
    place.archives.sign(digest, "signed twice")
    let want = try #require(place.store.missing(all, trust: "a key"))
    #expect(await place.fetch(want).problem == nil)
    #expect(text() == "signed twice" && place.store.missing(all, trust: "a key") == nil)
    place.archives.sign(digest, nil)
    let other = try #require(place.store.missing(all, trust: "another key"))
    #expect(await place.fetch(other).problem == nil)
    #expect(text() == nil)
    // Nobody is asked for whom nobody trusts.
    #expect(await place.fetch(try #require(place.store.missing(all, trust: ""))).problem == nil)

    let alone = BundleStore(place.folder) { _ in throw MeshError("away") }
    alone.restore(place.store.known, earlier: [:], [present], trust: "")
    let failed = await withCheckedContinuation { continuation in
      alone.fetch(BundleWant(name: "default/tag", digest: digest, trust: "a key")) {
        if case .bundle(let fetched) = $0 { continuation.resume(returning: fetched) }
      }
    }
    #expect(failed.problem == nil && failed.refreshFailure?.contains("away") == true)
    alone.finished(failed)
    #expect(alone.missing(all, trust: "a key") == nil && alone.problems([present]).isEmpty)
    #expect(alone.uses([present], proxy: "p").places.count == 1)
    alone.retry()
    #expect(alone.missing(all, trust: "a key") != nil)
  }
}
