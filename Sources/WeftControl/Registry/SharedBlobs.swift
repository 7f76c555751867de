import Foundation
import Logging
import WeftConfig
import WeftStore

/// Archives in the store besides the files, in pieces, for stores that several replicas share: each replica brings what
/// another one was given into its own files.
///
/// `/blobs/HEX/N` holds the pieces of an archive; `/control/blobs/HEX`, written after them, says that it is whole, and
/// holds its signatures.
public struct SharedBlobs: Sendable {
  static let recordPrefix = "/control/blobs/"
  static let piecePrefix = "/blobs/"
  /// Bytes of a piece: two of them fit into what etcd takes at a time.
  static let pieceBytes = 512 << 10

  let store: any Store
  let blobs: BlobStore
  let log: Logger

  private static func hex(_ digest: String) -> String { String(digest.dropFirst("sha256:".count)) }
  private static func record(_ digest: String) -> String { recordPrefix + hex(digest) }

  private static func piece(_ digest: String, _ index: Int) -> String {
    let digits = String(index)
    return "\(piecePrefix)\(hex(digest))/" + String(repeating: "0", count: max(4 - digits.count, 0)) + digits
  }

  // MARK: Giving

  /// Puts an archive there; when it returns, every replica can have it.
  func put(_ archive: [UInt8], digest: String) async throws(StoreError) {
    let key = Self.record(digest)
    if try await store.get(key, at: nil) != nil { return }
    var count = 0
    for start in stride(from: 0, to: archive.count, by: Self.pieceBytes) {
      let piece = Array(archive[start..<min(start + Self.pieceBytes, archive.count)])
      try await store.commit(Transaction([.put(Self.piece(digest, count), piece, lease: nil)]))
      count += 1
    }
    let value: JSONValue = ["bytes": .number("\(archive.count)"), "pieces": .number("\(count)")]
    try await store.commit(Transaction([.put(key, Array(value.text.utf8), lease: nil)]))
  }

  func put(signatures: [UInt8], digest: String) async throws(StoreError) {
    let key = Self.record(digest)
    guard let entry = try await store.get(key, at: nil), var value = Self.value(entry) else { return }
    value["signatures"] = .string(Data(signatures).base64EncodedString())
    try await store.commit(
      Transaction(when: [.unchanged(key, since: entry.modified)], [.put(key, Array(value.text.utf8), lease: nil)]))
  }

  /// Deletes an archive from the store, and so from every replica.
  func remove(_ digest: String) async throws(StoreError) {
    let prefix = "\(Self.piecePrefix)\(Self.hex(digest))/"
    // What says that it is whole goes first.
    try await store.commit(Transaction([.delete(Self.record(digest))]))
    while true {
      let page = try await store.list(prefix: prefix, after: nil, limit: 8, at: nil)
      if page.entries.isEmpty { return }
      try await store.commit(Transaction(page.entries.map { .delete($0.key) }))
    }
  }

  private static func value(_ entry: Entry) -> JSONValue? {
    entry.value.flatMap { try? JSONValue(parsing: $0, file: "blob.json") }
  }

  // MARK: Taking

  /// Brings an archive and its signatures into the files.
  /// - Throws: `BlobStore.Failure.missing` when the store has none.
  func fetch(_ digest: String) async throws {
    guard blobs.path(of: digest) != nil, let entry = try await store.get(Self.record(digest), at: nil),
      let value = Self.value(entry), let bytes = value["bytes"]?.int, let pieces = value["pieces"]?.int,
      bytes <= BlobStore.maxLength, pieces <= BlobStore.maxLength / Self.pieceBytes + 1
    else { throw BlobStore.Failure.missing(String(digest.prefix(100))) }
    if (try? blobs.read(digest)) == nil {
      var archive: [UInt8] = []
      archive.reserveCapacity(bytes)
      for index in 0..<pieces {
        guard let piece = try await store.get(Self.piece(digest, index), at: nil)?.value else {
          throw BlobStore.Failure.damaged(digest)
        }
        archive += piece
      }
      guard archive.count == bytes, BlobStore.digest(of: archive) == digest else {
        throw BlobStore.Failure.damaged(digest)
      }
      try blobs.replace(archive, digest: digest)
    }
    if let text = value["signatures"]?.string, let signatures = Data(base64Encoded: text),
      try blobs.read(digest).signatures != Array(signatures)
    {
      try blobs.write(signatures: Array(signatures), digest: digest)
    }
  }

  /// Follows the store until it is cancelled: what other replicas are given, this one has soon.
  func run() async {
    var pause = Duration.milliseconds(200)
    while !Task.isCancelled {
      do {
        let revision = try await load()
        pause = .milliseconds(200)
        for try await batch in try await store.watch(prefix: Self.recordPrefix, after: revision) {
          for entry in batch.changes { await take(entry) }
        }
      } catch {
        if Task.isCancelled { return }
        if case StoreError.closed = error { return }
        if case StoreError.compacted = error { continue }
        log.warning("archives of bundles cannot be followed in the store, which is tried again: \(error)")
      }
      do { try await Task.sleep(for: pause) } catch { return }
      pause = min(pause * 2, .seconds(5))
    }
  }

  private func load() async throws -> Revision {
    var after: String?
    var revision: Revision?
    repeat {
      let page = try await store.list(prefix: Self.recordPrefix, after: after, limit: 1_000, at: revision)
      revision = revision ?? page.revision
      for entry in page.entries { await take(entry) }
      after = page.hasMore ? page.entries.last?.key : nil
    } while after != nil
    return revision ?? 0
  }

  private func take(_ entry: Entry) async {
    let digest = "sha256:\(entry.key.dropFirst(Self.recordPrefix.count))"
    do {
      if entry.value == nil { try blobs.remove(digest) } else { try await fetch(digest) }
    } catch {
      log.warning("the archive \(digest) cannot be brought here: \(error)")
    }
  }
}
