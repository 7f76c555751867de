import Foundation

/// Archives for proxies. When a bundle is rolled out all proxies ask for the same one, so the last ones are kept in memory,
/// one copy for all. Signatures are read each time, for somebody may sign at any time.
actor BundleSource {
  struct Blob: Sendable {
    let archive: Data
    let signatures: [UInt8]?
  }

  /// Bytes that are kept.
  private static let most = 64 << 20

  private let registry: BundleRegistry
  private var kept: [String: Data] = [:]
  /// The one that was asked for last stands last.
  private var order: [String] = []
  private var bytes = 0

  init(_ registry: BundleRegistry) { self.registry = registry }

  /// - Throws: `BlobStore.Failure` or `StoreError`
  func read(_ digest: String) async throws -> Blob {
    if let archive = kept[digest] {
      order.removeAll { $0 == digest }
      order.append(digest)
      return Blob(archive: archive, signatures: try registry.signatures(digest))
    }
    let (archive, signatures) = try await registry.read(digest)
    let blob = Blob(archive: Data(archive), signatures: signatures)
    // Somebody else may have asked for it meanwhile.
    if kept[digest] != nil { return blob }
    kept[digest] = blob.archive
    order.append(digest)
    bytes += archive.count
    while bytes > Self.most, order.count > 1 {
      let oldest = order.removeFirst()
      bytes -= kept.removeValue(forKey: oldest)?.count ?? 0
    }
    return blob
  }
}
