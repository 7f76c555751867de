import Testing

@testable import WeftProxy

/// Each rule of precedence between two matches that both fit: the winner is listed second, so that order of input, rule
/// and name would favour the other unless the rule under test decides.
struct RoutePrecedenceTests {
  static let pairs: [(why: String, loser: RouteMatchSpec, winner: RouteMatchSpec)] = [
    (
      "a name before a wildcard", RouteMatchSpec(0, hosts: ["*.com"], path: .exact("/a/b")),
      RouteMatchSpec(1, hosts: ["x.y.com"])
    ),
    (
      "a longer wildcard before a shorter one", RouteMatchSpec(0, hosts: ["*.com"], path: .exact("/a/b")),
      RouteMatchSpec(1, hosts: ["*.y.com"])
    ),
    ("a wildcard before any host", RouteMatchSpec(0, path: .exact("/a/b")), RouteMatchSpec(1, hosts: ["*.com"])),
    (
      "the best of a route's own hostnames counts", RouteMatchSpec(0, hosts: ["*.y.com"], path: .exact("/a/b")),
      RouteMatchSpec(1, hosts: ["*.com", "x.y.com"])
    ),
    (
      "Exact before RegularExpression", RouteMatchSpec(0, path: .regex("/a/(b|longer)"), method: "GET"),
      RouteMatchSpec(1, path: .exact("/a/b"))
    ),
    (
      "Exact before PathPrefix", RouteMatchSpec(0, path: .prefix("/a/b"), method: "GET"),
      RouteMatchSpec(1, path: .exact("/a/b"))
    ),
    (
      "RegularExpression before PathPrefix", RouteMatchSpec(0, path: .prefix("/a/b"), method: "GET"),
      RouteMatchSpec(1, path: .regex(".*"))
    ),
    (
      "the longer RegularExpression", RouteMatchSpec(0, path: .regex(".*"), method: "GET"),
      RouteMatchSpec(1, path: .regex("/a/.*"))
    ),
    (
      "the longer PathPrefix", RouteMatchSpec(0, path: .prefix("/a"), method: "GET"),
      RouteMatchSpec(1, path: .prefix("/a/b"))
    ),
    (
      "a gRPC method by name before an expression",
      RouteMatchSpec(0, path: .init(type: .regularExpression, service: "a+", method: "b"), headers: [.exact("x", "1")]),
      RouteMatchSpec(1, path: .init(type: .exact, service: "a", method: "b"))
    ),
    (
      "a gRPC service and method by expressions before a service", RouteMatchSpec(0, path: .prefix("/a")),
      RouteMatchSpec(1, path: .init(type: .regularExpression, service: "a", method: "b"))
    ),
    (
      "the longer gRPC service",
      RouteMatchSpec(0, path: .init(type: .regularExpression, service: "a", method: "b|longer")),
      RouteMatchSpec(1, path: .init(type: .regularExpression, service: "a|c", method: "b"))
    ),
    (
      "a gRPC service by name before an expression",
      RouteMatchSpec(0, path: .init(type: .regularExpression, service: "a|longer", method: nil)),
      RouteMatchSpec(1, path: .init(type: .exact, service: "a", method: nil))
    ),
    (
      "a gRPC service before a method", RouteMatchSpec(0, path: .init(type: .exact, service: nil, method: "b")),
      RouteMatchSpec(1, path: .init(type: .regularExpression, service: "a", method: nil))
    ),
    (
      "a gRPC method by name before an expression of one",
      RouteMatchSpec(0, path: .init(type: .regularExpression, service: nil, method: "b|longer")),
      RouteMatchSpec(1, path: .init(type: .exact, service: nil, method: "b"))
    ),
    (
      "a gRPC method before every call", RouteMatchSpec(0, path: .prefix("/"), headers: [.exact("x", "1")]),
      RouteMatchSpec(1, path: .init(type: .exact, service: nil, method: "b"))
    ),
    (
      "any PathPrefix before /", RouteMatchSpec(0, path: .prefix("/"), method: "GET"),
      RouteMatchSpec(1, path: .prefix("/a"))
    ),
    (
      "a trailing slash does not make a PathPrefix longer", RouteMatchSpec(0, path: .prefix("/a/")),
      RouteMatchSpec(1, path: .prefix("/a"), method: "GET")
    ),
    (
      "a method before many headers",
      RouteMatchSpec(0, headers: [.exact("x", "1"), .exact("y", "2")], query: [.exact("q", "1")]),
      RouteMatchSpec(1, method: "GET")
    ),
    (
      "more headers before more query parameters",
      RouteMatchSpec(0, headers: [.exact("x", "1")], query: [.exact("q", "1"), .exact("r", "2")]),
      RouteMatchSpec(1, headers: [.exact("x", "1"), .exact("y", "2")])
    ),
    (
      "a repeated header counts once",
      RouteMatchSpec(0, headers: [.exact("x", "1"), .exact("X", "1"), .exact("x", "1")]),
      RouteMatchSpec(1, headers: [.exact("x", "1"), .exact("y", "2")])
    ),
    (
      "more query parameters", RouteMatchSpec(0, query: [.exact("q", "1")]),
      RouteMatchSpec(1, query: [.exact("q", "1"), .exact("r", "2")])
    ),
    (
      "a repeated query parameter counts once",
      RouteMatchSpec(0, query: [.exact("q", "1"), .exact("q", "1"), .exact("q", "1")]),
      RouteMatchSpec(1, query: [.exact("q", "1"), .exact("r", "2")])
    ),
    ("the oldest route", RouteMatchSpec(0, route: "a/a", created: 2), RouteMatchSpec(1, route: "b/b", created: 1)),
    ("the first name", RouteMatchSpec(0, route: "default/b", rule: 0), RouteMatchSpec(1, route: "default/a", rule: 5)),
    ("the first namespace", RouteMatchSpec(0, route: "b/a"), RouteMatchSpec(1, route: "a/b")),
    ("names compare as namespace/name", RouteMatchSpec(0, route: "a/x"), RouteMatchSpec(1, route: "a-b/x")),
    ("the first rule", RouteMatchSpec(0, rule: 10, match: 0), RouteMatchSpec(1, rule: 9, match: 7)),
    ("the first match", RouteMatchSpec(0, rule: 1, match: 2), RouteMatchSpec(1, rule: 1, match: 1)),
  ]

  static let request = RoutingRequest("/a/b?q=1&r=2", host: "x.y.com", headers: [("X", "1"), ("Y", "2")])

  @Test(arguments: 0..<pairs.count)
  func decides(index: Int) throws {
    let pair = Self.pairs[index]
    for specs in [[pair.loser, pair.winner], [pair.winner, pair.loser]] {
      #expect(try RoutingTable(specs).match(Self.request).target == 1, "\(pair.why)")
      let explanation = try explain(specs, Self.request)
      #expect(explanation.candidates.map(\.verdict) == [.chosen, .outranked], "\(pair.why)")
      #expect(explanation.target == 1, "\(pair.why)")
    }
    // The loser does match.
    #expect(try RoutingTable([pair.loser]).match(Self.request).target == 0, "\(pair.why)")
  }

  @Test func targetsNeedNotBeUnique() throws {
    let specs = [RouteMatchSpec(7, path: .exact("/a")), RouteMatchSpec(7, path: .exact("/b"))]
    let table = try RoutingTable(specs)
    #expect(table.match(RoutingRequest("/a")).target == 7)
    #expect(table.match(RoutingRequest("/b")).target == 7)
    #expect(table.match(RoutingRequest("/c")).target == -1)
  }
}
