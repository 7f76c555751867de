import Glibc
import Testing

/// A control plane in a folder of its own, and commands that talk to it.
final class ControlScene: Sendable {
  let folder: TemporaryFolder
  let api: ReservedPort
  let discovery: ReservedPort
  private let processes = Locked<[ChildProcess]>([])

  init() throws {
    folder = try TemporaryFolder()
    api = try ReservedPort()
    discovery = try ReservedPort()
  }

  var url: String { "http://127.0.0.1:\(api.number)" }

  /// Starts the control plane, and waits until its API answers.
  @discardableResult
  func start(_ arguments: [String] = []) throws -> ChildProcess {
    let process = try ChildProcess(
      WeftBinary.path,
      [
        "control", "--data", folder.path("data"), "--discovery", "127.0.0.1:\(discovery.number)",
        "--api",
        "127.0.0.1:\(api.number)",
      ] + arguments, in: folder, name: "control")
    processes.withLock { $0.append(process) }
    try eventually("the control plane to be ready") {
      if let end = process.end {
        throw MalformedMessage("it ended at once, \(end): \(process.errorOutput)")
      }
      guard let client = try? RawClient(api.number) else { return false }
      try client.send("GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
      return (try? client.response(to: "GET"))?.status == 200
    }
    return process
  }

  /// Runs a command of the client, with a configuration file of its own.
  @discardableResult
  func weft(_ arguments: String..., code: Int32 = 0, environment: [String: String] = [:]) throws
    -> ToolResult
  {
    let all =
      ["WEFT_CONTROL=\(url)", "WEFT_CONFIG=\(folder.path("client/config"))"]
      + environment.map { "\($0.key)=\($0.value)" }
    let result = try Tool.run("env", all + [WeftBinary.path] + arguments, within: 120)
    #expect(
      result.code == code,
      "weft \(arguments.joined(separator: " ")): \(result.output)\(result.errorOutput)")
    return result
  }
}
