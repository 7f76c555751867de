import ArgumentParser
import WeftCommand
import WeftConfig
import WeftControl
import WeftStore

struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Show the versions of a resource, and who made them.",
    discussion: """
      Newest first. How far back it goes is the store's matter: at least 10,000 revisions and seven days.

      Examples:
        weft history httproute shop
        weft history httproute shop --diff
      """)

  @OptionGroup var resource: ResourceArguments

  @Flag(help: "Show what each version has changed.")
  var diff = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  private static let question = "say whose history"

  func validate() throws { _ = try resource.required(Self.question) }

  func run() throws {
    let (kind, name) = try resource.required(Self.question)
    let (json, namespace, showsDifferences) = (client.json, namespace, diff)
    try client.withClient { client, resolved in
      let key = try await ResourceReference(kind: kind).key(name, namespace: namespace.resolve(resolved), client)
      let answer = try await client.get(
        Self.path(key), showsDifferences || json ? [("objects", "1")] : [])
      if json { return print(answer.text) }
      let versions = answer["versions"]?.array ?? []
      guard showsDifferences else {
        var table = Table(columns: ["REVISION", "GENERATION", "TIME", "WHO", "HOW"])
        for version in versions {
          table.add([
            version["revision"]?.string ?? "",
            version["isDeleted"]?.bool == true ? "deleted" : version["generation"].map(\.text) ?? "",
            version["time"]?.string ?? "", Terminal.harmless(version["who"]?.string ?? ""),
            version["verb"]?.string ?? "",
          ])
        }
        return print(table.text(isTerminal: Terminal.hasColor(1)), terminator: "")
      }
      for (index, version) in versions.enumerated() {
        let older = index + 1 < versions.count ? versions[index + 1] : nil
        let from = older?["revision"]?.string.map { "revision \($0)" } ?? "before"
        let difference = LineDifference(
          Self.content(older?["object"]), Self.content(version["object"]), from: from,
          to:
            "revision \(version["revision"]?.string ?? "") \(version["time"]?.string ?? "") \(version["who"]?.string ?? "")"
        )
        Terminal.write(difference.text(isColored: Terminal.hasColor(1)), to: 1)
      }
    }
  }

  static func path(_ key: ResourceKey) -> String {
    let group = key.group.isEmpty ? "core" : key.group
    let namespace = key.namespace.isEmpty ? "_" : key.namespace
    return "/weft/v1/history/\(group)/\(key.kind)/\(namespace)/\(ControlClient.escape(key.name))"
  }

  private static func content(_ value: JSONValue?) -> String {
    guard var value else { return "" }
    for field in ["resourceVersion", "generation", "uid", "creationTimestamp"] { value["metadata"]?[field] = nil }
    return value.yaml
  }
}

struct RollbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Put an earlier version of a resource in force again.",
    discussion: """
      Without --to, the newest version that differs from the present one; a deleted resource comes back. The earlier \
      version is checked like any change, and becomes a new one.

      Examples:
        weft rollback httproute shop
        weft rollback httproute shop --to 1834
      """)

  @OptionGroup var resource: ResourceArguments

  @Option(help: ArgumentHelp("The revision, as weft history lists it.", valueName: "revision"))
  var to: UInt64?

  @Flag(help: "Check everything and change nothing.")
  var dryRun = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  private static let question = "say what to roll back"

  func validate() throws { _ = try resource.required(Self.question) }

  func run() throws {
    let (kind, name) = try resource.required(Self.question)
    let (json, namespace, revision, isDryRun) = (client.json, namespace, to, dryRun)
    try client.withClient { client, resolved in
      let key = try await ResourceReference(kind: kind).key(name, namespace: namespace.resolve(resolved), client)
      var body: JSONValue = [
        "group": .string(key.group), "kind": .string(key.kind), "namespace": .string(key.namespace),
        "name": .string(key.name),
      ]
      body["revision"] = revision.map { .string("\($0)") }
      let answer = try await client.call(
        .POST, "/weft/v1/rollback", isDryRun ? [("dryRun", "All")] : [], body: body)
      if json { return print(answer.text) }
      for result in answer["results"]?.array ?? [] {
        print("\(ResourceNames.of(result)) \(result["outcome"]?.string ?? "")\(isDryRun ? " (dry run)" : "")")
      }
    }
  }
}
