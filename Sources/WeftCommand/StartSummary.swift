import Logging
import WeftProxy

/// What a proxy says about itself once it serves.
package struct StartSummary {
  private let summary: Proxy.Summary

  package init(_ summary: Proxy.Summary) { self.summary = summary }

  package func write(to log: Logger, asText: Bool) {
    if asText { print(to: 2) }
    log.notice(
      "ready",
      metadata: [
        "listeners": "\(summary.listeners.count)", "rules": "\(summary.rules)", "filters": "\(summary.filters.count)",
        "services": "\(summary.services.count)", "workers": "\(summary.workers)",
      ])
  }

  private func print(to fd: Int32) {
    var table = Table(columns: ["what", "name", "where"])
    for l in summary.listeners { table.add(["listener", l.name, l.address]) }
    for s in summary.services.prefix(20) {
      table.add(["service", s.name, "\(s.endpoints) endpoint\(s.endpoints == 1 ? "" : "s")"])
    }
    if summary.services.count > 20 { table.add(["service", "...", "and \(summary.services.count - 20) more"]) }
    for f in summary.filters.prefix(20) { table.add(["filter", f.name, f.type]) }
    if summary.filters.count > 20 { table.add(["filter", "...", "and \(summary.filters.count - 20) more"]) }
    table.add(["routes", "\(summary.rules) rules", ""])
    table.add(["workers", "\(summary.workers)", ""])
    table.add(["admin", summary.admin.map { "http://\($0)" } ?? "off", ""])
    Terminal.write(table.text(isTerminal: Terminal.hasColor(fd)), to: fd)
  }
}
