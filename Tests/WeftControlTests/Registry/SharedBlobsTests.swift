import Foundation
import Logging
import Testing
import WeftBundle
import WeftStore

@testable import WeftControl

@Suite("Archives that replicas share")
struct SharedBlobsTests {
  private struct Replica {
    let folder: TemporaryFolder
    let blobs: BlobStore
    let shared: SharedBlobs

    init(_ store: any Store) throws {
      folder = try TemporaryFolder()
      blobs = BlobStore(folder: folder.path + "/blobs")
      shared = SharedBlobs(store: store, blobs: blobs, log: Logger(label: "test"))
    }
  }

  /// Bytes that fill several pieces, the last one not whole.
  private static let archive = (0..<(2 * SharedBlobs.pieceBytes + 1_000)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
  private static let digest = BlobStore.digest(of: archive)

  @Test("what one is given every other one has, with its signatures; what one deletes none has")
  func replicas() async throws {
    let data = try TemporaryFolder()
    let store = try await SQLiteStore(folder: data.path, log: Logger(label: "test"))
    let (a, b, c) = (try Replica(store), try Replica(store), try Replica(store))
    let (digest, archive) = (Self.digest, Self.archive)
    let following = Task { await b.shared.run() }
    defer { following.cancel() }
    try a.blobs.write(archive, digest: digest)
    try await a.shared.put(archive, digest: digest)
    try await a.shared.put(signatures: Array("signed".utf8), digest: digest)
    try await Self.eventually { (try? b.blobs.read(digest))?.signatures == Array("signed".utf8) }
    #expect(try b.blobs.read(digest).archive == archive)
    // One that does not follow asks.
    let registry = BundleRegistry(store, blobs: c.blobs, shared: c.shared)
    #expect(try await registry.read(digest).archive == archive)
    // What lies there damaged is replaced.
    let path = try #require(c.blobs.path(of: digest))
    try Data("tampered".utf8).write(to: URL(fileURLWithPath: path))
    #expect(try await registry.read(digest).archive == archive)
    try await a.shared.remove(digest)
    try await Self.eventually { (try? b.blobs.read(digest)) == nil }
    #expect(try await store.list(prefix: SharedBlobs.piecePrefix, after: nil, limit: 10, at: nil).entries.isEmpty)
    await #expect(throws: BlobStore.Failure.self) { try await b.shared.fetch(digest) }
    await store.close()
  }

  @Test("a piece that was changed in the store is not taken for the archive")
  func tampered() async throws {
    let data = try TemporaryFolder()
    let store = try await SQLiteStore(folder: data.path, log: Logger(label: "test"))
    let (a, b) = (try Replica(store), try Replica(store))
    try await a.shared.put(Self.archive, digest: Self.digest)
    let key = try #require(
      try await store.list(prefix: SharedBlobs.piecePrefix, after: nil, limit: 10, at: nil).entries.first?.key)
    try await store.commit(Transaction([.put(key, [1, 2, 3], lease: nil)]))
    await #expect(throws: BlobStore.Failure.self) { try await b.shared.fetch(Self.digest) }
    #expect(throws: BlobStore.Failure.self) { try b.blobs.read(Self.digest) }
    for text in ["sha256:../../x", "", "md5:00"] {
      await #expect(throws: BlobStore.Failure.self) { try await b.shared.fetch(text) }
    }
    await store.close()
  }

  private static func eventually(_ condition: () -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while !condition() {
      try #require(ContinuousClock.now < end)
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
