import Foundation
import WeftCommand
import WeftConfig

/// `weft status services`, `edges`, `routes` and `filters`.
enum TrafficView: String {
  case services, edges, routes, filters

  func show(_ client: ControlClient, json: Bool) async throws {
    let traffic = try await client.get("/weft/v1/traffic")
    let rows = traffic[rawValue]?.array ?? []
    if json { return print(JSONValue.object([rawValue: .array(rows)]).text) }
    if rows.isEmpty {
      let what = self == .filters ? "calls of scripts, errors or answers of filters" : "requests"
      return print("no \(what) in the last minute; proxies report every 10 s")
    }
    let figures = ["REQUESTS/S", "SUCCESS", "P50", "P99"]
    var table: Table
    switch self {
    case .services: table = Table(columns: ["SERVICE"] + figures + ["SEEN BY"])
    case .edges: table = Table(columns: ["FROM", "TO"] + figures)
    case .routes: table = Table(columns: ["PROXY", "ROUTE"] + figures)
    case .filters:
      table = Table(columns: ["FILTER", "BUNDLE", "DIGEST", "CALLS/S", "TIME/CALL", "ERRORS", "ANSWERED"])
    }
    for row in rows {
      func name(_ field: String) -> String { Terminal.harmless(row[field]?.string ?? "") }
      let cells = Self.cells(row["figures"] ?? .null)
      switch self {
      case .services:
        table.add(
          [name("service")] + cells + [row["isReportedByItself"]?.bool == true ? "its sidecars" : "its callers"])
      case .edges: table.add([name("source"), name("destination")] + cells)
      case .routes: table.add([name("proxy"), name("route")] + cells)
      case .filters:
        let time = row["callTime"]?.double.map { String(format: "%.1f µs", min($0, 1e12)) } ?? ""
        table.add([
          name("filter"), name("bundle"), String(name("digest").prefix(19)),
          String(format: "%.1f", row["callsPerSecond"]?.double ?? 0), time, "\(row["errors"]?.int ?? 0)",
          "\(row["answered"]?.int ?? 0)",
        ])
      }
    }
    Terminal.write(table.text(isTerminal: Terminal.hasColor(1)), to: 1)
  }

  private static func cells(_ figures: JSONValue) -> [String] {
    func milliseconds(_ field: String) -> String {
      guard let value = figures[field]?.double else { return "" }
      if value >= 1_000 { return "\(String(format: "%.1f", min(value, 1e9) / 1_000)) s" }
      return "\(String(format: value < 10 ? "%.1f" : "%.0f", value)) ms"
    }
    let rate = figures["requestsPerSecond"]?.double ?? 0
    let success = figures["successRate"]?.double.map { String(format: "%.2f %%", $0 * 100) } ?? ""
    return [String(format: rate < 1 ? "%.2f" : "%.1f", rate), success, milliseconds("p50"), milliseconds("p99")]
  }
}
