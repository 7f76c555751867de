import ArgumentParser
import WeftCommand
import WeftConfig

/// The FilterBundle whose rollout a command is about, and where it is.
struct RolloutTarget: ParsableArguments {
  @Argument(help: ArgumentHelp("The FilterBundle.", valueName: "name"))
  var name: String

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  /// Does something to the rollout, and says so.
  func call(
    _ verb: String, body: JSONValue = .object([:]), _ text: @escaping @Sendable (String) -> String
  ) throws {
    let (json, name, namespace) = (client.json, name, namespace)
    try client.withClient { client, resolved in
      let place = RolloutPlace(namespace: namespace.resolve(resolved), name: name)
      let answer = try await client.call(.POST, "\(place.path)/\(verb)", body: body)
      print(json ? answer.text : text(place.display))
    }
  }
}

struct BundlePromoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote",
    abstract: "Let a rollout go on to its next step at once.",
    discussion: """
      Examples:
        weft bundle promote tenant-tag
        weft bundle promote tenant-tag --to-end
      """)

  @Flag(help: "To its end: all proxies run the new version.")
  var toEnd = false

  @OptionGroup var target: RolloutTarget

  func run() throws {
    try target.call("promote", body: ["toEnd": .bool(toEnd)]) { "the rollout of \($0) goes on" }
  }
}

struct BundleAbortCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "abort",
    abstract: "Take a rollout back: all proxies run the version from before.",
    discussion: """
      Example:
        weft bundle abort tenant-tag
      """)

  @OptionGroup var target: RolloutTarget

  func run() throws { try target.call("abort") { "the rollout of \($0) is taken back" } }
}

struct BundleRollbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Go back to the version before the last rollout, or take a rollout back.",
    discussion: """
      Example:
        weft bundle rollback tenant-tag
      """)

  @OptionGroup var target: RolloutTarget

  func run() throws { try target.call("rollback") { "\($0) goes back" } }
}
