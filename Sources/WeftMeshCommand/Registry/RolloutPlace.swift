import ArgumentParser
import Foundation
import WeftCommand
import WeftConfig

/// A FilterBundle whose rollout a command is about.
struct RolloutPlace: Sendable {
  let namespace: String
  let name: String

  var path: String { "/weft/v1/rollouts/\(ControlClient.escape(namespace))/\(ControlClient.escape(name))" }
  var display: String { "\(namespace)/\(name)" }

  /// Shows a rollout until it is over: in place on a terminal, as lines elsewhere.
  /// - Throws: `ExitCode(1)` when it was rolled back.
  func watch(_ client: ControlClient, isJSON: Bool) async throws {
    let isLive = !isJSON && isatty(1) == 1
    var shown = 0
    var last = ""
    while true {
      let status = try await client.get(path)
      let text = isJSON ? status.text + "\n" : isLive ? RolloutText.page(status) : RolloutText.line(status) + "\n"
      if isLive {
        // Up to where the last one began, and clear what is below.
        let up = shown > 0 ? "\u{1b}[\(shown)A\u{1b}[J" : ""
        guard Terminal.write(up + text, to: 1) else { return }
        shown = text.utf8.count { $0 == UInt8(ascii: "\n") }
      } else if text != last {
        guard Terminal.write(text, to: 1) else { return }
        last = text
      }
      let phase = status["rollout"]?["phase"]?.string ?? ""
      // One that has only just been asked for is not there yet.
      let isOver = ["Succeeded", "RolledBack", "Aborted"].contains(phase)
      if isOver, status["isPending"]?.bool != true {
        if phase == "RolledBack" { throw ExitCode(1) }
        return
      }
      try await Task.sleep(for: .seconds(1))
    }
  }
}

/// Rollouts for people.
enum RolloutText {
  static func table(_ rollouts: [JSONValue]) -> String {
    var table = Table(columns: ["NAMESPACE", "NAME", "PHASE", "MODE", "SHARE", "SINCE", "MESSAGE"])
    let now = Date().timeIntervalSince1970
    for value in rollouts {
      let rollout = value["rollout"]
      table.add([
        value["namespace"]?.string ?? "", value["name"]?.string ?? "", rollout?["phase"]?.string ?? "",
        mode(rollout), share(rollout),
        ResourceTable.duration(now - (rollout?["ended"]?.double ?? rollout?["started"]?.double ?? now)),
        Terminal.harmless(String((rollout?["message"]?.string ?? "").prefix(100))),
      ])
    }
    return table.text(isTerminal: Terminal.hasColor(1))
  }

  private static func mode(_ rollout: JSONValue?) -> String { rollout?["mode"]?.string ?? "" }

  private static func share(_ rollout: JSONValue?) -> String {
    "\(rollout?["percent"]?.int ?? 0) % of \((rollout?["by"]?.string ?? "").lowercased())"
  }

  /// For output that is no terminal.
  static func line(_ status: JSONValue) -> String {
    guard let rollout = status["rollout"] else { return "no rollout" }
    let requests = rollout["candidateFigures"]?["requests"]?.int ?? 0
    return
      "\(rollout["phase"]?.string ?? "") \(share(rollout)), \(requests) requests: \(Terminal.harmless(rollout["message"]?.string ?? ""))"
  }

  /// Everything about one.
  static func page(_ status: JSONValue) -> String {
    var table = Table(columns: ["", ""])
    table.add(["FilterBundle", "\(status["namespace"]?.string ?? "")/\(status["name"]?.string ?? "")"])
    if let digest = status["digest"]?.string { table.add(["version", digest]) }
    guard let rollout = status["rollout"] else {
      return table.body + "no rollout yet; begin one with weft bundle rollout\n"
    }
    table.add(["rollout", "\(mode(rollout)) to \(rollout["candidate"]?.string ?? "")"])
    table.add(["phase", Terminal.styled(rollout["phase"]?.string ?? "", color(rollout["phase"]?.string))])
    table.add(["share", share(rollout) + " " + bar(rollout["percent"]?.int ?? 0)])
    table.add(["steps", steps(rollout)])
    table.add(["message", Terminal.harmless(rollout["message"]?.string ?? "")])
    return table.body + figures(rollout) + checks(rollout) + notes(status, rollout)
  }

