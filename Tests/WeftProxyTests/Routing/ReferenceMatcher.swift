import WeftIO
import WeftRegex

@testable import WeftProxy

/// Matches as the specification reads: every match that fits, sorted by the criteria in the order in which it lists
/// them. Shares no code with the table but the regular expressions.
final class ReferenceMatcher {
  let specs: [RouteMatchSpec]
  let listeners: [String]
  private let scratch: RouteScratch
  private var patterns: [String: Pattern] = [:]

  init(_ specs: [RouteMatchSpec], listeners: [String]) throws {
    self.specs = specs
    self.listeners = Array(Set(specs.map(\.listenerHostname) + listeners))
    scratch = try RouteScratch()
  }

  func match(_ request: RoutingRequest) throws -> RouteMatch {
    let host = String(request.host.lowercased().split(separator: ":")[0])
    // Of listeners that match, the most labels, and an exact one before wildcards.
    guard let listener = listeners.filter({ covers($0, host) }).max(by: { weight($0) < weight($1) }) else {
      return RouteMatch()
    }
    let attached = specs.filter { $0.listenerHostname == listener }
    let named = attached.compactMap { spec -> (spec: RouteMatchSpec, host: String)? in
      let best = spec.hostnames.filter { covers($0, host) }.max { weight($0) < weight($1) }
      return best.map { (spec, $0) }
    }
    let fitting = try named.filter { try fits($0.spec, request) }
    let first = fitting.min { a, b in
      if weight(a.host) != weight(b.host) { return weight(a.host) > weight(b.host) }
      let criteria: [(RouteMatchSpec) -> Int] = [
        { if case .exact = $0.path { 0 } else { 1 } },
        {
          // Calls by expressions: of service and method before a service's name, the others after it.
          guard case .grpc(let path) = $0.path else { return $0.path == .prefix("/") ? 5 : 1 }
          return path.rank == .serviceAndMethod ? 0 : path.rank == .service ? 3 : 4
        },
        { if case .grpc(let path) = $0.path { path.isExact ? 0 : 1 } else { 0 } },
        { if case .grpc(let path) = $0.path { -path.serviceLength } else { 0 } },
        { if case .grpc(let path) = $0.path { -path.methodLength } else { 0 } },
        { if case .regex(let text) = $0.path { -text.count } else { 0 } },
        {
          if case .prefix(let text) = $0.path {
            text == "/" ? 0 : -text.count + (text.hasSuffix("/") ? 1 : 0)
          } else {
            0
          }
        },
        { $0.method == nil ? 1 : 0 },
        { -Set($0.headers.map { $0.name.lowercased() }).count },
        { -Set($0.query.map(\.name)).count },
        { Int($0.order.created) },
      ]
      for criterion in criteria where criterion(a.spec) != criterion(b.spec) {
        return criterion(a.spec) < criterion(b.spec)
      }
      if a.spec.order.name != b.spec.order.name { return a.spec.order.name < b.spec.order.name }
      return (a.spec.order.rule, a.spec.order.match) < (b.spec.order.rule, b.spec.order.match)
    }
    guard let first else { return RouteMatch(hostMatched: !named.isEmpty) }
    var length = -1
    if case .prefix(let text) = first.spec.path { length = text.count - (text.hasSuffix("/") ? 1 : 0) }
    return RouteMatch(target: first.spec.target, prefixLength: length, hostMatched: true)
  }

  private func covers(_ hostname: String, _ host: String) -> Bool {
    hostname == "*" || hostname == host
      || (hostname.hasPrefix("*.") && host.hasSuffix(hostname.dropFirst()) && host.count >= hostname.count)
  }

  private func weight(_ hostname: String) -> Int {
    hostname == "*" ? 0 : hostname.hasPrefix("*") ? hostname.count : 1000 + hostname.count
  }

  private func fits(_ spec: RouteMatchSpec, _ request: RoutingRequest) throws -> Bool {
    switch spec.path {
    case .exact(let text): if request.path != text { return false }
    case .prefix(let text):
      let wanted = text.split(separator: "/")
      let elements = request.path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
      if !elements.starts(with: wanted) { return false }
    case .regex(let text): if try !matches(text, request.path) { return false }
    case .grpc(let path): if try !matches(path.expression, request.path) { return false }
    }
    if let method = spec.method, method != request.method { return false }
    var names: Set<String> = []
    for header in spec.headers where names.insert(header.name.lowercased()).inserted {
      let values = request.headers.filter { $0.name.lowercased() == header.name.lowercased() }.map(\.value)
      if values.isEmpty { return false }
      if try !holds(header.value, values.joined(separator: ",")) { return false }
    }
    names = []
    for parameter in spec.query where names.insert(parameter.name).inserted {
      let all = request.query.split(separator: "&").map { $0.split(separator: "=", omittingEmptySubsequences: false) }
      guard let first = all.first(where: { $0[0] == parameter.name }) else { return false }
      if try !holds(parameter.value, first.dropFirst().joined(separator: "=")) { return false }
    }
    return true
  }

  private func holds(_ match: RouteMatchSpec.ValueMatch, _ value: String) throws -> Bool {
    switch match {
    case .exact(let text): return text == value
    case .regex(let text): return try matches(text, value)
    }
  }

  private func matches(_ text: String, _ value: String) throws -> Bool {
    let owned = OwnedBytes(value)
    defer { withExtendedLifetime(owned) {} }
    let pattern = try patterns[text] ?? Pattern(text)
    patterns[text] = pattern
    return try pattern.matches(owned.bytes, scratch: scratch.patterns)
  }
}
