import Testing

@testable import WeftProxy

struct RouteConditionTests {
  @Test(arguments: [
    ("GET", "GET", true), ("GET", "HEAD", false), ("GET", "get", false), ("BREW", "BREW", true),
    ("BREW", "BREWS", false), ("BREW", "FOLD", false),
  ])
  func method(_ wanted: String, _ sent: String, expected: Bool) throws {
    let table = try RoutingTable([RouteMatchSpec(0, method: wanted)])
    #expect(table.match(RoutingRequest("/", method: sent)).target == (expected ? 0 : -1))
  }

  static let headers: [(RouteMatchSpec.NamedMatch, [(String, String)], Bool)] = [
    (.exact("Version", "one"), [("version", "one")], true),
    (.exact("version", "one"), [("VERSION", "one")], true),
    (.exact("version", "one"), [("version", "One")], false),
    (.exact("version", "one"), [("version", "one ")], false),
    (.exact("version", "one"), [("versio", "one")], false),
    (.exact("version", "one"), [], false),
    (.exact("x", "a,b"), [("x", "a"), ("other", "1"), ("X", "b")], true),
    (.exact("x", "a"), [("x", "a"), ("x", "b")], false),
    (.regex("x", "a,b(,c)?"), [("x", "a"), ("x", "b"), ("x", "c")], true),
    (.exact("cookie", "a=1; b=2"), [("cookie", "a=1"), ("cookie", "b=2")], true),
    (.exact("user-agent", "curl"), [("User-Agent", "curl")], true),
    (.regex("user-agent", "curl/[0-9.]+"), [("User-Agent", "curl/7.88.1")], true),
    (.regex("user-agent", "curl"), [("User-Agent", "curl/7.88.1")], false),
    (.regex("x", ".*"), [("x", "")], true),
    (.regex("x", ".*"), [], false),
  ]

  @Test(arguments: 0..<headers.count)
  func header(index: Int) throws {
    let (match, sent, expected) = Self.headers[index]
    let specs = [RouteMatchSpec(0, headers: [match])]
    let request = RoutingRequest("/", headers: sent)
    #expect(try RoutingTable(specs).match(request).target == (expected ? 0 : -1))
    #expect(try explain(specs, request).target == (expected ? 0 : nil))
  }

  @Test(arguments: [
    ("animal", "whale", "animal=whale", true), ("animal", "whale", "x=1&animal=whale&y=2", true),
    ("animal", "whale", "animal=dog&animal=whale", false), ("animal", "whale", "animal=whale&animal=dog", true),
    ("animal", "whale", "ANIMAL=whale", false), ("animal", "whale", "animal=Whale", false),
    ("animal", "whale", "animal=whaledolphin", false), ("animal", "whale", "animal=whal", false),
    ("animal", "whale", "animal", false), ("animal", "whale", "", false), ("animal", "whale", "&&=&animal=whale", true),
    ("animal", "whale", "%61nim%61l=wh%61le", true), ("a b", "c&d", "a%20b=c%26d", true), ("a", "b c", "a=b+c", false),
    ("a", "b+c", "a=b+c", true), ("a", "b+c", "a=b%2Bc", true), ("a", "b%2", "a=b%2", true),
    ("a", "b%zz", "a=b%zz", true),
    ("a", "%41", "a=%2541", true), ("a", "A", "a=%2541", false), ("a", "b=c", "a=b=c", true),
    ("a", "é", "a=%c3%A9", true),
  ])
  func query(_ name: String, _ value: String, _ query: String, expected: Bool) throws {
    let specs = [RouteMatchSpec(0, query: [.exact(name, value)])]
    let request = RoutingRequest("/?" + query)
    #expect(try RoutingTable(specs).match(request).target == (expected ? 0 : -1))
    #expect(try explain(specs, request).target == (expected ? 0 : nil))
  }

  @Test func queryByExpression() throws {
    let table = try RoutingTable([RouteMatchSpec(0, query: [.regex("q", "[a-c ]+")])])
    for (query, expected) in [
      ("q=abc", 0), ("q=a%20b", 0), ("q=%61%62", 0), ("q=abd", -1), ("q=", -1), ("q", -1), ("", -1),
    ] {
      #expect(table.match(RoutingRequest("/?" + query)).target == expected, "\(query)")
    }
  }

