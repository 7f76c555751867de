import ArgumentParser
import WeftCommand
import WeftConfig
import WeftControl

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Print changes of resources as they come.",
    discussion: """
      Begins with what is there. Goes on until it is interrupted, also over restarts of the control plane.

      Examples:
        weft watch httproutes
        weft watch workloads -A --json
      """)

  @OptionGroup var resource: ResourceArguments

  @Flag(name: [.customShort("A"), .customLong("all-namespaces")], help: "In all namespaces.")
  var allNamespaces = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func run() throws {
    let (kind, name) = resource.parts
    let (isEverywhere, namespace, json) = (allNamespaces, namespace, client.json)
    try client.withClient { client, resolved in
      let reference = try ResourceReference(kind: kind)
      try await Self.follow(
        reference.types, namespace: isEverywhere ? nil : namespace.resolve(resolved), name: name, after: "",
        client,
        json: json)
    }
  }

  /// Prints changes until nobody reads them.
  static func follow(
    _ types: [ResourceType], namespace: String?, name: String?, after revision: String, _ client: ControlClient,
    json: Bool
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for type in types {
        group.addTask {
          try await follow(type, namespace: namespace, name: name, after: revision, client, json: json)
        }
      }
      // The first end is the end of all: nobody reads the output, or the control plane refuses.
      try await group.next()
      group.cancelAll()
    }
  }

  private static func follow(
    _ type: ResourceType, namespace: String?, name: String?, after revision: String, _ client: ControlClient, json: Bool
  ) async throws {
    let path = type.path(namespace: namespace, name: namespace == nil && type.isNamespaced ? nil : name)
    var revision = revision
    var isRead = true
    var failures = 0
    while isRead {
      do {
        try await client.lines(
          path, [("watch", "1"), ("allowWatchBookmarks", "1"), ("resourceVersion", revision)]
        ) { line in
          failures = 0
          let object = line["object"]
          let kind = line["type"]?.string ?? ""
          if kind == "ERROR" {
            // What was missed can no longer be told: from the beginning.
            revision = ""
            return false
          }
          revision = object?["metadata"]?["resourceVersion"]?.string ?? revision
          if kind == "BOOKMARK" { return true }
          isRead = Terminal.write((json ? line.text : text(kind, object, type)) + "\n", to: 1)
          return isRead
        }
      } catch let problem as ProblemAnswer {
        guard problem.status == 410 || problem.status == 503 else { throw problem }
        if problem.status == 410 { revision = "" }
      } catch let error as ClientError {
        if failures == 0, !json { Terminal.printError("\(error); trying again") }
        // The first connection must succeed: a wrong address is a mistake, not a restart.
        if failures == 0, revision.isEmpty { throw error }
      } catch {
        if error is CancellationError { return }
      }
      failures += 1
      if isRead { try await Task.sleep(for: .milliseconds(min(200 * failures, 5_000))) }
    }
  }

  private static func text(_ event: String, _ object: JSONValue?, _ type: ResourceType) -> String {
    let metadata = object?["metadata"]
    let namespace = metadata?["namespace"]?.string
    let name = (namespace.map { "\($0)/" } ?? "") + (metadata?["name"]?.string ?? "")
    let style: Terminal.Style = event == "DELETED" ? .red : event == "ADDED" ? .green : .yellow
    let word = Terminal.styled(event.lowercased(), style) + String(repeating: " ", count: max(9 - event.count, 1))
    return "\(word)\(type.kind) \(name)  revision \(metadata?["resourceVersion"]?.string ?? "")"
  }
}