  private static func color(_ phase: String?) -> Terminal.Style {
    switch phase {
    case "RolledBack", "RollingBack": .red
    case "Succeeded": .green
    default: .yellow
    }
  }

  private static func bar(_ percent: Int) -> String {
    let filled = min(max(percent, 0), 100) / 5
    return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled) + "]"
  }

  private static func steps(_ rollout: JSONValue) -> String {
    let present = rollout["step"]?.int ?? 0
    return (rollout["steps"]?.array ?? []).enumerated().map { index, step in
      let pause = step["pause"]?.double.map { " for \(ResourceTable.duration($0))" } ?? ""
      let text = "\(step["percent"]?.int ?? 0) %\(pause)"
      return index == present ? "> \(text)" : text
    }.joined(separator: ", ")
  }

  private static func figures(_ rollout: JSONValue) -> String {
    let isShadow = rollout["mode"]?.string == "Shadow"
    let columns = ["", "REQUESTS", "5XX", "SCRIPT ERRORS", "P50", "P99", "TIME/CALL"]
    var table = Table(columns: columns + (isShadow ? ["SAME", "DIFFERENT"] : []))
    for (title, field) in [("present", "stableFigures"), ("candidate", "candidateFigures")] {
      let figures = rollout[field]
      func count(_ name: String) -> String { "\(figures?[name]?.int ?? 0)" }
      func time(_ name: String) -> String {
        figures?[name]?.double.map { "\(($0 * 10).rounded() / 10) ms" } ?? "-"
      }
      let rate = figures?["errorRate"]?.double.map { " (\(($0 * 100).rounded() / 100) %)" } ?? ""
      let call = figures?["callTime"]?.double.map { "\(($0 * 10_000).rounded() / 10) µs" } ?? "-"
      table.add(
        [
          title, count("requests"), count("failures") + rate, count("errors"), time("latencyP50"), time("latencyP99"),
          call,
        ] + (isShadow ? [count("same"), count("different")] : []))
    }
    return "\n" + table.text(isTerminal: Terminal.hasColor(1))
  }

  private static func checks(_ rollout: JSONValue) -> String {
    let checks = rollout["checks"]?.array ?? []
    if checks.isEmpty { return "" }
    var text = "\nlast comparison\n"
    for check in checks {
      func number(_ name: String) -> String { "\(((check[name]?.double ?? 0) * 100).rounded() / 100)" }
      let passed = check["isPassed"]?.bool == true
      text +=
        "  \(passed ? "passed" : Terminal.styled("failed", .red)) \(check["name"]?.string ?? ""): candidate \(number("candidate")), present \(number("stable")), at most \(number("limit"))\n"
    }
    return text
  }

  private static func notes(_ status: JSONValue, _ rollout: JSONValue) -> String {
    var text = ""
    let refusals = rollout["refusals"]?.array ?? []
    if !refusals.isEmpty { text += "\nrefused by\n" }
    for refusal in refusals {
      text += "  \(Terminal.harmless(refusal["proxy"]?.string ?? ""))\n"
      for line in (refusal["message"]?.string ?? "").split(separator: "\n").prefix(5) {
        text += "    \(Terminal.harmless(String(line)))\n"
      }
    }
    let samples = rollout["samples"]?.array ?? []
    if !samples.isEmpty { text += "\ndifferences\n" }
    for sample in samples { text += "  \(Terminal.harmless(sample.string ?? ""))\n" }
    let history = rollout["history"]?.array ?? []
    if !history.isEmpty { text += "\nhistory\n" }
    for moment in history.suffix(10) {
      let time = Date(timeIntervalSince1970: min(max(moment["time"]?.double ?? 0, 0), 1e11))
      text += "  \(time.formatted(.iso8601)) \(Terminal.harmless(moment["text"]?.string ?? ""))\n"
    }
    return text
  }
}
