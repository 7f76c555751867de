import Testing

/// What most tests need: a proxy with one listener, a route and a service of one or more backends.
final class Scene: Sendable {
  let weft: WeftProcess
  let port: Int
  let backends: [Backend]
  private let reserved: ReservedPort

  var backend: Backend { backends[0] }

  private let proxy: String
  private let service: String
  private let rules: String
  private let route: String
  private let more: [String]
  private let accessLogPath: String

  /// - Parameters:
  ///   - proxy: members of the Proxy resource's `spec`, in YAML's flow style.
  ///   - service: members of the service's `spec` beside its endpoints.
  ///   - rules: the route's rules; when not given, everything goes to the service `backend`.
  ///   - route: members of the route's `spec` beside its rules.
  ///   - more: further resources.
  ///   - arguments: further options of `weft run`.
  init(
    proxy: String = "", service: String = "", rules: String = Scene.toBackend, route: String = "", more: [String] = [],
    backends: [Backend] = [], workers: Int = 1, arguments: [String] = [], descriptorLimit: Int? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    (self.proxy, self.service, self.rules, self.route, self.more) = (proxy, service, rules, route, more)
    self.backends = try backends.isEmpty ? [Backend()] : backends
    reserved = try ReservedPort()
    port = reserved.number
    let folder = try TemporaryFolder()
    accessLogPath = folder.path("access.log")
    let text = Scene.text(
      proxy: proxy, accessLog: accessLogPath, port: port, service: service, endpoints: self.backends.map(\.endpoint),
      rules: rules, route: route, more: more)
    weft = try WeftProcess(
      ["weft.yaml": text], arguments, workers: workers, folder: folder, descriptorLimit: descriptorLimit,
      sourceLocation: sourceLocation)
  }

  private static func text(
    proxy: String, accessLog: String, port: Int, service: String, endpoints: [SocketEndpoint], rules: String,
    route: String, more: [String]
  ) -> String {
    let documents =
      [
        Resources.proxy(proxy, accessLog: accessLog), Resources.gateway(port),
        Resources.service("backend", endpoints, service),
        Resources.route("route", "rules: \(rules)\(route.isEmpty ? "" : ", " + route)"),
      ] + more
    return documents.joined(separator: "\n---\n") + "\n"
  }

  /// The configuration, with what is given in place of what it had at the start.
  func configuration(
    proxy: String? = nil, port: Int? = nil, service: String? = nil, endpoints: [SocketEndpoint]? = nil,
    rules: String? = nil, more: [String]? = nil
  ) -> String {
    Scene.text(
      proxy: proxy ?? self.proxy, accessLog: accessLogPath, port: port ?? self.port, service: service ?? self.service,
      endpoints: endpoints ?? backends.map(\.endpoint), rules: rules ?? self.rules, route: route,
      more: more ?? self.more)
  }

  /// Where the configuration lies.
  var configurationPath: String { weft.folder.path("config/weft.yaml") }

  static let toBackend = "[{backendRefs: [{group: weft.dev, kind: Service, name: backend}]}]"

  func client(receiveBuffer: Int32? = nil) throws -> RawClient { try RawClient(port, receiveBuffer: receiveBuffer) }

  /// Sends a request on a connection of its own.
  func get(_ target: String, _ fields: String...) throws -> HTTPMessage {
    try client().exchange(HTTPText.get(target, fields))
  }

  /// Ends the proxy and holds what it did against the rules.
  func stop(sourceLocation: SourceLocation = #_sourceLocation) {
    weft.stop(sourceLocation: sourceLocation)
    for backend in backends where !backend.violations.isEmpty {
      Issue.record("the proxy sent what no backend has to take: \(backend.violations)", sourceLocation: sourceLocation)
    }
    for backend in backends { backend.stop() }
  }

  /// The access log's lines once there are so many of them.
  func accessLog(_ count: Int) throws -> [AccessLine] {
    try eventually("\(count) lines of access log") {
      let lines = accessLogNow
      return lines.count >= count ? lines : nil
    }
  }

  var accessLogNow: [AccessLine] {
    let text = readFile(accessLogPath) ?? ""
    return text.split(separator: "\n").compactMap { AccessLine(String($0)) }
  }
}

/// One line of a JSON access log.
struct AccessLine: Sendable, CustomStringConvertible {
  let description: String
  private let members: JSONValue

  init?(_ line: String) {
    guard let members = try? JSONValue(line) else { return nil }
    self.members = members
    description = line
  }

  subscript(name: String) -> JSONValue { members[name] }
  var status: Int { self["response_code"].int ?? -1 }
  var details: String { self["response_code_details"].string ?? "-" }
  var flags: String { self["response_flags"].string ?? "-" }
}
