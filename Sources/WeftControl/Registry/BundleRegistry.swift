import Foundation
import WeftBundle
import WeftConfig
import WeftStore

/// Bundles that were pushed: which versions and tags there are, in the store; their archives, by digest, in `BlobStore`.
///
/// A version once pushed is not changed: the same version with another content is refused.
public struct BundleRegistry: Sendable {
  static let prefix = "/bundles/"
  /// Versions and tags of all bundles.
  static let limit = 10_000
  /// Seconds for which an archive is kept that nobody refers to: it may have been pushed a moment ago.
  static let grace = 3_600.0

  let store: any Store
  let blobs: BlobStore
  /// nil: no other replica needs the archives.
  let shared: SharedBlobs?

  public init(_ store: any Store, blobs: BlobStore, shared: SharedBlobs? = nil) {
    self.store = store
    self.blobs = blobs
    self.shared = shared
  }

  /// An archive and its signatures, from another replica if need be.
  func read(_ digest: String) async throws -> (archive: [UInt8], signatures: [UInt8]?) {
    do { return try blobs.read(digest) } catch {
      guard let shared else { throw error }
      try await shared.fetch(digest)
      return try blobs.read(digest)
    }
  }

  /// Brings an archive and its signatures from another replica, as far as they are there.
  func bring(_ digest: String) async { try? await shared?.fetch(digest) }

  /// The signatures of an archive that was read here before.
  func signatures(_ digest: String) throws -> [UInt8]? { try blobs.signatures(digest) }

  /// A version or a tag.
  struct Record: Sendable {
    let name: String
    /// `1.2.0`, or a tag.
    let reference: String
    let isTag: Bool
    let value: JSONValue
    let revision: Revision

    var digest: String { value["digest"]?.string ?? "" }

    init?(_ entry: Entry) {
      // /bundles/NAME/versions/VERSION, /bundles/NAME/tags/TAG
      let parts = entry.key.split(separator: "/").map(String.init)
      guard parts.count == 4, let bytes = entry.value, let value = try? JSONValue(parsing: bytes)
      else { return nil }
      name = parts[1]
      isTag = parts[2] == "tags"
      reference = parts[3]
      self.value = value
      revision = entry.modified
    }

    var json: JSONValue {
      var json = value
      json["name"] = .string(name)
      json[isTag ? "tag" : "version"] = .string(reference)
      return json
    }
  }

  // MARK: Reading

  func records(name: String? = nil) async throws -> [Record] {
    let prefix = name.map { "\(Self.prefix)\($0)/" } ?? Self.prefix
    return try await store.list(prefix: prefix, after: nil, limit: Self.limit, at: nil).entries
      .compactMap(Record.init)
  }

  /// The bundle that a version, a tag or a digest names.
  func resolve(_ name: String, _ reference: String) async throws -> Record {
    let records = try await records(name: name)
    if let found = records.first(where: {
      $0.reference == reference || (!$0.isTag && $0.digest == reference)
    }) {
      return found
    }
    let known = records.map(\.reference).prefix(20).joined(separator: ", ")
    throw APIProblem(
      .notFound,
      records.isEmpty
        ? "no bundle named \"\(name.prefix(100))\" was pushed"
        : "no version or tag \"\(reference.prefix(100))\" of \(name); there are \(known)")
  }

  // MARK: Writing

  /// Stores an archive, and its version and tags.
  func push(_ archive: [UInt8], tags: [String], by author: Author) async throws -> (
    record: JSONValue, isNew: Bool
  ) {
    let bundle: WeftBundle.Bundle
    do { bundle = try WeftBundle.Bundle(archive: archive, place: "the archive") } catch {
      throw APIProblem(
        .unprocessableContent, "this is no bundle that can be pushed",
        error.diagnostics.map {
          ResourceFinding(resource: nil, path: $0.path.description, $0.message)
        })
    }
    for tag in tags { try Self.check(tag: tag) }
    let (name, version) = (bundle.manifest.name, bundle.manifest.version.description)
    let digest = bundle.digest.description
    let key = "\(Self.prefix)\(name)/versions/\(version)"
    let present = try await store.get(key, at: nil)
    if let known = present.flatMap(Record.init), known.digest != digest {
      throw APIProblem(
        .conflict,
        "\(name) \(version) was pushed before with other content (\(known.digest)); give this one a new version in its bundle.yaml"
      )
    }
    if present == nil, try await records().count >= Self.limit {
      throw APIProblem(.conflict, "there are \(Self.limit) versions and tags already; delete some")
    }
    // The archive first: a version whose archive is not there must not be seen.
    try blobs.write(archive, digest: digest)
    try await shared?.put(archive, digest: digest)
    let time = ResourceDocument.timestamp(Date())
    let value: JSONValue = [
      "digest": .string(digest), "bytes": .number("\(archive.count)"), "pushed": .string(time),
      "pushedBy": .string(author.name), "description": .string(bundle.manifest.description),
    ]
    var operations: [Transaction.Operation] = []
    if present == nil { operations.append(.put(key, Array(value.text.utf8), lease: nil)) }
    operations += tags.map {
      .put(
        Self.key(name, tag: $0), Array(Self.tagged(digest, version, time, author).text.utf8),
        lease: nil)
    }
    if !operations.isEmpty {
      operations.append(
        AuditLog.entry(
          "bundle push", by: author,
          [
            .init(
              subject: [
                "bundle": .string(name), "version": .string(version), "digest": .string(digest),
                "tags": .array(tags.map { .string($0) }),
              ], outcome: present == nil ? "created" : "configured", differences: [])
          ]))
      let condition: Transaction.Condition =
        present.map { .unchanged(key, since: $0.modified) } ?? .absent(key)
      try await store.commit(Transaction(when: [condition], operations))
    }
    var record = value
    record["name"] = .string(name)
    record["version"] = .string(version)
    record["tags"] = .array(tags.map { .string($0) })
    return (record, present == nil)
  }

