import Logging
import WeftCommand
import WeftControl

/// What a control plane says about itself once it is ready.
struct ControlSummary {
  private let plane: ControlPlane

  private let api: String

  /// - Parameter api: where the HTTP API listens, or `off`.
  init(_ plane: ControlPlane, api: String) {
    self.plane = plane
    self.api = api
  }

  func write(to log: Logger, asText: Bool) {
    if asText {
      var table = Table(columns: ["what", "where"])
      table.add(["api", api])
      table.add(["discovery", plane.discovery.description])
      table.add(["data", plane.options.dataFolder])
      table.add(["trust domain", plane.authority.trustDomain])
      table.add(["replica", plane.options.replica])
      Terminal.write(table.text(isTerminal: Terminal.hasColor(2)), to: 2)
    }
    log.notice(
      "ready", metadata: ["api": "\(api)", "discovery": "\(plane.discovery)", "replica": "\(plane.options.replica)"])
  }
}
