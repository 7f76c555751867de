import Testing

@testable import WeftProxy

/// What a look-up looks at does not grow with the number of routes.
struct RouteTableScaleTests {
  static let sizes = [10, 1000, 10_000]

  @Test func hosts() throws {
    try expectFlat { count in
      (0..<count).map { RouteMatchSpec($0, hosts: ["service-\($0).example.com"], path: .prefix("/api")) }
    } requests: { i in
      RoutingRequest("/api/v1/users", host: "service-\(i).example.com")
    }
  }

  @Test func wildcards() throws {
    try expectFlat { count in
      (0..<count).map { RouteMatchSpec($0, hosts: ["*.tenant-\($0).example.com"]) } + [RouteMatchSpec(count)]
    } requests: { i in
      RoutingRequest("/", host: "www.tenant-\(i).example.com")
    }
  }

  @Test func exactPaths() throws {
    try expectFlat { count in
      (0..<count).map { RouteMatchSpec($0, path: .exact("/api/v1/resource-\($0)/items")) }
    } requests: { i in
      RoutingRequest("/api/v1/resource-\(i)/items")
    }
  }

  @Test func prefixes() throws {
    try expectFlat { count in
      (0..<count).map { RouteMatchSpec($0, path: .prefix("/team-\($0 % 100)/service-\($0)")) }
    } requests: { i in
      RoutingRequest("/team-\(i % 100)/service-\(i)/and/more")
    }
  }

  @Test func misses() throws {
    try expectFlat(target: false) { count in
      (0..<count).map { RouteMatchSpec($0, hosts: ["a.com"], path: .prefix("/service-\($0)/x")) }
    } requests: { i in
      RoutingRequest("/service-\(i)/y", host: "a.com")
    }
  }

  private func expectFlat(
    target: Bool = true, specs: (Int) -> [RouteMatchSpec], requests: (Int) -> RoutingRequest
  ) throws {
    var averages: [Double] = []
    for size in Self.sizes {
      let table = try RoutingTable(specs(size))
      var steps = 0
      let sample = stride(from: 0, to: size, by: max(1, size / 500))
      for i in sample {
        let request = requests(i)
        #expect(table.match(request).target == (target ? i : -1))
        steps += table.steps(request)
      }
      averages.append(Double(steps) / Double(Array(sample).count))
    }
    let (small, large) = (averages.min() ?? 0, averages.max() ?? 0)
    // Linear probing in tables that are half full at most: below 1.5 slots for a hit on average, 2.5 for a miss. Small
    // tables come close to 1, so that each look-up may cost half a slot more, or one and a half, but no more.
    #expect(large < small + 2.5 && large < 12, "\(averages)")
  }
}
