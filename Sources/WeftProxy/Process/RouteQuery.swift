import Logging
import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// A request to explain the way of: what `weft routes` takes.
public struct RouteQuery: Sendable {
  let method: String
  let host: String
  let port: UInt16
  let target: String
  let headers: [(name: String, value: String)]
  /// The SPIFFE ID of a client that has shown a valid certificate, for authorization policies; nil: it has not.
  public var principal: String?
  /// The client's address, for authorization policies.
  public var source: IPAddress?

  public struct Mistake: Error, CustomStringConvertible {
    public let description: String
  }

  /// - Parameters:
  ///   - url: `http://host[:port]/path[?query]`.
  ///   - headers: `name: value` each.
  public init(method: String, url: String, headers: [String]) throws(Mistake) {
    guard url.hasPrefix("http://") else {
      throw Mistake(description: "\"\(url)\" is no URL that a listener serves; write http://host/path")
    }
    let rest = url.dropFirst("http://".count)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = String(rest[..<end])
    let path = String(rest[end...])
    if authority.isEmpty { throw Mistake(description: "\"\(url)\" has no host; write http://host/path") }
    let colon = authority.lastIndex(of: ":").flatMap { authority[$0...].contains("]") ? nil : $0 }
    if let colon {
      guard let number = UInt16(authority[authority.index(after: colon)...]) else {
        throw Mistake(description: "\"\(authority)\" has no valid port")
      }
      port = number
    } else {
      port = 80
    }
    self.method = method.uppercased()
    host = authority
    target = path.isEmpty ? "/" : path.hasPrefix("?") ? "/" + path : path
    var list: [(String, String)] = []
    for header in headers {
      guard let colon = header.firstIndex(of: ":") else {
        throw Mistake(description: "\"\(header)\" is no header; write 'name: value'")
      }
      let value = header[header.index(after: colon)...].drop { $0 == " " }
      list.append((String(header[..<colon]), String(value)))
    }
    self.headers = list
  }
}

extension Proxy {
  /// Explains which rule and chain a request would take.
  /// - Returns: the explanation, and whether there is such a rule.
  public static func explain(
    _ options: ProxyOptions, _ query: RouteQuery, registry: FilterRegistry, log: Logger
  ) -> (text: String, found: Bool) {
    let load = ConfigurationLoad(options, registry: registry, metrics: MetricsRegistry(), logger: log)
    guard let snapshot = load.snapshot else {
      return (load.errors.map(\.description).joined(separator: "\n"), false)
    }
    // Without the listener of that very port, the only one there is is meant.
    let tables = load.routes
    guard let table = tables.first(where: { $0.address.port == query.port }) ?? (tables.count == 1 ? tables.first : nil)
    else {
      let ports = tables.map { String($0.address.port) }.joined(separator: ", ")
      return ("no listener at port \(query.port); there are \(ports.isEmpty ? "none" : ports)", false)
    }
    do {
      return try explain(query, table, snapshot)
    } catch {
      return ("\(error)", false)
    }
  }

  /// What a worker does with a path before it looks for a route.
  private static func normalise(_ head: inout MessageHead) -> PathNormalizer.Outcome {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64 * 1024) { memory in
      guard let base = memory.baseAddress else { return .refused }
      var w = ByteWriter(base, memory.count)
      let outcome = PathNormalizer.normalise(head.path, options: .decodeUnreserved, into: &w)
      if outcome != .changed { return outcome }
      w.append(head.headers.text(head.target).slice(head.pathLength, Int(head.target.count)))
      return !w.overflow && head.setTarget(w.bytes) ? .changed : .refused
    }
  }

  private static func explain(
    _ query: RouteQuery, _ table: ListenerPorts.Routes, _ snapshot: Snapshot
  ) throws -> (text: String, found: Bool) {
    var head = MessageHead()
    var text = "\(query.method) \(query.target) HTTP/1.1\r\nHost: \(query.host)\r\n"
    for (name, value) in query.headers { text += "\(name): \(value)\r\n" }
    let bytes = OwnedBytes(text + "\r\n")
    switch HTTP1Parser.parseRequest(bytes.bytes.base, bytes.bytes.count, into: &head, limits: HTTPLimits()) {
    case .malformed(let error): return ("the request would be refused with \(error.status): \(error.message)", false)
    case .incomplete: return ("the request is not complete", false)
    case .complete: break
    }
    var lines = ["listener \(table.name) at \(table.address)"]
    switch normalise(&head) {
    case .refused:
      return (
        "the request would be refused with 400: its path leads above the root, or has a malformed percent code", false
      )
    case .changed: lines.append("path \(head.path.string), in normal form")
    case .unchanged: break
    }
    let explainer = try RouteExplainer(table.specs, listenerHostnames: table.hostnames)
    let explanation = try explainer.explain(
      host: head.headers.value(.host) ?? Bytes(), methodText: head.headers.text(head.methodText), path: head.path,
      query: head.query, headers: head.headers)
    lines.append("\(explanation)")
    guard let target = explanation.target else {
      lines.append("no route: the answer is 404, UNIMPLEMENTED for gRPC")
      return (lines.joined(separator: "\n"), false)
    }
    let rule = snapshot.rules[target]
    lines.append("rule \(rule.name.bytes.string)")
    let listener = snapshot.listeners.firstIndex { $0.address == table.address } ?? -1
    let host = head.headers.value(.host) ?? Bytes()
    lines += authorization(of: head, query, snapshot) { $0.sets(listener: listener, host: host) }
      .map { "authorization: \($0)" }
    let total = rule.backends.reduce(0) { $0 + Int($1.weight) }
    for backend in rule.backends {
      let service =
        backend.service < 0
        ? "none (500, UNAVAILABLE for gRPC, unless a filter answers)" : snapshot.services[backend.service].name
      let share = total > 0 ? Int(backend.weight) * 100 / total : 0
      lines.append("  backend \(service), \(share) %")
      lines += authorization(of: head, query, snapshot) { $0.sets(service: backend.service) }
        .map { "    authorization of the service: \($0)" }
      for filter in backend.filters {
        lines.append("    filter \(snapshot.filters[filter].key.name) (\(snapshot.filters[filter].key.type))")
      }
    }
    return (lines.joined(separator: "\n"), true)
  }

  /// What policies make of the request; nothing where none governs it.
  private static func authorization(
    of head: borrowing MessageHead, _ query: RouteQuery, _ snapshot: Snapshot,
    _ sets: (AuthorizationTable) -> AuthorizationTable.Sets?
  ) -> [String] {
    guard let table = snapshot.authorization, let set = sets(table)?.requests else { return [] }
    let size = 64 * 1024
    let scratch = MutableBytePointer.allocate(capacity: size)
    defer { scratch.deallocate() }
    let identity = PeerIdentity(spiffeID: query.principal)
    return withUnsafePointer(to: head) { head in
      var input = AuthorizationInput(request: head, scratch: scratch, size)
      input.principal = identity.principal.bytes
      input.namespace = identity.namespace.bytes
      input.serviceAccount = identity.account.bytes
      input.source = query.source.map { SocketAddress($0, port: 0) } ?? SocketAddress()
      input.remote = input.source
      input.destination = SocketAddress(.loopbackV4, port: query.port)
      defer { withExtendedLifetime(identity) {} }
      return table.explain(set, &input)
    }
  }
}
