import Testing
import WeftConfig
import WeftFilter
import WeftIO

@testable import WeftFilters

@Suite struct CORSTests {
  static let policy = """
    allowOrigins: ["https://www.foo.com", "https://*.bar.com"]
    allowMethods: [GET, OPTIONS]
    allowHeaders: [x-header-1, x-header-2]
    exposeHeaders: [x-header-3, x-header-4]
    allowCredentials: true
    maxAge: 3600
    """

  private func preflight(
    _ bench: FilterBench, _ origin: String, _ method: String = "GET", _ headers: String? = "x-header-1, x-header-2"
  ) throws -> FilterBenchExchange {
    try bench.request(
      "OPTIONS", "/",
      ["origin: \(origin)", "access-control-request-method: \(method)"]
        + (headers.map { ["access-control-request-headers: \($0)"] } ?? []))
  }

  // MARK: Preflight requests, as the Gateway API's conformance tests have them

  @Test(arguments: [
    "https://www.foo.com", "https://www.bar.com", "https://xpto.www.bar.com", "https://www.foo.com:443",
  ])
  func preflightsFromAllowedOrigins(origin: String) throws {
    let bench = try bench(CORS.self, Self.policy)
    let exchange = try preflight(bench, origin)
    #expect(exchange.upstreamRequest == nil)
    #expect(exchange.response?.status == 204)
    #expect(
      exchange.response?.lines
        == [
          "Vary: Origin", "access-control-allow-origin: \(origin)", "access-control-allow-credentials: true",
          "access-control-expose-headers: x-header-3, x-header-4", "access-control-allow-methods: GET, OPTIONS",
          "access-control-allow-headers: x-header-1, x-header-2", "access-control-max-age: 3600",
        ].map { $0.hasPrefix("Vary") ? "vary: Origin" : $0 })
    #expect(bench.metric("weft_filter_cors_requests_total", ["cors", "preflight_allowed"]) == 1)
  }

  @Test(arguments: [
    "https://foobar.com", "http://www.foo.com", "https://www.foo.com:8443", "https://bar.com", "https://evilbar.com",
    "https://www.foo.com.evil.com", "null", "", "https://", "https://www.bar.com.", "www.foo.com", "https://.bar.com:x",
    "https://[::1]", "https://www.foo.com:", "https://www.foo.com:99999",
  ])
  func preflightsFromOtherOrigins(origin: String) throws {
    let bench = try bench(CORS.self, Self.policy)
    let exchange = try preflight(bench, origin)
    #expect(exchange.response?.status == 204)
    #expect(exchange.response?.lines == ["vary: Origin"])
    #expect(bench.metric("weft_filter_cors_requests_total", ["cors", "preflight_denied"]) == 1)
  }

  @Test func methodsAndHeadersThatAreAllowedWithoutCredentials() throws {
    let bench = try bench(CORS.self, "{allowOrigins: [\"*\"], allowMethods: [\"*\"], allowHeaders: [\"*\"]}")
    let response = try preflight(bench, "https://any.example:12345", "POST").response
    #expect(response?["access-control-allow-origin"] == "*")
    #expect(response?["access-control-allow-methods"] == "*")
    #expect(response?["access-control-allow-headers"] == "*")
    #expect(response?["access-control-allow-credentials"] == nil)
    #expect(response?["access-control-max-age"] == "5")
    #expect(response?["vary"] == nil)
  }

  @Test func withCredentialsTheAnswerNamesWhatWasAsked() throws {
    let bench = try bench(
      CORS.self,
      """
      {allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], exposeHeaders: ["*", x-a],
       allowCredentials: true}
      """)
    let response = try preflight(bench, "https://other.foo.com", "PUT").response
    #expect(response?["access-control-allow-origin"] == "https://other.foo.com")
    #expect(response?["access-control-allow-methods"] == "PUT")
    #expect(response?["access-control-allow-headers"] == "x-header-1, x-header-2")
    #expect(response?["access-control-allow-credentials"] == "true")
    #expect(response?["access-control-expose-headers"] == "x-a")
    #expect(response?["vary"] == "Origin")
    #expect(try preflight(bench, "https://a", "PUT", nil).response?["access-control-allow-headers"] == nil)
  }

  @Test func optionsAloneIsNoPreflight() throws {
    let bench = try bench(CORS.self, Self.policy)
    #expect(try bench.request("OPTIONS", "/", ["origin: https://www.foo.com"]).progress == .upstream)
    #expect(try bench.request("OPTIONS", "/", ["access-control-request-method: GET"]).progress == .upstream)
    #expect(
      try bench.request("GET", "/", ["origin: https://www.foo.com", "access-control-request-method: GET"]).progress
        == .upstream)
  }

  // MARK: Requests

  @Test func responsesForAllowedOrigins() throws {
    let bench = try bench(CORS.self, Self.policy)
    let exchange = try bench.request("GET", "/", ["origin: https://a.bar.com"])
    #expect(exchange.upstreamRequest?["origin"] == "https://a.bar.com")
    try exchange.respond(
      200, ["access-control-allow-origin: *", "access-control-expose-headers: x", "vary: Accept"], body: ["x"])
    #expect(
      exchange.response?.lines == [
        "vary: Accept", "content-length: 1", "vary: Origin", "access-control-allow-origin: https://a.bar.com",
        "access-control-allow-credentials: true", "access-control-expose-headers: x-header-3, x-header-4",
      ])
    #expect(bench.metric("weft_filter_cors_requests_total", ["cors", "allowed"]) == 1)
  }

  @Test func responsesForOtherOrigins() throws {
    let bench = try bench(CORS.self, Self.policy)
    let exchange = try bench.request("GET", "/", ["origin: https://foobar.com"])
    try exchange.respond(
      200, ["access-control-allow-origin: *", "access-control-allow-credentials: true", "vary: origin"])
    #expect(exchange.response?.lines == ["vary: origin", "content-length: 0"])
    #expect(bench.metric("weft_filter_cors_requests_total", ["cors", "denied"]) == 1)
  }

  @Test func responsesWithoutAnOriginVaryAllTheSame() throws {
    let bench = try bench(CORS.self, Self.policy)
    let exchange = try bench.request()
    try exchange.respond(200)
    #expect(exchange.response?["vary"] == "Origin")
    #expect(exchange.response?["access-control-allow-origin"] == nil)
    let any = FilterBench()
    try any.add(CORS.self, "allowOrigins: [\"*\"]")
    let other = try any.request()
    try other.respond(200)
    #expect(other.response?["vary"] == nil)
    #expect(other.response?["access-control-allow-origin"] == "*")
  }

  @Test func refusalsOfLaterFiltersCanBeRead() throws {
    let bench = FilterBench()
    try bench.add(CORS.self, Self.policy)
    try bench.add(Respond(status: 429))
    let exchange = try bench.request("GET", "/", ["origin: https://www.foo.com"])
    #expect(exchange.response?.status == 429)
    #expect(exchange.response?["access-control-allow-origin"] == "https://www.foo.com")
  }

  @Test func theFilterOfARoute() throws {
    let rule = try routeRule("filters: [{type: CORS, cors: {allowOrigins: [\"https://a.example\"]}}]")
    var registry = FilterRegistry()
    BuiltInFilters.register(into: &registry)
    let bench = FilterBench()
    bench.add(try registry.routeFilter(rule.filters[0], bench.context("r")).makeFilter(bench.worker))
    let exchange = try bench.request("GET", "/", ["origin: https://a.example"])
    try exchange.respond(200)
    #expect(exchange.response?["access-control-allow-origin"] == "https://a.example")
  }

  @Test(arguments: [
    ("http://a.example", "http://a.example:80", true), ("http://a.example:80", "http://a.example", true),
    ("http://a.example:8080", "http://a.example", false), ("https://A.example", "https://a.EXAMPLE", true),
    ("https://*", "https://anything.example", true), ("https://*", "http://anything.example", false),
    ("https://*", "https://", false), ("https://*.a.b:8443", "https://x.y.a.b:8443", true),
    ("https://*.a.b:8443", "https://x.y.a.b", false), ("https://*", "https://[2001:db8::1]", true),
  ])
  func origins(pattern: String, origin: String, matches: Bool) throws {
    let owned = OwnedBytes(origin)
    #expect(try #require(OriginPattern(pattern)).matches(owned.bytes) == matches)
    withExtendedLifetime(owned) {}
  }

  @Test(arguments: [
    ("{}", "allowOrigins: is missing; without an origin the filter allows nobody"),
    (
      "allowOrigins: [\"*\", \"https://a\"]",
      "allowOrigins: \"*\" cannot stand beside other entries; keep it alone or remove it"
    ),
    ("allowOrigins: [a.example]", "allowOrigins[0]: \"a.example\" is not allowed; an origin is"),
    ("{allowOrigins: [\"*\"], allowMethods: [GTE]}", "allowMethods[0]: unknown method \"GTE\""),
    ("{allowOrigins: [\"*\"], maxAge: 0}", "maxAge: 0 is out of range"),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    let found = findings(CORS.self, yaml)
    #expect(found.contains { $0.hasPrefix(finding) }, "\(found)")
  }
}