  @Test func allMustHold() throws {
    let table = try RoutingTable([
      RouteMatchSpec(
        0, method: "PUT", headers: [.exact("a", "1"), .exact("b", "2")], query: [.exact("p", "1"), .exact("q", "2")])
    ])
    let headers = [("a", "1"), ("b", "2")]
    #expect(table.match(RoutingRequest("/?q=2&p=1", method: "PUT", headers: headers)).target == 0)
    #expect(table.match(RoutingRequest("/?q=2&p=1", method: "GET", headers: headers)).target == -1)
    #expect(table.match(RoutingRequest("/?q=2", method: "PUT", headers: headers)).target == -1)
    #expect(table.match(RoutingRequest("/?q=2&p=1", method: "PUT", headers: [headers[1]])).target == -1)
  }

  /// Of several entries with one name only the first counts, and the others are no condition.
  @Test func repeatedNamesAreIgnored() throws {
    let table = try RoutingTable([
      RouteMatchSpec(0, headers: [.exact("a", "1"), .exact("A", "2")], query: [.exact("p", "1"), .exact("p", "2")])
    ])
    #expect(table.match(RoutingRequest("/?p=1", headers: [("a", "1")])).target == 0)
    #expect(table.match(RoutingRequest("/?p=2", headers: [("a", "2")])).target == -1)
  }

  /// Neighbouring entries that ask for the same name, for different ones, and for the first again.
  @Test func manyEntriesForOnePath() throws {
    var specs: [RouteMatchSpec] = []
    for i in 0..<300 {
      let name = ["x", "y", "z"][i % 3]
      specs.append(
        RouteMatchSpec(i, headers: [.exact(name, "v\(i)"), .regex("common", "[0-9]+")], query: [.exact(name, "q\(i)")]))
    }
    let table = try RoutingTable(specs)
    for i in 0..<300 {
      let name = ["x", "y", "z"][i % 3]
      let headers = [(name, "v\(i)"), ("common", "4"), ("common", "2")]
      #expect(table.match(RoutingRequest("/?\(name)=q\(i)", headers: headers)).target == -1)
      #expect(table.match(RoutingRequest("/?\(name)=q\(i)", headers: Array(headers.dropLast()))).target == i)
    }
  }

  /// What cannot be decided must not fall to a less specific route.
  @Test func refusesWhatItCannotDecide() throws {
    let hostile = String(repeating: "a", count: 2000)
    let specs = [
      RouteMatchSpec(0, path: .regex("(a+)+[bc]"), method: "PUT"),
      RouteMatchSpec(1, path: .prefix("/h"), headers: [.regex("x", "(a+)+[bc]")]),
      RouteMatchSpec(2, path: .prefix("/q"), query: [.regex("x", "(a+)+[bc]")]),
      RouteMatchSpec(3),
    ]
    let table = try RoutingTable(specs)
    let failed = RouteMatch(hostMatched: true, failed: true)
    #expect(table.match(RoutingRequest(hostile, method: "PUT")) == failed)
    #expect(table.match(RoutingRequest("/h", headers: [("x", hostile)])) == failed)
    #expect(table.match(RoutingRequest("/q?x=\(hostile)")) == failed)
    #expect(table.match(RoutingRequest("/h", headers: [("x", "abc")])).target == 3)
    let explanation = try explain(specs, RoutingRequest("/h", headers: [("x", hostile)]))
    #expect(explanation.target == nil)
    #expect(explanation.candidates.map(\.verdict).contains(.failed("stepLimit")))
    #expect(explanation.candidates.last?.verdict == .notReached)
  }

  @Test func refusesValuesTooLongToPutTogether() throws {
    let table = try RoutingTable([RouteMatchSpec(0, headers: [.regex("x", "a.*")]), RouteMatchSpec(1)])
    let value = String(repeating: "a", count: RouteScratch.valueLimit / 2)
    #expect(table.match(RoutingRequest("/", headers: [("x", value)])).target == 0)
    #expect(table.match(RoutingRequest("/", headers: [("x", value), ("x", value)])).failed)
  }

  @Test func refusesWhatIsNoCondition() {
    let bad: [(RouteMatchSpec, RouteTableError.Field)] = [
      (RouteMatchSpec(0, method: ""), .method), (RouteMatchSpec(0, method: "A B"), .method),
      (RouteMatchSpec(0, headers: [.exact("a b", "1")]), .header("a b")),
      (RouteMatchSpec(0, headers: [.exact("", "1")]), .header("")),
      (RouteMatchSpec(0, headers: [.regex("a", "[")]), .header("a")),
      (RouteMatchSpec(0, query: [.regex("a", "(")]), .query("a")), (RouteMatchSpec(-1), .target),
    ]
    for (spec, field) in bad {
      let error = #expect(throws: RouteTableError.self) { try RoutingTable([spec]) }
      #expect(error?.field == field)
      #expect(throws: RouteTableError.self) { _ = try RouteExplainer([spec]) }
    }
  }
}
