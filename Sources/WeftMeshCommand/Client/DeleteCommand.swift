import ArgumentParser
import WeftCommand
import WeftConfig
import WeftControl

struct DeleteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Delete resources of the control plane.",
    discussion: """
      What would leave another resource wrong (a Filter that a route uses) is refused, unless --force is given. What \
      only leaves a reference without a target, for which the Gateway API says what happens, is done with a warning.

      Examples:
        weft delete httproute shop
        weft delete -f config/
      """)

  @Argument(help: ArgumentHelp("The kind, or KIND/NAME; then names.", valueName: "kind"))
  var arguments: [String] = []

  @Option(
    name: [.customShort("f"), .customLong("file")],
    help: ArgumentHelp(
      "Delete what a file or folder holds, or - for standard input. May be repeated.", valueName: "path"),
    completion: .file())
  var files: [String] = []

  @Flag(help: "Also what others need.")
  var force = false

  @Flag(help: "Check everything and delete nothing.")
  var dryRun = false

  @Flag(help: "What is not there is no error.")
  var ignoreNotFound = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func validate() throws {
    if files.isEmpty == arguments.isEmpty { throw ValidationError("say what to delete: KIND NAME, or -f PATH") }
    if let first = arguments.first, arguments.count == 1, !first.contains("/") {
      throw ValidationError("say which \(first) to delete, by name")
    }
  }

  func run() throws {
    let (files, arguments, json, namespace, isDryRun) = (files, arguments, client.json, namespace, dryRun)
    var query: [(String, String)] = []
    if force { query.append(("force", "1")) }
    if dryRun { query.append(("dryRun", "All")) }
    if ignoreNotFound { query.append(("ignoreNotFound", "1")) }
    let options = query
    let ignoresMissing = ignoreNotFound
    try client.withClient { client, resolved in
      let place = namespace.resolve(resolved)
      var list: [JSONValue] = []
      if files.isEmpty {
        let (kind, names) = ResourceReference.split(arguments[0], Array(arguments.dropFirst()))
        let reference = try ResourceReference(kind: kind)
        for name in names {
          do {
            let (_, value) = try await reference.resource(name, namespace: place, client)
            list.append(value)
          } catch let error as ClientError where ignoresMissing && error.description.hasPrefix("no ") {
            continue
          }
        }
      } else {
        let manifests = try ApplyCommand.read(files, place, json: json)
        Findings(manifests.diagnostics).print(json: json, to: 2)
        if manifests.hasErrors { throw ExitCode(1) }
        list = manifests.items.map(\.value)
      }
      if list.isEmpty { return }
      // Only what names a resource; not the version that was read, for a delete means whatever is there.
      let resources = list.map { value -> JSONValue in
        var metadata: JSONValue = ["name": value["metadata"]?["name"] ?? ""]
        metadata["namespace"] = value["metadata"]?["namespace"]
        return ["apiVersion": value["apiVersion"] ?? "", "kind": value["kind"] ?? "", "metadata": metadata]
      }
      let answer = try await client.call(
        .POST, "/weft/v1/delete", options, body: ["resources": .array(resources)])
      if json { return print(answer.text) }
      for warning in answer["warnings"]?.array?.compactMap({ ResourceFinding($0) }) ?? [] {
        Terminal.printError(Terminal.styled(Terminal.harmless(warning.description), .yellow, 2))
      }
      for result in answer["results"]?.array ?? [] {
        print("\(ResourceNames.of(result)) deleted\(isDryRun ? " (dry run)" : "")")
      }
    }
  }
}