  /// Puts signatures beside an archive.
  func sign(_ digest: String, _ signatures: [UInt8], by author: Author) async throws {
    _ = try await read(digest)
    let text: BundleSignatures
    do { text = try BundleSignatures(signatures, path: "signatures") } catch {
      throw APIProblem(
        .unprocessableContent, "these are no signatures as weft bundle sign writes them",
        error.diagnostics.map { ResourceFinding(resource: nil, path: $0.path.description, $0.message) })
    }
    guard text.digest.description == digest else {
      throw APIProblem(.unprocessableContent, "these are signatures of \(text.digest), not of \(digest)")
    }
    try blobs.write(signatures: signatures, digest: digest)
    try await shared?.put(signatures: signatures, digest: digest)
    try await store.commit(
      Transaction([
        AuditLog.entry(
          "bundle sign", by: author,
          [.init(subject: ["digest": .string(digest)], outcome: "configured", differences: [])])
      ]))
  }

  func tag(_ name: String, _ tag: String, at reference: String, by author: Author) async throws
    -> JSONValue
  {
    try Self.check(tag: tag)
    let target = try await resolve(name, reference)
    let version = target.isTag ? target.value["version"]?.string ?? "" : target.reference
    let value = Self.tagged(target.digest, version, ResourceDocument.timestamp(Date()), author)
    try await store.commit(
      Transaction([
        .put(Self.key(name, tag: tag), Array(value.text.utf8), lease: nil),
        AuditLog.entry(
          "bundle tag", by: author,
          [
            .init(
              subject: [
                "bundle": .string(name), "tag": .string(tag), "digest": .string(target.digest),
              ],
              outcome: "configured", differences: [])
          ]),
      ]))
    return value
  }

  /// Deletes a version or a tag, unless a FilterBundle uses the version.
  func delete(_ name: String, _ reference: String, by author: Author) async throws {
    let record = try await resolve(name, reference)
    if !record.isTag {
      let users = try await users()[record.digest] ?? []
      if !users.isEmpty {
        throw APIProblem(
          .conflict, "\(name) \(reference) is used by \(users.joined(separator: ", "))")
      }
    }
    let key =
      record.isTag
      ? Self.key(name, tag: reference) : "\(Self.prefix)\(name)/versions/\(record.reference)"
    try await store.commit(
      Transaction(
        when: [.unchanged(key, since: record.revision)],
        [
          .delete(key),
          AuditLog.entry(
            "bundle delete", by: author,
            [
              .init(
                subject: ["bundle": .string(name), "reference": .string(reference)],
                outcome: "deleted",
                differences: [])
            ]),
        ]))
  }

  /// Deletes archives that no version, tag or FilterBundle refers to and that are not of the last hour.
  /// - Returns: their digests, with their sizes.
  func collect(isDryRun: Bool) async throws -> [(digest: String, bytes: Int)] {
    // What was there before the references are read: an archive that comes later is not looked at.
    let candidates = try blobs.all().filter { $0.age > Self.grace }
    let used = Set(try await records().map(\.digest)).union(try await users().keys)
    let unused = candidates.filter { !used.contains($0.digest) }
    if !isDryRun {
      for blob in unused {
        try await shared?.remove(blob.digest)
        try blobs.remove(blob.digest)
      }
    }
    return unused.map { ($0.digest, $0.bytes) }
  }

  /// FilterBundles by the digest that they name, those of a rollout too.
  private func users() async throws -> [String: [String]] {
    var users: [String: [String]] = [:]
    for prefix in [ResourceKey.prefix, ResourceKey.statusPrefix] {
      var after: String?
      repeat {
        let page = try await store.list(
          prefix: "\(prefix)weft.dev/FilterBundle/", after: after, limit: 1_000, at: nil)
        for entry in page.entries {
          // Whatever field a digest stands in, it is in use.
          let text = String(decoding: entry.value ?? [], as: UTF8.self)
          let name = entry.key.split(separator: "/").suffix(2).joined(separator: "/")
          for match in text.matches(of: /sha256:[0-9a-f]{64}/) {
            users[String(match.output), default: []].append("FilterBundle \(name)")
          }
        }
        after = page.hasMore ? page.entries.last?.key : nil
      } while after != nil
    }
    return users
  }

  private static func key(_ name: String, tag: String) -> String { "\(prefix)\(name)/tags/\(tag)" }

  private static func tagged(_ digest: String, _ version: String, _ time: String, _ author: Author)
    -> JSONValue
  {
    [
      "digest": .string(digest), "version": .string(version), "tagged": .string(time),
      "taggedBy": .string(author.name),
    ]
  }

  /// A tag is no version, so that either is known by how it looks.
  private static func check(tag: String) throws {
    let isPlain = tag.utf8.allSatisfy { byte in
      (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2d || byte == 0x2e
    }
    guard (1...63).contains(tag.utf8.count), isPlain,
      tag.utf8.first.map({ (0x61...0x7a).contains($0) }) == true
    else {
      throw APIProblem(
        .unprocessableContent,
        "\"\(tag.prefix(80))\" is no tag: it begins with a letter and has lower-case letters, digits, \"-\" and \".\""
      )
    }
  }
}
