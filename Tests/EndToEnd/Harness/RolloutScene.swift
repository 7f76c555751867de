import Glibc
import Testing

/// A mesh with gateways that run a bundle, `tagger`, in several versions. Changed by the thread of its test alone.
final class RolloutScene: @unchecked Sendable {
  let mesh: MeshScene
  let app: Backend
  private var ports: [ReservedPort]
  private(set) var gateways: [WeftProcess] = []
  private var digests: [String: String] = [:]

  /// The version 1.0.0, which says so in each response, is in force at each of the gateways.
  /// - Parameters:
  ///   - script: of that version, when it is to do more.
  ///   - filter: more of the Filter's configuration.
  ///   - given: nil: a mesh of its own.
  init(gateways count: Int = 1, script: String? = nil, filter: String? = nil, mesh given: MeshScene? = nil) throws {
    mesh = try given ?? MeshScene()
    app = try Backend("app")
    ports = try (0..<count).map { _ in try ReservedPort() }
    try push("1.0.0", script ?? Self.tags("1.0.0"), "--use")
    var resources = [
      Resources.service("app", [app.endpoint]),
      Resources.filter("tag", type: "lua", config: "bundle: tagger" + (filter.map { ", \($0)" } ?? "")),
    ]
    for (i, port) in ports.enumerated() { resources += Self.gateway("edge-\(i)", port) }
    try mesh.apply(resources.joined(separator: "\n---\n"))
    for i in ports.indices { gateways.append(try mesh.gateway("edge-\(i)")) }
    for i in ports.indices { try eventually("version 1.0.0 at gateway \(i)") { try version(i) == "1.0.0" } }
  }

  /// A gateway with a route that runs the bundle.
  private static func gateway(_ name: String, _ port: ReservedPort) -> [String] {
    [
      Resources.gateway(port.number, name: name),
      Resources.route(
        "front-\(name)",
        "rules: [{filters: [\(Resources.reference("tag"))], backendRefs: [\(Resources.backendRef("app"))]}]",
        gateway: name),
    ]
  }

  /// Another gateway.
  /// - Parameter control: the port at which it finds the control plane.
  func add(gateway name: String, _ port: ReservedPort, control: Int) throws {
    try mesh.apply(Self.gateway(name, port).joined(separator: "\n---\n"))
    ports.append(port)
    gateways.append(try mesh.gateway(name, control: control))
  }

  func stop() {
    for gateway in gateways { gateway.stop() }
    app.stop()
  }

  static func tags(_ version: String) -> String {
    "function on_response(h) h:headers():add(\"x-version\", \"\(version)\") end\n"
  }

  /// Writes a version of the bundle.
  /// - Returns: its folder.
  @discardableResult
  func write(_ version: String, _ script: String) throws -> String {
    let folder = "tagger-\(version)"
    try mesh.folder.write("\(folder)/bundle.yaml", "name: tagger\nversion: \(version)\n")
    try mesh.folder.write("\(folder)/main.lua", script)
    let path = mesh.folder.path(folder)
    digests[version] = try Tool.run(WeftBinary.path, ["bundle", "digest", path]).output.prefix(71).description
    return path
  }

  /// Pushes a version of the bundle.
  func push(_ version: String, _ script: String, _ more: String...) throws {
    let path = try write(version, script)
    let result = try Tool.run(
      WeftBinary.path, ["bundle", "push", path, "--skip-tests", "--control", mesh.apiURL] + more)
    #expect(result.code == 0, "\(result.errorOutput)\(result.output)")
  }

  func digest(_ version: String) -> String { digests[version] ?? "" }

  /// The folder in which a gateway keeps archives.
  func archives(_ gateway: Int) -> String { mesh.folder.path("state-edge-\(gateway)/bundles") }

  /// The versions whose archives a gateway has, of those that were pushed.
  func kept(_ gateway: Int = 0) -> [String] {
    let names = Set(listFolder(archives(gateway)))
    return digests.filter { names.contains("\($0.value.dropFirst("sha256:".count)).weft") }.keys.sorted()
  }

  func restart(_ gateway: Int = 0) throws {
    gateways[gateway].stop()
    gateways[gateway] = try mesh.restartGateway("edge-\(gateway)")
  }

  // MARK: Requests

  func ask(_ gateway: Int = 0, _ path: String = "/path") throws -> HTTPMessage {
    try RawClient.get(path, host: "shop", at: ports[gateway].number)
  }

  func version(_ gateway: Int = 0) throws -> String? { try ask(gateway)["x-version"] }

  /// The versions that answer, of so many requests.
  func versions(_ gateway: Int = 0, of count: Int = 20) throws -> Set<String> {
    var found: Set<String> = []
    for _ in 0..<count {
      let answer = try ask(gateway)
      found.insert(answer.status == 200 ? answer["x-version"] ?? "none" : "status \(answer.status)")
    }
    return found
  }

  // MARK: Rollouts

  func status() throws -> JSONValue { try JSONValue(try mesh.weft("bundle", "status", "tagger", "--json").output) }

  func phase() throws -> String { try status()["rollout"]["phase"].string ?? "" }

  /// Sends requests until the rollout is where it should be.
  @discardableResult
  func awaitPhase(_ phase: String, step: Int? = nil) throws -> JSONValue {
    var last: JSONValue?
    try eventually("the rollout to be \(phase)", within: 120) {
      for gateway in ports.indices { _ = try versions(gateway, of: 10) }
      let status = try status()
      last = status
      return status["rollout"]["phase"].string == phase && (step == nil || status["rollout"]["step"].int == step)
    }
    return try #require(last)
  }
}
