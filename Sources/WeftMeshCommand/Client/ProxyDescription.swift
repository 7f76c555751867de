import Foundation
import WeftCommand
import WeftConfig

/// What the control plane knows of one proxy, for people to read.
struct ProxyDescription {
  private let proxy: JSONValue

  init(_ proxy: JSONValue) { self.proxy = proxy }

  private var id: String { Terminal.harmless(proxy["id"]?.string ?? "") }

  /// What a table has no room for.
  var text: String { "\n\(Terminal.styled(id, .bold))\n\(labels)\(bundles)\(rejections)" }

  private var labels: String {
    (proxy["labels"]?.object ?? [:]).sorted { $0.key < $1.key }.map { name, value in
      "  label \(Terminal.harmless("\(name)=\(value.string ?? "")"))\n"
    }.joined()
  }

  private var bundles: String {
    (proxy["bundles"]?.array ?? []).map { bundle in
      let error = bundle["error"]?.string ?? ""
      let name = Terminal.harmless(bundle["name"]?.string ?? "")
      let state = "\(bundle["digest"]?.string ?? "") \(bundle["state"]?.string ?? "")"
      return "  bundle \(name) \(Terminal.harmless(state))\(error.isEmpty ? "" : ": \(Terminal.harmless(error))")\n"
    }.joined()
  }

  private var rejections: String {
    (proxy["rejections"]?.array ?? []).map { rejection in
      let name = "\(rejection["type"]?.string ?? "") \(rejection["name"]?.string ?? "")"
      let age = ResourceTable.duration(Date().timeIntervalSince1970 - (rejection["since"]?.double ?? 0))
      let lines = (rejection["message"]?.string ?? "").split(separator: "\n").map {
        "    \(Terminal.harmless(String($0)))\n"
      }
      return "  \(Terminal.styled("refuses", .red)) \(Terminal.harmless(name)), for \(age)\n\(lines.joined())"
    }.joined()
  }

  /// Everything.
  /// - Parameter events: about it.
  func all(_ events: [JSONValue]) -> String {
    let now = Date().timeIntervalSince1970
    func ago(_ field: String) -> String {
      proxy[field]?.double.map { "\(ResourceTable.duration(now - $0)) ago" } ?? ""
    }
    var head = Table(columns: ["", ""])
    head.add(["Proxy", id])
    head.add(["Version", Terminal.harmless(proxy["version"]?.string ?? "")])
    if let zone = proxy["zone"]?.string, !zone.isEmpty { head.add(["Zone", Terminal.harmless(zone)]) }
    let connected = ago("connectedSince")
    head.add(["Connected", connected.isEmpty ? "no" : "\(connected), to replica \(replica)"])
    head.add(["Last seen", ago("lastSeen")])
    head.add(["State", "\(proxy["sync"]?.string ?? "")\(Self.meaning[proxy["sync"]?.string ?? ""] ?? "")"])
    head.add(["Revision", "\(number("revision")) of \(number("latestRevision"))"])
    if let end = proxy["certificateNotAfter"]?.double {
      let left = end > now ? "\(ResourceTable.duration(end - now)) left" : "has ended"
      let time = Date(timeIntervalSince1970: min(max(end, 0), 1e11)).formatted(.iso8601)
      head.add(["Certificate", "until \(time), \(left)"])
    }
    var text = head.body
    func section(_ title: String, _ body: String, empty: String) {
      text += "\n\(Terminal.styled(title, .bold))\n\(body.isEmpty ? "  \(empty)\n" : body)"
    }
    if !labels.isEmpty { section("Labels", labels, empty: "") }
    section("Bundles", bundles, empty: "none")
    section("Refuses", rejections, empty: "nothing")
    section("Events", events.map { "  \(EventsCommand.text($0))\n" }.joined(), empty: "none that are remembered")
    return text
  }

  private var replica: String { Terminal.harmless(proxy["replica"]?.string ?? "") }
  private func number(_ field: String) -> Int { Int(max(min(proxy[field]?.double ?? 0, 1e15), 0)) }

  private static let meaning = [
    "synced": ": it has the newest configuration", "syncing": ": changes are on their way to it",
    "stale": ": it refuses something, and goes on with what it had",
    "disconnected": ": it goes on with what it has",
  ]
}
