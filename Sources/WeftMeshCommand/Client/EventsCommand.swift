import ArgumentParser
import Foundation
import WeftCommand
import WeftConfig

struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "Show what happened in the mesh.",
    discussion: """
      Examples:
        weft events
        weft events --watch
      """)

  @Flag(name: [.customShort("w"), .customLong("watch")], help: "Then print events as they happen.")
  var watch = false

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, watches) = (client.json, watch)
    try client.withClient { client, _ in
      func show(_ event: JSONValue) -> Bool { Terminal.write((json ? event.text : Self.text(event)) + "\n", to: 1) }
      let events = try await client.get("/weft/v1/events")["events"]?.array ?? []
      for event in events where !show(event) { return }
      if events.isEmpty, !watches, !json { Terminal.printError("no events yet") }
      guard watches else { return }
      let last = events.last?["number"].map(\.text) ?? "0"
      try await client.lines("/weft/v1/events", [("watch", "1"), ("after", last)]) { show($0) }
    }
  }

  static func text(_ event: JSONValue) -> String {
    let time = Date(timeIntervalSince1970: min(max(event["time"]?.double ?? 0, 0), 1e11))
    let isWarning = event["severity"]?.string == "warning"
    let reason = event["reason"]?.string ?? ""
    return
      "\(time.formatted(.iso8601)) \(isWarning ? Terminal.styled(reason, .yellow) : reason) \(Terminal.harmless(event["subject"]?.string ?? "")): \(Terminal.harmless(event["message"]?.string ?? ""))"
  }
}
