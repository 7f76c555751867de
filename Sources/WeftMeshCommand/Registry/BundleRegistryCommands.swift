import ArgumentParser
import WeftBundle
import WeftCommand
import WeftConfig

/// `NAME`, `NAME:VERSION`, `NAME:TAG` or `NAME@sha256:HEX`.
struct BundleReference: Sendable, ExpressibleByArgument {
  let name: String
  let reference: String?

  init?(argument: String) {
    let isDigest = argument.contains("@")
    let parts = argument.split(separator: isDigest ? "@" : ":", maxSplits: 1).map(String.init)
    guard let name = parts.first, !name.isEmpty, !name.contains("/") else { return nil }
    self.name = name
    reference = parts.count > 1 ? parts[1] : nil
  }

  /// What it names at a control plane: without a version or tag, the newest version.
  func resolve(_ client: ControlClient) async throws -> JSONValue {
    if let reference {
      return try await client.get("/weft/v1/bundles/\(name)/\(ControlClient.escape(reference))")
    }
    let records = try await client.get("/weft/v1/bundles", [("name", name)])["bundles"]?.array ?? []
    let versions = records.compactMap { record in
      record["version"]?.string.flatMap { record["tag"] == nil ? SemanticVersion($0) : nil }.map {
        ($0, record)
      }
    }
    guard let newest = versions.max(by: { $0.0 < $1.0 }) else {
      throw ClientError("no bundle named \"\(name)\" was pushed")
    }
    return newest.1
  }
}

struct BundleListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the bundles that were pushed, with their versions and tags.",
    discussion: """
      Example:
        weft bundle list
      """)

  @Argument(help: ArgumentHelp("Only this bundle.", valueName: "name"))
  var name: String?

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, name) = (client.json, name)
    try client.withClient { client, _ in
      let records =
        try await client.get("/weft/v1/bundles", name.map { [("name", $0)] } ?? [])["bundles"]?
        .array ?? []
      if json { return print(JSONValue.array(records).text) }
      if records.isEmpty {
        return Terminal.printError("no bundles; push one with weft bundle push")
      }
      var table = Table(columns: ["NAME", "VERSION", "TAGS", "SIZE", "PUSHED", "BY", "DIGEST"])
      let tags = records.filter { $0["tag"] != nil }
      for record in records where record["tag"] == nil {
        let own = tags.filter { $0["name"] == record["name"] && $0["digest"] == record["digest"] }
        table.add([
          record["name"]?.string ?? "", record["version"]?.string ?? "",
          own.compactMap { $0["tag"]?.string }.joined(separator: ", "),
          "\(record["bytes"]?.int ?? 0)",
          record["pushed"]?.string ?? "", Terminal.harmless(record["pushedBy"]?.string ?? ""),
          record["digest"]?.string ?? "",
        ])
      }
      print(table.text(isTerminal: Terminal.hasColor(1)), terminator: "")
    }
  }
}

struct BundlePullCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Fetch a bundle's archive from the control plane, with its signatures.",
    discussion: """
      Examples:
        weft bundle pull tenant-tag:stable
        weft bundle pull tenant-tag:1.2.0 -o tenant-tag.weft
      """)

  @Argument(help: ArgumentHelp("NAME, NAME:VERSION, NAME:TAG or NAME@DIGEST.", valueName: "bundle"))
  var bundle: BundleReference

  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("The archive to write (default: NAME-VERSION.weft).", valueName: "file"))
  var output: String?

  @OptionGroup var client: ClientOptions

  func validate() throws {
    if let output, !output.hasSuffix(BundleLayout.archiveSuffix) {
      throw ValidationError("-o takes a file whose name ends in \(BundleLayout.archiveSuffix)")
    }
  }

  func run() throws {
    let (json, reference, output) = (client.json, bundle, output)
    try client.withClient { client, _ in
      let (bundle, signatures) = try await reference.fetch(client)
      let digest = bundle.digest.description
      let file =
        output ?? "\(bundle.manifest.name)-\(bundle.manifest.version)\(BundleLayout.archiveSuffix)"
      let isSigned = signatures != nil
      if let signatures { try BundleOutput.write(signatures, to: file + ".sig") }
      try BundleOutput.write(bundle.archive, to: file)
      if json {
        var object = JSONObject()
        object.add("file", file)
        object.add("digest", digest)
        object.add("isSigned", isSigned)
        return print(object)
      }
      print("\(file)  \(digest)\(isSigned ? ", signatures in \(file).sig" : ", not signed")")
    }
  }
}

struct BundleTagCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tag",
    abstract: "Give a version of a bundle at the control plane a tag, in place of what had it.",
    discussion: """
      Example:
        weft bundle tag tenant-tag:1.2.0 stable
      """)

  @Argument(help: ArgumentHelp("NAME:VERSION, NAME:TAG or NAME@DIGEST.", valueName: "bundle"))
  var bundle: BundleReference

  @Argument(help: "The tag.")
  var tag: String

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, reference, tag) = (client.json, bundle, tag)
    try client.withClient { client, _ in
      let record = try await reference.resolve(client)
      let answer = try await client.call(
        .PUT, "/weft/v1/bundles/\(reference.name)/\(ControlClient.escape(tag))",
        body: ["to": record["digest"] ?? ""])
      print(
        json
          ? answer.text
          : "\(reference.name):\(tag) is \(answer["version"]?.string ?? "") \(answer["digest"]?.string ?? "")"
      )
    }
  }
}

struct BundleRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Delete a version that nothing uses, or a tag, at the control plane.",
    discussion: """
      Example:
        weft bundle remove tenant-tag:1.0.0
      """)

  @Argument(help: ArgumentHelp("NAME:VERSION or NAME:TAG.", valueName: "bundle"))
  var bundle: BundleReference

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, reference) = (client.json, bundle)
    guard let version = reference.reference else {
      throw ValidationError("say which version or tag: NAME:VERSION")
    }
    try client.withClient { client, _ in
      let answer = try await client.call(
        .DELETE, "/weft/v1/bundles/\(reference.name)/\(ControlClient.escape(version))")
      print(json ? answer.text : "\(reference.name):\(version) removed")
    }
  }
}

struct BundleCollectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collect",
    abstract: "Delete archives at the control plane that nothing refers to.",
    discussion: """
      Never what a version, a tag or a FilterBundle names, and nothing that was pushed in the last hour.

      Example:
        weft bundle collect --dry-run
      """)

  @Flag(help: "Only say what would go.")
  var dryRun = false

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, isDryRun) = (client.json, dryRun)
    try client.withClient { client, _ in
      let answer = try await client.call(
        .POST, "/weft/v1/blobs/collect", isDryRun ? [("dryRun", "All")] : [], body: .object([:]))
      if json { return print(answer.text) }
      let removed = answer["removed"]?.array ?? []
      for blob in removed {
        print("\(blob["digest"]?.string ?? "") \(blob["bytes"]?.int ?? 0) bytes")
      }
      print("\(Findings.count(removed.count, "archive"))\(isDryRun ? " would go" : " deleted")")
    }
  }
}
