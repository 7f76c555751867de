import ArgumentParser
import Foundation
import WeftCommand
import WeftConfig

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the control plane and its proxies: version, state, lag, certificate, bundles.",
    discussion: """
      SYNC: synced (has the newest configuration), syncing (it is on its way), stale (refused something and goes on \
      with what it had), disconnected. LAG: revisions of the store that the proxy is behind.

      Examples:
        weft status
        weft status gateway/default/edge
      """)

  @Argument(help: ArgumentHelp("Only proxies whose id begins so, with details.", valueName: "proxy"))
  var proxy: String?

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, prefix) = (client.json, proxy)
    try client.withClient { client, _ in
      let status = try await client.get("/weft/v1/status")
      let all = try await client.get("/weft/v1/proxies")["proxies"]?.array ?? []
      let proxies = all.filter { prefix == nil || $0["id"]?.string?.hasPrefix(prefix ?? "") == true }
      if json { return print(JSONValue.object(["status": status, "proxies": .array(proxies)]).text) }
      if let prefix, proxies.isEmpty { throw ClientError("no proxy whose id begins with \"\(prefix)\"") }
      if prefix == nil { summary(status, client.base) }
      table(proxies, isEmptyShown: prefix == nil)
      if prefix != nil { for proxy in proxies { details(proxy) } }
    }
  }
}

private func summary(_ status: JSONValue, _ address: String) {
  let states = status["proxies"]
  let counts = ["synced", "syncing", "stale", "disconnected"].map { "\(states?[$0]?.int ?? 0) \($0)" }
  var table = Table(columns: ["", ""])
  table.add(["control plane", "\(address), version \(status["version"]?.string ?? "")"])
  table.add(["revision", status["revision"]?.string ?? ""])
  table.add(["proxies", counts.joined(separator: ", ")])
  table.add(["resources", "\(status["errors"]?.int ?? 0) errors, \(status["warnings"]?.int ?? 0) warnings"])
  Terminal.write(table.body + "\n", to: 1)
}

private func table(_ proxies: [JSONValue], isEmptyShown: Bool) {
  if proxies.isEmpty {
    if isEmptyShown { print("no proxies; start one with weft gateway or weft sidecar") }
    return
  }
  var table = Table(columns: ["PROXY", "VERSION", "ZONE", "SYNC", "LAG", "CERTIFICATE", "BUNDLES", "REFUSED", "SEEN"])
  let now = Date().timeIntervalSince1970
  for proxy in proxies {
    let lag = (proxy["latestRevision"]?.double ?? 0) - (proxy["revision"]?.double ?? 0)
    let bundles = proxy["bundles"]?.array ?? []
    let rejected = bundles.count { $0["state"]?.string == "rejected" }
    table.add([
      Terminal.harmless(proxy["id"]?.string ?? ""), Terminal.harmless(proxy["version"]?.string ?? ""),
      Terminal.harmless(proxy["zone"]?.string ?? ""), proxy["sync"]?.string ?? "", "\(Int(max(min(lag, 1e15), 0)))",
      proxy["certificateNotAfter"]?.double.map { "\(ResourceTable.duration($0 - now)) left" } ?? "",
      "\(bundles.count - rejected)/\(bundles.count)", "\(proxy["rejections"]?.array?.count ?? 0)",
      "\(ResourceTable.duration(now - (proxy["lastSeen"]?.double ?? now))) ago",
    ])
  }
  Terminal.write(table.text(isTerminal: Terminal.hasColor(1)), to: 1)
}

private func details(_ proxy: JSONValue) {
  var text = "\n\(Terminal.styled(Terminal.harmless(proxy["id"]?.string ?? ""), .bold))\n"
  for (name, value) in (proxy["labels"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
    text += "  label \(Terminal.harmless("\(name)=\(value.string ?? "")"))\n"
  }
  for bundle in proxy["bundles"]?.array ?? [] {
    let error = bundle["error"]?.string ?? ""
    text +=
      "  bundle \(Terminal.harmless(bundle["name"]?.string ?? "")) \(bundle["digest"]?.string ?? "") \(bundle["state"]?.string ?? "")"
    text += error.isEmpty ? "\n" : ": \(Terminal.harmless(error))\n"
  }
  for rejection in proxy["rejections"]?.array ?? [] {
    text +=
      "  \(Terminal.styled("refuses", .red)) \(rejection["type"]?.string ?? "") \(rejection["name"]?.string ?? "")\n"
    for line in (rejection["message"]?.string ?? "").split(separator: "\n") {
      text += "    \(Terminal.harmless(String(line)))\n"
    }
  }
  Terminal.write(text, to: 1)
}

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
