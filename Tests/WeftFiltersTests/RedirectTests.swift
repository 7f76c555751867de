import Testing
import WeftConfig
import WeftFilter
import WeftFilters
import WeftIO

@Suite struct RedirectTests {
  struct Case: Sendable {
    var config: String
    var target = "/a?b=c"
    var host = "a.example"
    var port: UInt16 = 80
    var isTLS = false
    var matched = 0
    var location: String
  }

  @Test(arguments: [
    // The Gateway API's rules for the port.
    Case(config: "hostname: b.example", location: "http://b.example/a?b=c"),
    Case(config: "hostname: b.example", port: 8080, location: "http://b.example:8080/a?b=c"),
    Case(config: "hostname: b.example", port: 443, isTLS: true, location: "https://b.example/a?b=c"),
    Case(config: "hostname: b.example", port: 8443, isTLS: true, location: "https://b.example:8443/a?b=c"),
    Case(config: "scheme: https", location: "https://a.example/a?b=c"),
    Case(config: "scheme: https", port: 8080, location: "https://a.example/a?b=c"),
    Case(config: "scheme: http", port: 443, isTLS: true, location: "http://a.example/a?b=c"),
    Case(config: "{scheme: https, port: 443}", location: "https://a.example/a?b=c"),
    Case(config: "{scheme: https, port: 8443}", location: "https://a.example:8443/a?b=c"),
    Case(config: "{scheme: http, port: 80}", port: 443, isTLS: true, location: "http://a.example/a?b=c"),
    Case(config: "{scheme: http, port: 443}", location: "http://a.example:443/a?b=c"),
    Case(config: "port: 80", port: 8080, location: "http://a.example/a?b=c"),
    Case(config: "port: 8080", location: "http://a.example:8080/a?b=c"),
    // The request's own host.
    Case(config: "scheme: https", host: "a.example:8080", port: 8080, location: "https://a.example/a?b=c"),
    Case(config: "port: 81", host: "[::1]:8080", location: "http://[::1]:81/a?b=c"),
    Case(config: "scheme: https", host: "[::1]", location: "https://[::1]/a?b=c"),
    Case(config: "{}", host: "a.example:9", port: 8080, location: "http://a.example:8080/a?b=c"),
    // Paths.
    Case(
      config: "path: {type: ReplaceFullPath, replaceFullPath: /new}", location: "http://a.example/new?b=c"),
    Case(
      config: "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}", target: "/old/x", matched: 4,
      location: "http://a.example/new/x"),
    Case(
      config:
        "path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: '^/u/(\\w+)$', substitution: '/user/$1'}}",
      target: "/u/ann?x", location: "http://a.example/user/ann?x"),
    Case(config: "{}", target: "//evil.example/x", location: "http://a.example//evil.example/x"),
  ])
  func locations(_ c: Case) throws {
    let bench = try bench(Redirect.self, c.config)
    let exchange = try bench.request("GET", c.target, ["host: \(c.host)"]) {
      $0.local = SocketAddress(IPAddress(v4: 0x7f00_0001), port: c.port)
      $0.isTLS = c.isTLS
      $0.matchedPrefixLength = c.matched
    }
    #expect(exchange.response?.status == 302)
    #expect(exchange.response?.values("location") == [c.location])
    #expect(exchange.response?["content-length"] == "0")
    #expect(exchange.upstreamRequest == nil)
    #expect(exchange.details == "redirect")
  }

  @Test(arguments: [301, 302, 303, 307, 308])
  func statuses(status: Int) throws {
    let bench = try bench(Redirect.self, "statusCode: \(status)")
    #expect(try bench.request().response?.status == status)
  }

  @Test func aRequestWithoutHostIsRedirectedWithinItsServer() throws {
    let bench = try bench(Redirect.self, "path: {type: ReplaceFullPath, replaceFullPath: /x}")
    let exchange = try bench.request("GET", "/a?b", ["host: "])
    #expect(exchange.response?["location"] == "/x?b")
    let plain = FilterBench()
    try plain.add(Redirect(status: 301))
    #expect(try plain.request("GET", "//evil.example/", ["host: "]).response?["location"] == "/evil.example/")
  }

  @Test func behindAUnixSocketThePortIsTheHosts() throws {
    let bench = try bench(Redirect.self, "hostname: b.example")
    let exchange = try bench.request("GET", "/", ["host: a.example:8080"]) {
      $0.local = SocketAddress(unixPath: "/run/a.sock") ?? SocketAddress()
    }
    #expect(exchange.response?["location"] == "http://b.example:8080/")
  }

  @Test func plainValues() throws {
    let bench = FilterBench()
    try bench.add(
      Redirect(scheme: .https, hostname: "b.example", path: .replaceFullPath("/x"), port: 444, status: 308))
    let exchange = try bench.request()
    #expect(exchange.response?.status == 308)
    #expect(exchange.response?["location"] == "https://b.example:444/x")
    #expect(throws: InvalidFilterValue.self) { try Redirect(status: 300) }
    #expect(throws: InvalidFilterValue.self) { try Redirect(hostname: "a/b") }
  }

  @Test(arguments: [
    ("statusCode: 304", "statusCode: 304 is not allowed; use one of 301, 302, 303, 307, 308"),
    ("scheme: ftp", "scheme: unknown value \"ftp\"; use one of http, https"),
    ("port: 0", "port: 0 is out of range; allowed are 1 to 65535"),
    ("path: {type: Replace}", "path.type: unknown value \"Replace\""),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(Redirect.self, yaml)
    #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
  }
}
