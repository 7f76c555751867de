import Testing

@testable import WeftProxy

/// Random route sets against the specification read literally. The universe is small, so that matches collide.
struct RouteTablePropertyTests {
  @Test(arguments: 0..<8 as Range<UInt64>)
  func agreesWithTheReference(seed: UInt64) throws {
    var random = SeededGenerator(state: seed &* 0x1234_5678_9abc_def1)
    var matched = 0
    var total = 0
    for round in 0..<200 {
      let routes = RandomRoutes(&random, count: Int.random(in: 1...24, using: &random))
      let table = try RoutingTable(routes.specs, listeners: routes.listeners)
      let reference = try ReferenceMatcher(routes.specs, listeners: routes.listeners)
      for i in 0..<20 {
        let request = routes.request(&random)
        let expected = try reference.match(request)
        let found = table.match(request)
        if found != expected {
          Issue.record("seed \(seed), round \(round): \(request)\n\(found), not \(expected)\n\(routes.specs)")
        }
        if i == 0 {
          let explanation = try explain(routes.specs, listeners: routes.listeners, request)
          #expect(explanation.target ?? -1 == expected.target, "seed \(seed), round \(round): \(explanation)")
        }
        matched += expected.target >= 0 ? 1 : 0
        total += 1
      }
    }
    // The universe is such that both answers are common.
    #expect(matched > total / 4 && matched < total * 9 / 10)
  }
}

/// A random set of routes, and requests that have a chance to match it.
struct RandomRoutes {
  var specs: [RouteMatchSpec] = []
  var listeners: [String] = []

  static let hosts = ["a.com", "b.a.com", "c.b.a.com", "d.c.b.a.com", "x.org", "com"]
  static let hostnames = ["*", "*.com", "*.a.com", "*.b.a.com"] + hosts
  static let elements = ["a", "b", "aa", "", "seven77", "eight888", "nine99999", "seventeen17171717", "eight889"]
  static let regexes = [".*", "/a.*", "/(a|b)/.*", "/[a-z0-9/]+", "/aa", ".*/b"]

  /// HTTPRoutes and GRPCRoutes share no hostname: a set has expressions of one kind.
  private let hasCalls: Bool

  init(_ random: inout SeededGenerator, count: Int) {
    hasCalls = Bool.random(using: &random)
    if Bool.random(using: &random) { listeners = Self.some(Self.hostnames, atMost: 3, &random) }
    for target in 0..<count { specs.append(spec(target, &random)) }
  }

  func request(_ random: inout SeededGenerator) -> RoutingRequest {
    var request = RoutingRequest(Self.path(&random))
    // Mostly what some route asks for, so that there are matches to compare.
    if let spec = specs.randomElement(using: &random), Int.random(in: 0..<4, using: &random) > 0 {
      if case .exact(let text) = spec.path { request.path = text }
      if case .prefix(let text) = spec.path { request.path = text + (text == "/" ? "" : Self.path(&random)) }
      request.method = spec.method ?? "GET"
    }
    request.host = Self.hosts.randomElement(using: &random) ?? ""
    if Int.random(in: 0..<3, using: &random) == 0 { request.host = request.host.uppercased() + ":80" }
    for _ in 0..<Int.random(in: 0...4, using: &random) {
      request.headers.append((["x", "X", "y", "accept"].randomElement(using: &random) ?? "", Self.value(&random)))
    }
    request.query = (0..<Int.random(in: 0...4, using: &random)).map { _ in
      (["p", "P", "q"].randomElement(using: &random) ?? "") + "=" + Self.value(&random)
    }.joined(separator: "&")
    return request
  }

  private func spec(_ target: Int, _ random: inout SeededGenerator) -> RouteMatchSpec {
    let listener = (listeners + ["*"]).randomElement(using: &random) ?? "*"
    let inside = Self.hostnames.filter { name in
      listener == "*" || name == listener
        || (listener.hasPrefix("*") && name.hasSuffix(listener.dropFirst()) && name.count > listener.count - 1)
    }
    let path: RouteMatchSpec.PathMatch =
      switch Int.random(in: 0..<10, using: &random) {
      case 6 where hasCalls: Self.call(&random)
      case 0..<3: .exact(Self.path(&random))
      case 3..<5: hasCalls ? Self.call(&random) : .regex(Self.regexes.randomElement(using: &random) ?? "")
      case 5: .prefix("/")
      default: .prefix(Self.prefix(&random))
      }
    return RouteMatchSpec(
      target, hosts: Self.some(inside, atMost: 3, &random), listener: listener, path: path,
      method: Int.random(in: 0..<4, using: &random) == 0 ? ["GET", "PUT", "BREW"].randomElement(using: &random) : nil,
      headers: Self.matches(["x", "X", "y", "accept"], &random), query: Self.matches(["p", "P", "q"], &random),
      route: "n/" + (["a", "b", "ab"].randomElement(using: &random) ?? ""),
      created: Int64.random(in: 0...1, using: &random),
      rule: Int.random(in: 0...1, using: &random), match: target)
  }

  /// A gRPC method by expressions.
  private static func call(_ random: inout SeededGenerator) -> RouteMatchSpec.PathMatch {
    let parts = ["a", "aa", "a+", "(a|b)"]
    let service = Int.random(in: 0..<3, using: &random) > 0 ? parts.randomElement(using: &random) : nil
    let method = Bool.random(using: &random) || service == nil ? parts.randomElement(using: &random) : nil
    return .init(type: .regularExpression, service: service, method: method)
  }

  private static func path(_ random: inout SeededGenerator) -> String {
    "/" + some(elements, atMost: 4, &random).joined(separator: "/")
  }

  /// Without empty elements, as configuration requires, but perhaps with a trailing slash.
  private static func prefix(_ random: inout SeededGenerator) -> String {
    let path = "/" + some(elements.filter { !$0.isEmpty }, atMost: 3, &random).joined(separator: "/")
    return path + (Int.random(in: 0..<3, using: &random) == 0 ? "/" : "")
  }

  private static func value(_ random: inout SeededGenerator) -> String {
    ["1", "2", "11", ""].randomElement(using: &random) ?? ""
  }

  private static func matches(
    _ names: [String], _ random: inout SeededGenerator
  ) -> [RouteMatchSpec.NamedMatch] {
    let count = max(0, Int.random(in: -4...2, using: &random))
    return (0..<count).map { _ in
      let regex: RouteMatchSpec.ValueMatch = .regex(["1+", ".*", "1(,.*)?"].randomElement(using: &random) ?? "")
      return .init(
        names.randomElement(using: &random) ?? "", Bool.random(using: &random) ? .exact(value(&random)) : regex)
    }
  }

  private static func some(_ all: [String], atMost: Int, _ random: inout SeededGenerator) -> [String] {
    (0..<Int.random(in: 1...atMost, using: &random)).map { _ in all.randomElement(using: &random) ?? "" }
  }
}
