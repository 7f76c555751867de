import Foundation
import WeftBundle
import WeftCommand
import WeftConfig
import WeftCrypto

/// Bundles in a folder with the layout of an OCI image (image-spec 1.1), which any OCI registry takes in and gives out.
///
/// Each bundle is an artifact: a manifest with an empty configuration and one layer, the archive; a second layer holds its
/// signatures.
struct ImageLayout {
  static let artifactType = "application/vnd.weft.bundle.v1"
  static let archiveType = "application/vnd.weft.bundle.archive.v1+tar"
  static let signaturesType = "application/vnd.weft.bundle.signatures.v1+yaml"
  private static let manifestType = "application/vnd.oci.image.manifest.v1+json"
  private static let indexType = "application/vnd.oci.image.index.v1+json"
  private static let nameAnnotation = "org.opencontainers.image.ref.name"
  /// Bytes of a file of JSON, and of signatures.
  private static let textLimit = 1 << 20
  private static let archiveLimit = 64 << 20
  /// Manifests of one index that are read.
  private static let manifestLimit = 1_000

  let folder: String

  struct Content {
    let bundle: WeftBundle.Bundle
    let signatures: [UInt8]?
  }

  // MARK: Writing

  /// Adds a bundle, in place of one of the same name and version.
  func add(_ bundle: WeftBundle.Bundle, signatures: [UInt8]?) throws {
    let name = "\(bundle.manifest.name):\(bundle.manifest.version)"
    let archive = bundle.archive
    try make(folder)
    try make("\(folder)/blobs")
    try make("\(folder)/blobs/sha256")
    var layer = try blob(archive, type: Self.archiveType)
    layer["annotations"] = [
      "org.opencontainers.image.title": .string("\(bundle.manifest.name)-\(bundle.manifest.version).weft")
    ]
    var layers = [layer]
    if let signatures { layers.append(try blob(signatures, type: Self.signaturesType)) }
    var annotations: JSONValue = [
      "org.opencontainers.image.title": .string(bundle.manifest.name),
      "org.opencontainers.image.version": .string(bundle.manifest.version.description),
    ]
    if !bundle.manifest.description.isEmpty {
      annotations["org.opencontainers.image.description"] = .string(bundle.manifest.description)
    }
    let manifest: JSONValue = [
      "schemaVersion": 2, "mediaType": .string(Self.manifestType), "artifactType": .string(Self.artifactType),
      "config": try blob(Array("{}".utf8), type: "application/vnd.oci.empty.v1+json"), "layers": .array(layers),
      "annotations": annotations,
    ]
    var entry = try blob(Array(manifest.text.utf8), type: Self.manifestType)
    entry["artifactType"] = .string(Self.artifactType)
    entry["annotations"] = .object([Self.nameAnnotation: .string(name)])
    var others: [JSONValue] = []
    if access("\(folder)/index.json", F_OK) == 0 {
      others = try index().filter { $0["annotations"]?[Self.nameAnnotation]?.string != name }
    }
    let index: JSONValue = [
      "schemaVersion": 2, "mediaType": .string(Self.indexType), "manifests": .array(others + [entry]),
    ]
    try BundleOutput.write(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), to: "\(folder)/oci-layout")
    // Last: what it names is there.
    try BundleOutput.write(Array((index.text + "\n").utf8), to: "\(folder)/index.json")
  }

  private func make(_ path: String) throws {
    if mkdir(path, 0o777) != 0 && errno != EEXIST {
      throw ClientError("cannot make the folder \(path): \(String(cString: strerror(errno)))")
    }
  }

  /// Writes a blob; gives its descriptor.
  private func blob(_ bytes: [UInt8], type: String) throws -> JSONValue {
    let digest = try SHA256Digest(of: bytes).description
    try BundleOutput.write(bytes, to: try path(digest))
    return ["mediaType": .string(type), "digest": .string(digest), "size": .number("\(bytes.count)")]
  }

  // MARK: Reading

  /// All bundles in the folder. Artifacts of other kinds are left alone.
  /// - Throws: `ClientError` when something is missing, damaged, or not what it says.
  func read() throws -> [Content] {
    guard access("\(folder)/oci-layout", R_OK) == 0 else {
      throw ClientError("\(folder) is no OCI image layout: it has no file oci-layout")
    }
    return try index().compactMap { entry -> Content? in
      guard entry["mediaType"]?.string == Self.manifestType else { return nil }
      let manifest = try JSONValue(parsing: try blob(entry, limit: Self.textLimit), file: "manifest")
      let layers = manifest["layers"]?.array ?? []
      guard let layer = layers.first(where: { $0["mediaType"]?.string == Self.archiveType }) else { return nil }
      let archive = try blob(layer, limit: Self.archiveLimit)
      let bundle = try WeftBundle.Bundle(archive: archive, place: try path(layer["digest"]?.string ?? ""))
      let signatures = try layers.first { $0["mediaType"]?.string == Self.signaturesType }.map {
        try blob($0, limit: Self.textLimit)
      }
      return Content(bundle: bundle, signatures: signatures)
    }
  }

  private func index() throws -> [JSONValue] {
    let bytes = try read("\(folder)/index.json", limit: Self.textLimit)
    guard let manifests = try JSONValue(parsing: bytes, file: "\(folder)/index.json")["manifests"]?.array else {
      throw ClientError("\(folder)/index.json has no manifests")
    }
    guard manifests.count <= Self.manifestLimit else {
      throw ClientError("\(folder)/index.json has \(manifests.count) manifests; at most \(Self.manifestLimit) are read")
    }
    return manifests
  }

  /// The blob that a descriptor names, found right.
  private func blob(_ descriptor: JSONValue, limit: Int) throws -> [UInt8] {
    guard let digest = descriptor["digest"]?.string, let size = descriptor["size"]?.int else {
      throw ClientError("a descriptor in \(folder) has no digest or size")
    }
    guard size <= limit else { throw ClientError("\(digest.prefix(80)) has \(size) bytes; at most \(limit) are read") }
    let file = try path(digest)
    let bytes = try read(file, limit: size)
    guard bytes.count == size, try SHA256Digest(of: bytes).description == digest else {
      throw ClientError("\(file) is damaged: it is not what its digest and size say")
    }
    return bytes
  }

  private func read(_ path: String, limit: Int) throws -> [UInt8] {
    do {
      let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? handle.close() }
      let bytes = try handle.read(upToCount: limit + 1) ?? Data()
      guard bytes.count <= limit else { throw ClientError("\(path) has more than \(limit) bytes") }
      return Array(bytes)
    } catch let error as ClientError { throw error } catch {
      throw ClientError("cannot read \(path): \(error.localizedDescription)")
    }
  }

  /// Nothing but a digest becomes a path.
  private func path(_ digest: String) throws -> String {
    let hex = digest.dropFirst("sha256:".count)
    guard digest.hasPrefix("sha256:"), hex.utf8.count == 64,
      hex.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else { throw ClientError("\"\(digest.prefix(80))\" in \(folder) is no digest that is known here: sha256 is") }
    return "\(folder)/blobs/sha256/\(hex)"
  }
}
