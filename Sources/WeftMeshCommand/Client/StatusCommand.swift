import ArgumentParser
import Foundation
import WeftCommand
import WeftConfig
import WeftControl

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the control plane and its proxies: version, state, lag, certificate, bundles.",
    discussion: """
      SYNC: synced (has the newest configuration), syncing (it is on its way), stale (refused something and goes on \
      with what it had), disconnected. LAG: revisions of the store that the proxy is behind.

      With "services", "edges", "routes" or "filters": what goes on, in the last minute: requests a second, how many were not \
      answered with 5xx, and latencies. Services as their own sidecars see them, edges as the callers see them, routes as \
      clients see them; filters with calls of their scripts, by version, and the processor time of a call.

      Examples:
        weft status
        weft status gateway/default/edge
        weft status services
        weft status edges --json
      """)

  @Argument(
    help: ArgumentHelp(
      "Only proxies whose id begins so, with details; or services, edges, routes, filters.", valueName: "what"))
  var proxy: String?

  @OptionGroup var client: ClientOptions

  func run() throws {
    let (json, prefix) = (client.json, proxy)
    if let view = prefix.flatMap(TrafficView.init) {
      return try client.withClient { client, _ in try await view.show(client, json: json) }
    }
    try client.withClient { client, _ in
      let status = try await client.get("/weft/v1/status")
      let all = try await client.get("/weft/v1/proxies")["proxies"]?.array ?? []
      let proxies = all.filter { prefix == nil || $0["id"]?.string?.hasPrefix(prefix ?? "") == true }
      if json { return print(JSONValue.object(["status": status, "proxies": .array(proxies)]).text) }
      if let prefix, proxies.isEmpty { throw ClientError("no proxy whose id begins with \"\(prefix)\"") }
      if prefix == nil {
        summary(status, client.base)
        try await findings(client)
      }
      table(proxies, isEmptyShown: prefix == nil)
      if prefix != nil { for proxy in proxies { Terminal.write(ProxyDescription(proxy).text, to: 1) } }
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

/// What is wrong or odd, a few of it: the numbers alone would leave open where to look.
private func findings(_ client: ControlClient) async throws {
  let answer = try await client.get("/weft/v1/findings")
  let all = (answer["findings"]?.array ?? []).compactMap { ResourceFinding($0) }
  let shown = (all.filter(\.isError) + all.filter { !$0.isError }).prefix(5)
  guard !shown.isEmpty else { return }
  var text: String = shown.map { finding -> String in
    let word = finding.isError ? Terminal.styled("error", .red) : Terminal.styled("warning", .yellow)
    let place = [finding.resource.map { "\($0)" } ?? "", finding.path].filter { !$0.isEmpty }.joined(separator: ", ")
    return "  \(word) \(Terminal.harmless("\(place): \(finding.message)"))\n"
  }.joined()
  if all.count > shown.count { text += "  and \(all.count - shown.count) more: GET /weft/v1/findings\n" }
  Terminal.write(text + "\n", to: 1)
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
