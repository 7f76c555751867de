import Testing

@testable import WeftProxy

struct RouteHostTests {
  @Test(arguments: [
    ("example.com", "example.com", true), ("example.com", "EXAMPLE.Com", true), ("Example.COM", "example.com", true),
    ("example.com", "example.com:8080", true), ("example.com", "example.com.", true),
    ("example.com", "example.com.:80", true), ("example.com", "example.com..", false),
    ("example.com", "www.example.com", false), ("example.com", "example.co", false), ("example.com", "", false),
    ("*.example.com", "www.example.com", true), ("*.example.com", "a.b.example.com", true),
    ("*.example.com", "WWW.Example.com:1234", true), ("*.example.com", "example.com", false),
    ("*.example.com", ".example.com", false), ("*.example.com", "wwwexample.com", false),
    ("*.com", "com", false), ("*.com", "a.com", true), ("*", "", true), ("*", "[::1]:80", true),
    ("*", "127.0.0.1", true),
    ("127.0.0.1", "127.0.0.1:80", true), ("localhost", "localhost:1", true), ("a_b.c", "a_b.c", true), ("1", "1", true),
  ])
  func matches(_ hostname: String, _ host: String, expected: Bool) throws {
    let specs = [RouteMatchSpec(0, hosts: [hostname])]
    let result = try RoutingTable(specs).match(RoutingRequest("/", host: host))
    #expect(result.target == (expected ? 0 : -1))
    #expect(result.hostMatched == expected)
    #expect(try explain(specs, RoutingRequest("/", host: host)).target == (expected ? 0 : nil))
  }

  @Test func hostsBeyondDNSAreMatchedByAnyOnly() throws {
    let table = try RoutingTable([RouteMatchSpec(0, hosts: ["*.example.com"]), RouteMatchSpec(1)])
    for length in [1, 100, 241, 242, 300, 5000] {
      let host = String(repeating: "a", count: length) + ".example.com"
      #expect(table.match(RoutingRequest("/", host: host)).target == (host.count <= 253 ? 0 : 1))
    }
    #expect(table.match(RoutingRequest("/", host: String(repeating: ".", count: 253))).target == 1)
  }

  @Test func lengthsAroundWords() throws {
    let names = (1...40).map { String(repeating: "n", count: $0) + ".io" }
    let table = try RoutingTable(names.enumerated().map { RouteMatchSpec($0.offset, hosts: [$0.element]) })
    for (i, name) in names.enumerated() {
      #expect(table.match(RoutingRequest("/", host: name.uppercased() + ":443")).target == i)
    }
  }

  @Test func tellsUnknownHostsFromUnknownPaths() throws {
    let specs = [RouteMatchSpec(0, hosts: ["a.com"], path: .prefix("/x"))]
    let table = try RoutingTable(specs, listeners: ["*", "b.com"])
    #expect(table.match(RoutingRequest("/y", host: "a.com")) == RouteMatch(hostMatched: true))
    #expect(table.match(RoutingRequest("/x", host: "b.com")) == RouteMatch(hostMatched: false))
    #expect(table.match(RoutingRequest("/x", host: "c.com")) == RouteMatch(hostMatched: false))
    #expect(try RoutingTable([]).match(RoutingRequest("/")) == RouteMatch())
  }

  /// Within a listener, hostnames give precedence: what no rule of the better hostname matches goes on to the next.
  @Test func fallsBackToLessSpecificHostnames() throws {
    let table = try RoutingTable([
      RouteMatchSpec(0, path: .prefix("/any")),
      RouteMatchSpec(1, hosts: ["*.com"], path: .prefix("/com")),
      RouteMatchSpec(2, hosts: ["*.b.com"], path: .prefix("/b")),
      RouteMatchSpec(3, hosts: ["a.b.com"], path: .prefix("/a")),
    ])
    let expected: [(String, [String: Int])] = [
      ("a.b.com", ["/a": 3, "/b": 2, "/com": 1, "/any": 0, "/none": -1]),
      ("x.b.com", ["/a": -1, "/b": 2, "/com": 1, "/any": 0]),
      ("b.com", ["/a": -1, "/b": -1, "/com": 1, "/any": 0]),
      ("com", ["/com": -1, "/any": 0]),
    ]
    for (host, targets) in expected {
      for (path, target) in targets {
        #expect(table.match(RoutingRequest(path, host: host)).target == target, "\(host)\(path)")
      }
    }
  }

