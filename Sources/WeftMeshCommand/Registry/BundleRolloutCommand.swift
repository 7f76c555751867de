import ArgumentParser
import Foundation
import WeftCommand
import WeftConfig

struct BundleRolloutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollout",
    abstract: "Move the proxies to another version of a bundle, step by step.",
    discussion: """
      The FilterBundle of that name keeps its version for all proxies or requests that are not in the present step. After \
      each comparison the rollout goes on, or back when the new version does worse. A step is PERCENT:DURATION, or PERCENT \
      alone, which lasts until weft bundle promote.

      Examples:
        weft bundle rollout tenant-tag --to 1.3.0
        weft bundle rollout tenant-tag --to 1.3.0 --by requests --steps 1:5m,10:10m,50:10m,100 --watch
        weft bundle rollout tenant-tag --to 1.3.0 --shadow --by requests --steps 20
      """)

  enum Unit: String, ExpressibleByArgument, CaseIterable { case proxies, requests }

  @Argument(help: ArgumentHelp("The FilterBundle.", valueName: "name"))
  var name: String

  @Option(help: ArgumentHelp("The version, tag or digest to go over to.", valueName: "version"))
  var to: String

  @Option(
    help: ArgumentHelp(
      "Steps, such as 5:2m,50:10m,100 (default: 10:1m,50:1m,100).", valueName: "percent:duration,..."))
  var steps: String?

  @Option(help: ArgumentHelp("What percentages are of: 'proxies' or 'requests'.", valueName: "unit"))
  var by = Unit.proxies

  @Flag(help: "Run the new version beside the present one without effect, and count what it would do otherwise.")
  var shadow = false

  @Option(help: ArgumentHelp("Requests of the new version before it is compared (default: 100).", valueName: "count"))
  var minimumRequests: Int?

  @Option(help: ArgumentHelp("How often the versions are compared (default: 10s).", valueName: "duration"))
  var interval: String?

  @Option(help: ArgumentHelp("Comparisons that may fail (default: 0).", valueName: "count"))
  var failuresAllowed: Int?

  @Option(
    help: ArgumentHelp(
      "Percentage points by which its share of 5xx may be larger (default: 1).", valueName: "points"))
  var errorRate: Double?

  @Option(
    help: ArgumentHelp(
      "Percent by which the 99th percentile of its latency may be longer (default: not compared).",
      valueName: "percent"))
  var latencyP99: Double?

  @Flag(name: [.customShort("w"), .customLong("watch")], help: "Show its progress until it is over.")
  var watch = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func validate() throws { _ = try Self.parse(steps: steps) }

  /// Steps as the API takes them.
  static func parse(steps: String?) throws -> JSONValue? {
    guard let steps else { return nil }
    return .array(
      try steps.split(separator: ",", omittingEmptySubsequences: false).map { part in
        let pieces = part.split(separator: ":", maxSplits: 1).map(String.init)
        guard let percent = pieces.first.flatMap({ Int($0) }), (1...100).contains(percent),
          pieces.count < 2 || ConfigDuration(pieces[1]) != nil
        else {
          throw ValidationError("--steps takes PERCENT:DURATION or PERCENT, such as 5:2m,50:10m,100, not '\(part)'")
        }
        var step: JSONValue = ["percent": .number("\(percent)")]
        if pieces.count == 2 { step["pause"] = .string(pieces[1]) }
        return step
      })
  }

  private var body: JSONValue {
    get throws {
      var body: JSONValue = [
        "to": .string(to), "by": by == .proxies ? "Proxies" : "Requests", "mode": shadow ? "Shadow" : "Canary",
      ]
      body["steps"] = try Self.parse(steps: steps)
      var analysis: JSONValue = .object([:])
      if let minimumRequests { analysis["minimumRequests"] = .number("\(minimumRequests)") }
      if let interval { analysis["interval"] = .string(interval) }
      if let failuresAllowed { analysis["failuresAllowed"] = .number("\(failuresAllowed)") }
      if let errorRate { analysis["errorRate"] = .number("\(errorRate)") }
      if let latencyP99 { analysis["latencyP99"] = .number("\(latencyP99)") }
      if analysis.object?.isEmpty == false { body["analysis"] = analysis }
      return body
    }
  }

  func run() throws {
    let (json, name, body, watch, namespace) = (client.json, name, try body, watch, namespace)
    try client.withClient { client, resolved in
      let place = RolloutPlace(namespace: namespace.resolve(resolved), name: name)
      let answer = try await client.call(.POST, place.path, body: body)
      if watch { return try await place.watch(client, isJSON: json) }
      print(
        json ? answer.text : "the rollout of \(place.display) begins; follow it with weft bundle status \(name) --watch"
      )
    }
  }
}

struct BundleStatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show where the rollout of a bundle stands.",
    discussion: """
      Examples:
        weft bundle status
        weft bundle status tenant-tag --watch
      """)

  @Argument(help: ArgumentHelp("The FilterBundle (default: a table of all).", valueName: "name"))
  var name: String?

  @Flag(name: [.customShort("w"), .customLong("watch")], help: "Show its progress until it is over.")
  var watch = false

  @OptionGroup var namespace: NamespaceOption
  @OptionGroup var client: ClientOptions

  func validate() throws {
    if watch, name == nil { throw ValidationError("--watch needs the name of a FilterBundle") }
  }

  func run() throws {
    let (json, name, watch, namespace) = (client.json, name, watch, namespace)
    try client.withClient { client, resolved in
      guard let name else {
        let all = try await client.get("/weft/v1/rollouts")["rollouts"]?.array ?? []
        if json { return print(JSONValue.array(all).text) }
        if all.isEmpty { return Terminal.printError("no rollouts yet; begin one with weft bundle rollout") }
        return print(RolloutText.table(all), terminator: "")
      }
      let place = RolloutPlace(namespace: namespace.resolve(resolved), name: name)
      if watch { return try await place.watch(client, isJSON: json) }
      let status = try await client.get(place.path)
      print(json ? status.text + "\n" : RolloutText.page(status), terminator: "")
    }
  }
}
