import Glibc
import Testing

/// A control plane with what its users do to it, and proxies of its mesh, each a process of its own.
final class MeshScene: @unchecked Sendable {
  let folder: TemporaryFolder
  let discovery: ReservedPort
  let api: ReservedPort
  private let lifetime: String
  private let environment: [String: String]
  /// Further ones, of `weft control`.
  var arguments: [String]
  /// Discovery of further replicas of the control plane, which proxies are told before this one.
  var replicas: [Int] = []
  private var control: ChildProcess?
  private var starts = 0

  /// - Parameters:
  ///   - lifetime: of certificates.
  ///   - environment: more of it, for the control plane.
  ///   - arguments: further ones, for the control plane.
  init(lifetime: String = "24h", environment: [String: String] = [:], arguments: [String] = []) throws {
    self.environment = environment
    self.arguments = arguments
    folder = try TemporaryFolder()
    discovery = try ReservedPort()
    api = try ReservedPort()
    self.lifetime = lifetime
    try startControl()
  }

  deinit { control?.signal(SIGKILL) }

  var apiURL: String { "http://127.0.0.1:\(api.number)" }

  // MARK: The control plane

  func startControl() throws {
    starts += 1
    // By way of env, for a library that is preloaded may take the arguments of the first program.
    let command = environment.isEmpty ? [WeftBinary.path] : ["env", WeftBinary.path]
    let process = try ChildProcess(
      command[0],
      command.dropFirst() + [
        "control", "--data", folder.path("control"), "--discovery", "127.0.0.1:\(discovery.number)", "--api",
        "127.0.0.1:\(api.number)", "--certificate-lifetime", lifetime,
      ] + arguments, in: folder, name: "control-\(starts)", environment: environment)
    control = process
    try eventually("the control plane to be ready") {
      if let end = process.end {
        throw WeftProcess.NotReady(description: "weft control ended, \(end): \(process.errorOutput)")
      }
      return (try? Tool.run("curl", ["-sf", "--max-time", "10", "\(apiURL)/readyz"]))?.code == 0
    }
  }

  /// At once, with no time for anything.
  func killControl() throws {
    control?.signal(SIGKILL)
    _ = try control?.waitForEnd(within: 60)
    control = nil
  }

  /// As an operator ends it.
  func endControl() throws -> ChildProcess.End? {
    control?.signal(SIGTERM)
    return try control?.waitForEnd(within: 120)
  }

  var controlLog: String { control?.errorOutput ?? "" }

  // MARK: What users do

  @discardableResult
  func weft(_ arguments: String...) throws -> ToolResult {
    let result = try Tool.run(WeftBinary.path, arguments + ["--control", apiURL])
    if result.code != 0 {
      throw WeftProcess.NotReady(
        description:
          "weft \(arguments.joined(separator: " ")) ended with \(result.code): \(result.errorOutput)\(result.output)")
    }
    return result
  }

  func apply(_ resources: String...) throws {
    try folder.write("applied.yaml", resources.joined(separator: "\n---\n") + "\n")
    try weft("apply", "-f", folder.path("applied.yaml"))
  }

  private func token(_ kind: String, _ name: String) throws -> String {
    let text = try weft("token", "create", "--join", "--\(kind)", name).output
    return text.split(whereSeparator: \.isWhitespace).map(String.init).first { $0.contains(".") } ?? ""
  }

  func metrics() throws -> String { try Tool.run("curl", ["-sf", "--max-time", "10", "\(apiURL)/metrics"]).output }

  // MARK: Proxies

  /// A sidecar with the ports that it has.
  struct Sidecar {
    let process: WeftProcess
    let inbound: Int
    let outbound: Int
    let ports: [ReservedPort]

    /// A request of the app to another service.
    func get(_ host: String, _ path: String = "/") throws -> HTTPMessage {
      try RawClient.get(path, host: host, at: outbound)
    }
  }

  /// - Parameters:
  ///   - state: an earlier one's, to start again with.
  ///   - joinsAgain: has a new join token all the same.
  func sidecar(
    _ service: String, app: Int, state: String? = nil, ports: [ReservedPort]? = nil, isAwaited: Bool = true,
    joinsAgain: Bool = false,
    _ more: String...
  ) throws -> Sidecar {
    let ports = try ports ?? [ReservedPort(), ReservedPort()]
    let own = state ?? "state-\(service)-\(ports[0].number)"
    let environment = state == nil || joinsAgain ? ["WEFT_JOIN_TOKEN": try token("service", service)] : [:]
    let process = try WeftProcess(
      command: [
        "sidecar", "--service", service, "--app", "127.0.0.1:\(app)", "--control", "127.0.0.1:\(discovery.number)",
        "--inbound", "127.0.0.1:\(ports[0].number)", "--outbound", "127.0.0.1:\(ports[1].number)", "--state",
        folder.path(own), "--instance", own,
      ] + more, folder: folder, name: "\(own)-\(starts)", isAwaited: isAwaited, environment: environment)
    return Sidecar(process: process, inbound: ports[0].number, outbound: ports[1].number, ports: ports)
  }

  func state(_ sidecar: Sidecar, _ service: String) -> String { "state-\(service)-\(sidecar.ports[0].number)" }

  /// - Parameter control: the port at which it finds the control plane, if not its own.
  func gateway(_ name: String, control: Int? = nil, _ more: String...) throws -> WeftProcess {
    try WeftProcess(
      command: ["gateway", "--name", name, "--state", folder.path("state-\(name)")]
        + (control.map { [$0] } ?? replicas + [discovery.number]).flatMap { ["--control", "127.0.0.1:\($0)"] } + more,
      folder: folder, name: "gateway-\(name)",
      environment: ["WEFT_JOIN_TOKEN": try token("gateway", name)])
  }

  /// The same gateway again, which knows who it is.
  func restartGateway(_ name: String) throws -> WeftProcess {
    starts += 1
    return try WeftProcess(
      command: [
        "gateway", "--name", name, "--control", "127.0.0.1:\(discovery.number)", "--state",
        folder.path("state-\(name)"),
      ], folder: folder, name: "gateway-\(name)-\(starts)")
  }

  static func service(_ name: String) -> String {
    "{apiVersion: weft.dev/v1, kind: Service, metadata: {name: \(name)}, spec: {}}"
  }
}
