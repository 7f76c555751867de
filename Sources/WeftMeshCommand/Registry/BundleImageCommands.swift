import ArgumentParser
import WeftBundle
import WeftCommand
import WeftConfig

struct BundleExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a bundle of the control plane into an OCI image layout, for any OCI registry.",
    discussion: """
      The folder may hold others already. Tools for OCI registries, such as skopeo, oras and crane, copy it from there.

      Example:
        weft bundle export tenant-tag:1.2.0 --oci images
      """)

  @Argument(help: ArgumentHelp("NAME, NAME:VERSION, NAME:TAG or NAME@DIGEST.", valueName: "bundle"))
  var bundle: BundleReference

  @Option(
    help: ArgumentHelp("The folder of the layout; made if there is none.", valueName: "folder"), completion: .directory)
  var oci: String

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, reference, folder) = (client.json, bundle, oci)
    try client.withClient { client, _ in
      let (bundle, signatures) = try await reference.fetch(client)
      try ImageLayout(folder: folder).add(bundle, signatures: signatures)
      let name = "\(bundle.manifest.name):\(bundle.manifest.version)"
      let value: JSONValue = [
        "name": .string(name), "digest": .string(bundle.digest.description), "folder": .string(folder),
      ]
      print(json ? value.text : "\(name) \(bundle.digest) is in \(folder)")
    }
  }
}

struct BundleImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Push the bundles of an OCI image layout to the control plane.",
    discussion: """
      Digests are verified, and signatures go along. What is no bundle of Weft is left alone.

      Example:
        weft bundle import images
      """)

  @Argument(help: ArgumentHelp("The folder of the layout.", valueName: "folder"), completion: .directory)
  var folder: String

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, folder) = (client.json, folder)
    try client.withClient { client, _ in
      let contents = try ImageLayout(folder: folder).read()
      if contents.isEmpty { throw ClientError("\(folder) holds no bundle of Weft") }
      var answers: [JSONValue] = []
      for content in contents {
        answers.append(
          try await client.upload(
            .POST, "/weft/v1/bundles", [], content.bundle.archive, type: "application/octet-stream"))
        let digest = content.bundle.digest.description
        if let signatures = content.signatures {
          _ = try await client.upload(
            .PUT, "/weft/v1/blobs/\(digest)/signatures", [], signatures, type: "application/yaml")
        }
        if !json { print("\(content.bundle.manifest.name):\(content.bundle.manifest.version) \(digest)") }
      }
      if json { print(JSONValue.array(answers).text) }
    }
  }
}

extension BundleReference {
  /// The archive and its signatures, of a control plane, found right.
  func fetch(_ client: ControlClient) async throws -> (Bundle, signatures: [UInt8]?) {
    let record = try await resolve(client)
    let digest = record["digest"]?.string ?? ""
    let archive = try await client.download("/weft/v1/blobs/\(digest)")
    let bundle = try Bundle(archive: archive, place: "\(client.base)/weft/v1/blobs/\(digest)")
    guard bundle.digest.description == digest else {
      throw ClientError("what the control plane sent for \(digest) has the digest \(bundle.digest)")
    }
    do { return (bundle, try await client.download("/weft/v1/blobs/\(digest)/signatures")) } catch let problem
      as ProblemAnswer where problem.status == 404
    {
      return (bundle, nil)
    }
  }
}
