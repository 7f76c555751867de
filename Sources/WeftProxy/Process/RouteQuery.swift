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
  public static func explain(
    _ options: ProxyOptions, _ query: RouteQuery, registry: FilterRegistry, log: Logger
  ) -> RouteAnswer {
    let load = ConfigurationLoad(options, registry: registry, metrics: MetricsRegistry(), logger: log)
    guard let snapshot = load.snapshot else {
      return RouteAnswer(error: load.errors.map(\.description).joined(separator: "\n"))
    }
    // Without the listener of that very port, the only one there is is meant.
    let tables = load.routes
    guard let table = tables.first(where: { $0.address.port == query.port }) ?? (tables.count == 1 ? tables.first : nil)
    else {
      let ports = tables.map { String($0.address.port) }.joined(separator: ", ")
      return RouteAnswer(error: "no listener at port \(query.port); there are \(ports.isEmpty ? "none" : ports)")
    }
    do {
      return try explain(query, table, snapshot)
    } catch {
      return RouteAnswer(error: "\(error)")
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
  ) throws -> RouteAnswer {
    var head = MessageHead()
    var text = "\(query.method) \(query.target) HTTP/1.1\r\nHost: \(query.host)\r\n"
    for (name, value) in query.headers { text += "\(name): \(value)\r\n" }
    let bytes = OwnedBytes(text + "\r\n")
    switch HTTP1Parser.parseRequest(bytes.bytes.base, bytes.bytes.count, into: &head, limits: HTTPLimits()) {
    case .malformed(let error):
      return RouteAnswer(error: "the request would be refused with \(error.status): \(error.message)")
    case .incomplete: return RouteAnswer(error: "the request is not complete")
    case .complete: break
    }
    var answer = RouteAnswer()
    answer.listener = (table.name, table.address)
    switch normalise(&head) {
    case .refused:
      return RouteAnswer(
        error:
          "the request would be refused with 400: its path leads above the root, or has a malformed percent code")
    case .changed: answer.normalPath = head.path.string
    case .unchanged: break
    }
    let explainer = try RouteExplainer(table.specs, listenerHostnames: table.hostnames)
    let explanation = try explainer.explain(
      host: head.headers.value(.host) ?? Bytes(), methodText: head.headers.text(head.methodText), path: head.path,
      query: head.query, headers: head.headers)
    answer.explanation = explanation
    guard let target = explanation.target else { return answer }
    let rule = snapshot.rules[target]
    answer.rule = rule.name.bytes.string
    let listener = snapshot.listeners.firstIndex { $0.address == table.address } ?? -1
    let host = head.headers.value(.host) ?? Bytes()
    answer.authorization = authorization(of: head, query, snapshot) { $0.sets(listener: listener, host: host) }
    let total = rule.backends.reduce(0) { $0 + Int($1.weight) }
    for backend in rule.backends {
      var entry = RouteAnswer.Backend(share: total > 0 ? Int(backend.weight) * 100 / total : 0)
      if backend.service >= 0 { entry.service = snapshot.services[backend.service].name }
      entry.authorization = authorization(of: head, query, snapshot) { $0.sets(service: backend.service) }
      entry.filters = backend.filters.map { index in
        let key = snapshot.filters[index].key
        return RouteAnswer.Filter(name: key.name, type: "\(key.type)")
      }
      answer.backends.append(entry)
    }
    return answer
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
