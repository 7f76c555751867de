import WeftHTTP
import WeftIO
import WeftRegex

@testable import WeftProxy

/// A request as tests write it down.
struct RoutingRequest: CustomStringConvertible {
  var host = "example.com"
  var method = "GET"
  var path = "/"
  var query = ""
  var headers: [(name: String, value: String)] = []

  init(
    _ target: String, host: String = "example.com", method: String = "GET", headers: [(String, String)] = []
  ) {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    path = String(parts[0])
    query = parts.count > 1 ? String(parts[1]) : ""
    self.host = host
    self.method = method
    self.headers = headers.map { (name: $0.0, value: $0.1) }
  }

  var description: String {
    "\(method) \(host)\(path)" + (query.isEmpty ? "" : "?\(query)")
      + headers.map { " \($0.name): \($0.value)" }.joined()
  }

  /// Calls `body` with the request's parts in memory, as the data path has them.
  func withParts<R>(_ body: (_ texts: [Bytes], borrowing HeaderTable) throws -> R) rethrows -> R {
    let owners = [host, method, path, query].map { OwnedBytes($0) }
    defer { withExtendedLifetime(owners) {} }
    var table = HeaderTable()
    table.reset()
    for (name, value) in headers {
      let name = OwnedBytes(name)
      let value = OwnedBytes(value)
      table.add(name.bytes, value.bytes, known: KnownHeader.classify(name.bytes.base, name.bytes.count))
      withExtendedLifetime((name, value)) {}
    }
    return try body(owners.map(\.bytes), table)
  }
}

/// A table with the scratch to use it.
final class RoutingTable {
  let table: RouteTable
  private let scratch = UnsafeMutablePointer<RouteScratch>.allocate(capacity: 1)

  init(_ specs: [RouteMatchSpec], listeners: [String] = []) throws {
    table = try RouteTable(specs, listenerHostnames: listeners)
    scratch.initialize(to: try RouteScratch())
  }

  deinit {
    scratch.deinitialize(count: 1)
    scratch.deallocate()
  }

  func match(_ request: RoutingRequest) -> RouteMatch {
    request.withParts { texts, headers in
      withUnsafePointer(to: headers) { headers in
        table.match(
          host: texts[0], method: Method(texts[1]), methodText: texts[1], path: texts[2], query: texts[3],
          headers: headers, scratch: scratch)
      }
    }
  }

  /// Table slots and entries that finding `request` looks at.
  func steps(_ request: RoutingRequest) -> Int {
    let before = scratch.pointee.steps.pointee
    _ = match(request)
    return scratch.pointee.steps.pointee - before
  }
}

extension RouteMatchSpec {
  /// A spec whose target is its rule, for tests of one route.
  init(
    _ target: Int, hosts: [String] = ["*"], listener: String = "*", path: PathMatch = .prefix("/"),
    method: String? = nil, headers: [NamedMatch] = [], query: [NamedMatch] = [], route: String = "default/test",
    created: Int64 = 0, rule: Int? = nil, match: Int = 0
  ) {
    self.init(
      listenerHostname: listener, hostnames: hosts, path: path, method: method, headers: headers, query: query,
      order: RouteOrder(created: created, name: route, rule: rule ?? target, match: match), target: target)
  }
}

extension RouteMatchSpec.NamedMatch {
  static func exact(_ name: String, _ value: String) -> RouteMatchSpec.NamedMatch { .init(name, .exact(value)) }
  static func regex(_ name: String, _ value: String) -> RouteMatchSpec.NamedMatch { .init(name, .regex(value)) }
}

func explain(
  _ specs: [RouteMatchSpec], listeners: [String] = [], _ request: RoutingRequest
) throws -> RouteExplanation {
  let explainer = try RouteExplainer(specs, listenerHostnames: listeners)
  return try request.withParts { texts, headers in
    try explainer.explain(
      host: texts[0], methodText: texts[1], path: texts[2], query: texts[3], headers: headers)
  }
}

/// SplitMix64: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