  /// Between listeners nothing falls through: the listener with the most specific hostname has the request.
  @Test func listenersAreIsolated() throws {
    let listeners = ["*", "*.example.com", "*.foo.example.com", "abc.foo.example.com"]
    let paths = ["/any", "/wild", "/foo", "/abc"]
    let specs = zip(listeners, paths).enumerated().map { i, pair in
      RouteMatchSpec(i, hosts: [pair.0], listener: pair.0, path: .prefix(pair.1))
    }
    let hosts = [
      "bar.com": 0, "example.com": 0, "bar.example.com": 1, "bar.foo.example.com": 2, "abc.foo.example.com": 3,
    ]
    let table = try RoutingTable(specs)
    for (host, listener) in hosts {
      for (i, path) in paths.enumerated() {
        let request = RoutingRequest(path, host: host)
        #expect(table.match(request).target == (i == listener ? i : -1), "\(request)")
        #expect(try explain(specs, request).target == (i == listener ? i : nil), "\(request)")
      }
    }
  }

  /// The same with routes that name the hostnames of the more specific listeners too.
  @Test func listenersAreIsolatedFromRoutesOfOthers() throws {
    let listeners = ["*", "*.example.com", "*.foo.example.com", "abc.foo.example.com"]
    let paths = ["/any", "/wild", "/foo", "/abc"]
    let hostnames = [
      ["bar.com", "*.example.com", "*.foo.example.com", "abc.foo.example.com"],
      ["*.example.com", "*.foo.example.com", "abc.foo.example.com"],
      ["*.foo.example.com", "abc.foo.example.com"],
      ["abc.foo.example.com"],
    ]
    let specs = (0..<4).map {
      RouteMatchSpec($0, hosts: hostnames[$0], listener: listeners[$0], path: .prefix(paths[$0]))
    }
    let table = try RoutingTable(specs)
    for (host, listener) in ["bar.com": 0, "bar.example.com": 1, "bar.foo.example.com": 2, "abc.foo.example.com": 3] {
      for (i, path) in paths.enumerated() {
        let request = RoutingRequest(path, host: host)
        #expect(table.match(request).target == (i == listener ? i : -1), "\(request)")
      }
    }
    let explanation = try explain(specs, RoutingRequest("/any", host: "abc.foo.example.com"))
    #expect(explanation.listener == "abc.foo.example.com")
    #expect(explanation.candidates.contains { $0.target == 0 && $0.verdict == .otherListener("*") })
  }

  @Test func aListenerWithoutRoutesKeepsItsRequests() throws {
    let specs = [RouteMatchSpec(0, listener: "*")]
    let table = try RoutingTable(specs, listeners: ["*.b.com"])
    #expect(table.match(RoutingRequest("/", host: "a.com")).target == 0)
    #expect(table.match(RoutingRequest("/", host: "a.b.com")) == RouteMatch(hostMatched: false))
    #expect(try explain(specs, listeners: ["*.b.com"], RoutingRequest("/", host: "a.b.com")).target == nil)
  }

  @Test(arguments: [
    "", "*.", "a..b", ".a", "a.", "*a.com", "a.*.com", "**", "a b", "a:80", "[::1", "[0:0:0:0:0:0:0:1]", "*.*.com",
    "ä.com", String(repeating: "a", count: 64) + ".com", String(repeating: "a.", count: 127),
  ])
  func refusesWhatIsNoHostname(_ hostname: String) {
    let error = #expect(throws: RouteTableError.self) { try RoutingTable([RouteMatchSpec(0, hosts: [hostname])]) }
    #expect(error?.field == .hostname)
    #expect(throws: RouteTableError.self) { try RoutingTable([RouteMatchSpec(0, listener: hostname)]) }
    #expect(throws: RouteTableError.self) { try RoutingTable([], listeners: [hostname]) }
  }

  @Test func refusesHostnamesOutsideTheListener() {
    for (hostname, listener) in [("a.com", "b.com"), ("*", "*.com"), ("*.com", "*.b.com"), ("b.com", "*.b.com")] {
      #expect(throws: RouteTableError.self) {
        try RoutingTable([RouteMatchSpec(0, hosts: [hostname], listener: listener)])
      }
    }
  }
}
