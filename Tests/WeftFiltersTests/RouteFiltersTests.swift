import Testing
import WeftConfig
import WeftFilter
import WeftFilters

/// The filters that the Gateway API defines.
@Suite struct RouteFiltersTests {
  /// A bench with the filters of a route rule.
  private func bench(_ filters: String, services: Set<String> = []) throws -> FilterBench {
    var registry = FilterRegistry()
    BuiltInFilters.register(into: &registry)
    let bench = FilterBench()
    bench.services = services
    for filter in try routeRule("filters: \(filters)").filters {
      bench.add(try registry.routeFilter(filter, bench.context("r/0.filters")).makeFilter(bench.worker))
    }
    return bench
  }

  @Test func requestHeaderModifier() throws {
    let bench = try bench(
      """
      [{type: RequestHeaderModifier, requestHeaderModifier: {
          set: [{name: X-Header-Set, value: set-overwrites-values}],
          add: [{name: X-Header-Add, value: "100%"}], remove: [X-Header-Remove]}}]
      """)
    let exchange = try bench.request("GET", "/", ["x-header-set: a", "x-header-add: b", "x-header-remove: c"])
    #expect(exchange.upstreamRequest?["x-header-set"] == "set-overwrites-values")
    #expect(exchange.upstreamRequest?["x-header-add"] == "b, 100%")
    #expect(exchange.upstreamRequest?["x-header-remove"] == nil)
  }

  @Test func responseHeaderModifier() throws {
    let bench = try bench(
      "[{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-A, value: \"1\"}]}}]")
    let exchange = try bench.request("GET", "/", ["x-a: mine"])
    try exchange.respond(200)
    #expect(exchange.upstreamRequest?["x-a"] == "mine")
    #expect(exchange.response?["x-a"] == "1")
  }

  @Test func requestRedirect() throws {
    let bench = try bench(
      """
      [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: b.example, port: 8443, statusCode: 301,
          path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]
      """)
    let exchange = try bench.request("GET", "/a/x") { $0.matchedPrefixLength = 2 }
    #expect(exchange.response?.status == 301)
    #expect(exchange.response?["location"] == "https://b.example:8443/b/x")
  }

  @Test func urlRewrite() throws {
    let bench = try bench(
      """
      [{type: URLRewrite, urlRewrite: {hostname: b.example, path: {type: ReplaceFullPath, replaceFullPath: /b}}}]
      """)
    let exchange = try bench.request("GET", "/a?q")
    #expect(exchange.upstreamRequest?["host"] == "b.example")
    #expect(exchange.upstreamRequest?.target == "/b?q")
  }

  @Test func requestMirror() throws {
    let filters = """
      [{type: RequestMirror, requestMirror: {backendRef: {name: one, port: 80}}},
       {type: RequestMirror, requestMirror: {backendRef: {name: two, port: 80}, percent: 0}},
       {type: RequestMirror, requestMirror: {backendRef: {name: gone, port: 80}}}]
      """
    let bench = try bench(filters, services: ["default/one:80", "default/two:80"])
    #expect(try bench.request().mirrors == ["default/one:80"])
  }
}
