import Testing

@testable import WeftProxy

struct RoutePathTests {
  @Test(arguments: [
    ("/foo", "/foo", 4), ("/foo", "/foo/", 4), ("/foo", "/foo/bar", 4), ("/foo", "/foobar", nil), ("/foo", "/fo", nil),
    ("/foo", "/Foo", nil), ("/foo", "//foo", nil), ("/foo", "/foo//bar", 4), ("/foo", "/", nil),
    ("/foo/", "/foo", 4), ("/foo/", "/foo/", 4), ("/foo/", "/foo/bar", 4), ("/foo/", "/foobar", nil),
    ("/", "/", 0), ("/", "/anything/at/all", 0), ("/", "//", 0), ("/", "*", 0),
    ("/a/b", "/a/b/c", 4), ("/a/b", "/a", nil), ("/a/b", "/a/", nil), ("/a/b", "/a//b", nil), ("/a/b", "/a/bc/b", nil),
    ("/12345678", "/12345678", 9), ("/12345678", "/12345678/9", 9), ("/12345678", "/123456789", nil),
    ("/123456789abcdefg/x", "/123456789abcdefg/x/y", 19), ("/123456789abcdefg", "/123456789abcdefG", nil),
    ("/a%2Fb", "/a%2Fb/c", 6), ("/a%2Fb", "/a/b", nil), ("/a%2Fb", "/a%2fb", nil),
  ])
  func prefix(_ prefix: String, _ path: String, length: Int?) throws {
    let result = try RoutingTable([RouteMatchSpec(3, path: .prefix(prefix))]).match(RoutingRequest(path))
    #expect(result == RouteMatch(target: length == nil ? -1 : 3, prefixLength: length ?? -1, hostMatched: true))
  }

  @Test(arguments: [
    ("/one", "/one", true), ("/one", "/one/", false), ("/one", "/one/example", false), ("/one", "/One", false),
    ("/one", "/on", false), ("/one/", "/one/", true), ("/one/", "/one", false), ("/one/", "/one//", false),
    ("/", "/", true), ("/", "//", false), ("/", "*", false), ("/a//b", "/a//b", true), ("/a//b", "/a/b", false),
    ("/a/12345678", "/a/12345678", true), ("/a/12345678", "/a/12345678/", false),
    ("/1234567/89abcdef/123456789", "/1234567/89abcdef/123456789", true),
  ])
  func exact(_ exact: String, _ path: String, matches: Bool) throws {
    let result = try RoutingTable([RouteMatchSpec(3, path: .exact(exact))]).match(RoutingRequest(path))
    #expect(result == RouteMatch(target: matches ? 3 : -1, prefixLength: -1, hostMatched: true))
  }

  @Test(arguments: [
    ("/v[0-9]+/.*", "/v12/x", true), ("/v[0-9]+", "/v12/x", false), ("v[0-9]+", "/v1", false),
    (".*/end", "/a/end", true),
    ("(?i)/ABC", "/abc", true), (".*", "*", true), ("/a|/b", "/b", true),
  ])
  func regex(_ regex: String, _ path: String, matches: Bool) throws {
    let result = try RoutingTable([RouteMatchSpec(3, path: .regex(regex))]).match(RoutingRequest(path))
    #expect(result == RouteMatch(target: matches ? 3 : -1, prefixLength: -1, hostMatched: true))
  }

  @Test func theQueryIsNoPartOfThePath() throws {
    let table = try RoutingTable([RouteMatchSpec(0, path: .regex("/a")), RouteMatchSpec(1, path: .exact("/b"))])
    #expect(table.match(RoutingRequest("/a?/a")).target == 0)
    #expect(table.match(RoutingRequest("/b?x")).target == 1)
  }

  /// What fails on a condition falls back to the next shorter prefix, not to nothing.
  @Test func fallsBackToShorterPrefixes() throws {
    let table = try RoutingTable([
      RouteMatchSpec(0, path: .exact("/a/b/c"), method: "PUT"),
      RouteMatchSpec(1, path: .regex("/a/b/.*"), method: "POST"),
      RouteMatchSpec(2, path: .prefix("/a/b/c"), headers: [.exact("v", "1")]),
      RouteMatchSpec(3, path: .prefix("/a"), query: [.exact("q", "1")]),
      RouteMatchSpec(4, path: .prefix("/a"), query: [.exact("q", "2")]),
      RouteMatchSpec(5),
    ])
    #expect(table.match(RoutingRequest("/a/b/c", method: "PUT", headers: [("v", "1")])).target == 0)
    #expect(table.match(RoutingRequest("/a/b/c", method: "POST", headers: [("v", "1")])).target == 1)
    #expect(table.match(RoutingRequest("/a/b/c?q=1", headers: [("v", "1")])).target == 2)
    #expect(table.match(RoutingRequest("/a/b/c?q=1")).target == 3)
    #expect(table.match(RoutingRequest("/a/b/c?q=2")).target == 4)
    #expect(table.match(RoutingRequest("/a/b/c?q=2")).prefixLength == 2)
    #expect(table.match(RoutingRequest("/a/b/c")) == RouteMatch(target: 5, prefixLength: 0, hostMatched: true))
  }

  @Test func refusesWhatIsNoPath() {
    for path in [RouteMatchSpec.PathMatch.exact("a"), .prefix(""), .exact(""), .prefix("a/"), .regex("(")] {
      let error = #expect(throws: RouteTableError.self) {
        try RoutingTable([RouteMatchSpec(2, path: path, route: "shop/cart", match: 1)])
      }
      #expect(error?.field == .path)
      #expect(error?.description.hasPrefix("shop/cart: rule 2, match 1, path: ") == true)
    }
  }
}
