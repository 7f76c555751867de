import Testing
import WeftConfig
import WeftFilter
import WeftFilters
import WeftIO

@Suite struct HeaderModifierTests {
  @Test func requestsAreChanged() throws {
    let bench = try bench(
      HeaderModifier.self,
      """
      request:
        set: [{name: X-Set, value: new}, {name: x-other, value: set}]
        add: [{name: X-Add, value: "2"}]
        remove: [X-Remove, x-absent]
      """)
    let exchange = try bench.request(
      "GET", "/", ["host: a", "x-set: old", "X-Set: older", "x-add: 1", "x-remove: gone", "X-REMOVE: too", "keep: k"])
    #expect(
      exchange.upstreamRequest?.lines == ["host: a", "x-add: 1", "keep: k", "x-set: new", "x-other: set", "x-add: 2"])
    try exchange.respond(200, ["x-set: untouched"])
    #expect(exchange.response?["x-set"] == "untouched")
  }

  @Test func responsesAreChanged() throws {
    let bench = try bench(
      HeaderModifier.self,
      """
      response:
        set: [{name: server, value: weft}]
        add: [{name: set-cookie, value: a=1}, {name: set-cookie, value: b=2}]
        remove: [x-powered-by]
      """)
    let exchange = try bench.request()
    #expect(exchange.upstreamRequest?.lines == ["host: example.com"])
    try exchange.respond(200, ["server: other", "x-powered-by: x", "set-cookie: c=3"], body: ["hi"])
    #expect(
      exchange.response?.lines == [
        "set-cookie: c=3", "content-length: 2", "server: weft", "set-cookie: a=1", "set-cookie: b=2",
      ])
    #expect(exchange.response?.text == "hi")
  }

  @Test(arguments: [
    ("%DOWNSTREAM_REMOTE_ADDRESS%", "10.0.0.1:40000"),
    ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.1"),
    ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "10.0.0.1:40000"),
    ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.1"),
    ("%DOWNSTREAM_LOCAL_ADDRESS%", "10.0.0.254:8080"),
    ("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "10.0.0.254"),
    ("%DOWNSTREAM_LOCAL_PORT%", "8080"),
    ("%PROTOCOL%", "HTTP/1.1"),
    ("%ROUTE_NAME%", "default/route#0"),
    ("%LISTENER%", "default/gateway/http"),
    ("%UPSTREAM_SERVICE%", "default/service:80"),
    ("%REQ(x-tenant)%", "acme"),
    ("%REQ(x-none?X-Tenant)%", "acme"),
    ("%REQ(:method)% %REQ(:path)% %REQ(:scheme)%://%REQ(:authority)%", "GET /a?b=c http://example.com"),
    ("100%%", "100%"),
    ("a%REQ(x-none)%b", "ab"),
    ("<%REQ(x-tenant)%>", "<acme>"),
  ])
  func operatorsStandForWhatIsKnown(template: String, value: String) throws {
    let bench = try bench(HeaderModifier.self, "request: {set: [{name: x, value: \"\(template)\"}]}")
    let exchange = try bench.request("GET", "/a?b=c", ["x-tenant: acme"])
    #expect(exchange.upstreamRequest?["x"] == value)
  }

  @Test func operatorsOfResponses() throws {
    let bench = try bench(
      HeaderModifier.self,
      """
      response:
        set:
        - {name: x, value: "%RESPONSE_CODE% %RESP(etag)% %REQ(x-tenant)% %UPSTREAM_REQUEST_ATTEMPT_COUNT%"}
      """)
    let exchange = try bench.request("GET", "/", ["x-tenant: acme"])
    try exchange.respond(203, ["etag: \"1\""])
    #expect(exchange.response?["x"] == "203 \"1\" acme 1")
  }

  @Test func aValueThatComesOutEmptyLeavesTheFieldAlone() throws {
    let bench = try bench(HeaderModifier.self, "request: {set: [{name: x, value: \"%REQ(x-none)%\"}]}")
    #expect(try bench.request("GET", "/", ["x: kept"]).upstreamRequest?["x"] == "kept")
    #expect(try bench.request().upstreamRequest?["x"] == nil)
  }

  @Test func theClientsAddressHasNoPortWhenItIsAForwardedOne() throws {
    let bench = try bench(
      HeaderModifier.self, "request: {set: [{name: x, value: \"%DOWNSTREAM_REMOTE_ADDRESS%\"}]}")
    let exchange = try bench.request { $0.client = SocketAddress(IPAddress("2001:db8::1") ?? .any, port: 0) }
    #expect(exchange.upstreamRequest?["x"] == "2001:db8::1")
  }

  @Test func hostCanBeSetToALiteralOnly() throws {
    let bench = try bench(HeaderModifier.self, "request: {set: [{name: Host, value: \"b.example:8080\"}]}")
    #expect(try bench.request().upstreamRequest?.values("host") == ["b.example:8080"])
    #expect(
      findings(HeaderModifier.self, "request: {set: [{name: host, value: \"%REQ(x-host)%\"}]}") == [
        "request.set[0]: \"%REQ(x-host)%\" is no host; write a name or address, perhaps with a port"
      ])
  }

  @Test func plainValuesAreTakenAsTheyStand() throws {
    let changes = try HeaderChanges(set: [.init(name: "X", value: "50% %ROUTE_NAME%")])
    let bench = FilterBench()
    try bench.add(HeaderModifier(request: changes))
    #expect(try bench.request().upstreamRequest?["x"] == "50% %ROUTE_NAME%")
    #expect(throws: InvalidFilterValue.self) { try HeaderChanges.Field(name: "x", value: "a\r\nb: c") }
    #expect(throws: InvalidFilterValue.self) { try HeaderChanges.Field(name: "no name", value: "a") }
  }

  @Test(arguments: [
    ("{}", "changes nothing; give \"request\", \"response\" or both"),
    (
      "request: {remove: [content-length]}",
      "request: \"content-length\" is the proxy's own and cannot be changed"
    ),
    (
      "response: {set: [{name: Transfer-Encoding, value: x}]}",
      "response.set[0]: \"Transfer-Encoding\" is the proxy's own and cannot be changed"
    ),
    (
      "request: {set: [{name: x, value: a}], remove: [X]}",
      "request: \"x\" is changed twice; keep one of set, add and remove for it"
    ),
    (
      "request: {set: [{name: x, value: a}, {name: x, value: b}]}",
      "request: \"x\" is changed twice; keep one of set, add and remove for it"
    ),
    (
      "request: {remove: [host]}",
      "request: a request has exactly one \"host\"; it can be set, but not added to or removed"
    ),
    (
      "request: {set: [{name: x, value: \"50% off\"}]}",
      "request.set[0]: \"50% off\" has a \"%\" that ends nowhere; write \"%%\" for a percent sign"
    ),
    (
      "request: {set: [{name: x, value: \"%RESPONSE_CODE%\"}]}",
      "request.set[0]: \"%RESPONSE_CODE%\" has no value in a request"
    ),
    (
      "request: {set: [{name: x, value: \"%RESP(etag)%\"}]}",
      "request.set[0]: \"%RESP(etag)%\" has no value in a request"
    ),
    ("request: {set: [{name: x, value: \"%REQ(a b)%\"}]}", "request.set[0]: \"%REQ(a b)%\" names no header"),
    (
      "request: {set: [{name: x, value: \"%REQ(a%\"}]}",
      "request.set[0]: \"%REQ(a%\" has no closing parenthesis"
    ),
    ("request: {set: [{name: x}]}", "request.set[0].value: is missing; it must be given"),
    (
      "request: {set: [{name: \"a b\", value: c}]}",
      "request.set[0].name: \"a b\" is not allowed; an HTTP field name has 1 to 256 letters, digits and !#$%&'*+-.^_`|~"
    ),
    (
      "requests: {}",
      "requests: unknown field \"requests\"; did you mean \"request\"?"
    ),
  ])
  func mistakesAreNamed(yaml: String, finding: String) {
    #expect(findings(HeaderModifier.self, yaml).contains(finding), "\(findings(HeaderModifier.self, yaml))")
  }

  @Test func anUnknownOperatorNamesTheKnownOnes() {
    let found = findings(HeaderModifier.self, "request: {set: [{name: x, value: \"%CLIENT%\"}]}")
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("request.set[0]: unknown operator \"%CLIENT%\"; known are ") == true)
    #expect(found.first?.contains("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT") == true)
  }

  @Test func everyMistakeIsReportedInOnePass() {
    let yaml = "request: {set: [{name: te, value: a}]}\nresponse: {add: [{name: \"\", value: b}], more: 1}"
    #expect(findings(HeaderModifier.self, yaml).count == 3)
  }
}
