import Testing
import WeftConfig
import WeftFilter
import WeftFilters

@Suite struct URLRewriteTests {
  /// The Gateway API's table for ReplacePrefixMatch, and what it leaves open.
  @Test(arguments: [
    ("/foo/bar", 4, "/xyz", "/xyz/bar"),
    ("/foo/bar", 4, "/xyz/", "/xyz/bar"),
    ("/foo/bar", 5, "/xyz", "/xyz/bar"),
    ("/foo/bar", 5, "/xyz/", "/xyz/bar"),
    ("/foo", 4, "/xyz", "/xyz"),
    ("/foo/", 4, "/xyz", "/xyz/"),
    ("/foo/bar", 4, "", "/bar"),
    ("/foo/", 4, "", "/"),
    ("/foo", 4, "", "/"),
    ("/foo/", 4, "/", "/"),
    ("/foo", 4, "/", "/"),
    ("/foo?q=/foo", 4, "/xyz", "/xyz?q=/foo"),
    ("/foo?", 4, "", "/?"),
    ("/bar", 1, "/xyz", "/xyz/bar"),
    ("/", 1, "/xyz", "/xyz/"),
    ("/bar", 0, "/xyz", "/bar"),
    ("/fo", 4, "/xyz", "/xyz"),
  ])
  func prefixes(target: String, matched: Int, replacement: String, result: String) throws {
    let bench = try bench(
      URLRewrite.self, "path: {type: ReplacePrefixMatch, replacePrefixMatch: \"\(replacement)\"}")
    let exchange = try bench.request("GET", target) { $0.matchedPrefixLength = matched }
    #expect(exchange.upstreamRequest?.target == result)
    #expect(exchange.handle.request.path.string == String(result.prefix { $0 != "?" }))
  }

  @Test(arguments: [
    ("/a/b?c=d", "/x", "/x?c=d"), ("/a", "", "/"), ("/", "/x/", "/x/"), ("/a?b?c", "/x", "/x?b?c"),
  ])
  func wholePaths(target: String, replacement: String, result: String) throws {
    let bench = try bench(URLRewrite.self, "path: {type: ReplaceFullPath, replaceFullPath: \"\(replacement)\"}")
    #expect(try bench.request("GET", target).upstreamRequest?.target == result)
  }

  @Test(arguments: [
    ("/v1/users/7?q=/v1/", "^/v1/", "/v2/", "/v2/users/7?q=/v1/"),
    ("/users/7/orders/9", "/users/(\\\\d+)/orders/(\\\\d+)", "/orders/$2/of/$1", "/orders/9/of/7"),
    ("/a/b/a", "a", "x", "/x/b/x"),
    ("/a", "z", "x", "/a"),
    ("/one/two", "^/(?<first>[a-z]+)", "/${first}$$", "/one$/two"),
  ])
  func patterns(target: String, pattern: String, substitution: String, result: String) throws {
    let bench = try bench(
      URLRewrite.self,
      """
      path:
        type: ReplaceRegexMatch
        replaceRegexMatch: {pattern: "\(pattern)", substitution: "\(substitution)"}
      """)
    #expect(try bench.request("GET", target).upstreamRequest?.target == result)
  }

  @Test(arguments: [("^/", ""), (".+", ""), ("a", " "), ("a", "?"), ("a", "\\x01")])
  func aPatternThatMakesNoTargetIsAnError(pattern: String, substitution: String) throws {
    let bench = try bench(
      URLRewrite.self,
      """
      path:
        type: ReplaceRegexMatch
        replaceRegexMatch: {pattern: "\(pattern)", substitution: "\(substitution)"}
      """)
    let exchange = try bench.request("GET", "/a")
    if substitution == "?" {
      // A query may begin there.
      #expect(exchange.upstreamRequest?.target == "/?")
    } else {
      #expect(exchange.response?.status == 500)
      #expect(exchange.details == "url_rewrite_failed")
      #expect(exchange.upstreamRequest == nil)
    }
  }

  @Test func aPatternThatNeverEndsIsAnError() throws {
    let bench = try bench(
      URLRewrite.self,
      "path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: \"(a+)+$\", substitution: x}}")
    let exchange = try bench.request("GET", "/" + String(repeating: "a", count: 3000) + "!")
    #expect(exchange.response?.status == 500)
  }

  @Test func aPathThatGrowsBeyondTheLimitIsAnError() throws {
    let long = "/" + String(repeating: "y", count: 1000)
    let bench = try bench(
      URLRewrite.self, "path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: x, substitution: \(long)}}")
    let exchange = try bench.request("GET", "/" + String(repeating: "x", count: 100))
    #expect(exchange.response?.status == 500)
  }

  @Test func hostAndPathTogether() throws {
    let bench = try bench(
      URLRewrite.self, "hostname: b.example\npath: {type: ReplaceFullPath, replaceFullPath: /x}")
    let exchange = try bench.request("GET", "/a", ["Host: a.example:8080", "x: y"])
    #expect(exchange.upstreamRequest?.values("host") == ["b.example"])
    #expect(exchange.upstreamRequest?.target == "/x")
    #expect(exchange.upstreamRequest?["x"] == "y")
  }

  @Test func theWholeServerHasNoPath() throws {
    let bench = try bench(URLRewrite.self, "path: {type: ReplaceFullPath, replaceFullPath: /x}")
    #expect(try bench.request("OPTIONS", "*").upstreamRequest?.target == "*")
  }

  @Test func plainValues() throws {
    let bench = FilterBench()
    try bench.add(URLRewrite(hostname: "c.example", path: .replacePrefixMatch("/new")))
    let exchange = try bench.request("GET", "/old/x") { $0.matchedPrefixLength = 4 }
    #expect(exchange.upstreamRequest?.target == "/new/x")
    #expect(exchange.upstreamRequest?["host"] == "c.example")
    #expect(throws: InvalidFilterValue.self) { try URLRewrite(hostname: "a b") }
    #expect(throws: InvalidFilterValue.self) { try PathRewrite.replaceFullPath("no-slash") }
    #expect(throws: InvalidFilterValue.self) { try PathRewrite.replaceFullPath("/a?b") }
  }

  @Test(arguments: [
    ("{}", "changes nothing; give \"hostname\", \"path\" or both"),
    ("path: {}", "path.type: is missing; it must be given"),
    (
      "path: {type: ReplaceFullPath}",
      "path.replaceFullPath: is missing; it must be given"
    ),
    (
      "path: {type: ReplaceFullPath, replaceFullPath: /a, replacePrefixMatch: /b}",
      "path.replacePrefixMatch: must not be given with type ReplaceFullPath"
    ),
    (
      "path: {type: ReplaceFullPath, replaceFullPath: a}",
      "path.replaceFullPath: \"a\" must begin with \"/\""
    ),
    (
      "path: {type: ReplacePrefixMatch, replacePrefixMatch: \"/a b\"}",
      "path.replacePrefixMatch: \"/a b\" has characters that a path cannot have; write them as %XX"
    ),
    (
      "path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: \"(\", substitution: x}}",
      "path.replaceRegexMatch: \"(\", at offset 1: missing closing parenthesis"
    ),
    (
      "path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: a, substitution: $1}}",
      "path.replaceRegexMatch: \"$1\", at offset 0: the pattern has no group \"1\""
    ),
    (
      "hostname: a.example:80",
      """
      hostname: "a.example:80" is not allowed; use a lower-case DNS name such as "api.example.com", not an address
      """
    ),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    #expect(findings(URLRewrite.self, yaml).contains(finding), "\(findings(URLRewrite.self, yaml))")
  }
}
