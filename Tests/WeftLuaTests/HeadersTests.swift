import Testing
import WeftFilter

@Suite struct HeadersTests {
  /// What `body` leaves in x-value, in a request that has the given headers.
  private func value(_ body: String, _ headers: [String] = [], target: String = "/") throws -> String? {
    let bench = try ScriptBench("function on_request(handle)\nlocal h = handle:headers()\n\(body)\nend")
    let exchange = try bench.request("GET", target, headers)
    return bench.errors.first ?? exchange.upstreamRequest?["x-value"]
  }

  private func set(_ expression: String, _ headers: [String] = [], target: String = "/") throws -> String? {
    try value("h:replace('x-value', tostring(\(expression)))", headers, target: target)
  }

  // MARK: Reading

  @Test(arguments: [
    ("h:get('user-agent')", "curl"), ("h:get('User-Agent')", "curl"), ("h:get('USER-AGENT')", "curl"),
    ("h:get('x-one')", "1"), ("h:get('x-many')", "a,b,c"), ("h:get('x-none')", "nil"), ("h:get('')", "nil"),
    ("h:get('x-empty') == ''", "true"), ("h:get(string.rep('x', 300))", "nil"),
    ("h:getAtIndex('x-many', 0)", "a"), ("h:getAtIndex('x-many', 2)", "c"), ("h:getAtIndex('x-many', 3)", "nil"),
    ("h:getAtIndex('x-many', -1)", "nil"), ("h:getAtIndex('x-empty', 0) == ''", "true"),
    ("h:getAtIndex(':path', 0)", "/"),
    ("h:getAtIndex(':path', 1)", "nil"), ("h:getAtIndex('x-many', 1e300)", "nil"),
    ("h:getNumValues('x-many')", "3"), ("h:getNumValues('x-none')", "0"), ("h:getNumValues(':path')", "1"),
    ("h:getNumValues(':status')", "0"),
  ])
  func reading(_ expression: String, _ expected: String) throws {
    let headers = ["user-agent: curl", "X-One: 1", "x-many: a", "X-Many: b", "x-many: c", "x-empty:"]
    #expect(try set(expression, headers) == expected)
  }

  @Test(arguments: [
    (":path", "/a?b=c"), (":method", "GET"), (":authority", "shop.example"), ("host", "shop.example"),
    (":scheme", "http"), (":status", "nil"), (":unknown", "nil"), (":Path", "/a?b=c"),
  ])
  func pseudoHeaders(_ name: String, _ expected: String) throws {
    #expect(try set("h:get('\(name)')", ["host: shop.example"], target: "/a?b=c") == expected)
  }

  @Test func theResponsesStatus() throws {
    let bench = try ScriptBench(
      "function on_response(handle) handle:headers():add('x-value', handle:headers():get(':status')) end")
    let exchange = try bench.request()
    try exchange.respond(418)
    #expect(exchange.response?["x-value"] == "418")
  }

  // MARK: Iterating

  @Test func pairsVisitsPseudoHeadersFirstAndNamesInLowerCase() throws {
    let visited = try value(
      """
      local seen = {}
      for name, value in pairs(h) do seen[#seen + 1] = name .. "=" .. value end
      h:replace("x-value", table.concat(seen, " "))
      """, ["host: a.example", "X-One: 1", "x-two: 2", "X-ONE: 3"], target: "/p")
    #expect(visited == ":authority=a.example :path=/p :method=GET :scheme=http x-one=1 x-two=2 x-one=3")
  }

  @Test func pairsIsAMethodToo() throws {
    #expect(try value("local n = 0 for _ in h:pairs() do n = n + 1 end h:replace('x-value', n)", ["a: b"]) == "5")
  }

  @Test func whatIsAddedDuringAnIterationIsNotVisited() throws {
    let count = try value(
      "local n = 0 for name in pairs(h) do n = n + 1 h:add('x-more', n) end h:replace('x-value', n)", ["a: b"])
    #expect(count == "5")
  }

  @Test func whatIsRemovedDuringAnIterationIsNotVisited() throws {
    let visited = try value(
      """
      local seen = ""
      for name in pairs(h) do
        if name == "a" then h:remove("b") end
        if #name == 1 then seen = seen .. name end
      end
      h:replace("x-value", seen)
      """, ["a: 1", "b: 2", "c: 3"])
    #expect(visited == "ac")
  }

  // MARK: Changing

  @Test func addingReplacingRemoving() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local h = handle:headers()
        h:add("X-Many", "c")
        h:replace("x-one", "new")
        h:replace("x-absent", "made")
        h:remove("X-GONE")
        h:remove("x-never")
        h:add("x-number", 5)
        h:add("x-float", 10 / 2)
        h:add("x-fraction", 0.5)
      end
      """)
    let sent = try bench.request("GET", "/", ["x-many: a", "x-one: old", "X-One: older", "x-gone: 1", "x-gone: 2"])
      .upstreamRequest
    #expect(bench.errors == [])
    #expect(sent?.values("x-many") == ["a", "c"])
    #expect(sent?.values("x-one") == ["new"])
    #expect(sent?["x-absent"] == "made")
    #expect(sent?["x-gone"] == nil)
    #expect(sent?["x-number"] == "5")
    #expect(sent?["x-float"] == "5")
    #expect(sent?["x-fraction"] == "0.5")
  }

  @Test func changingPseudoHeaders() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:headers():replace(":path", "/other?x=1")
        handle:headers():replace(":method", "POST")
        handle:headers():replace(":authority", "other.example:81")
      end
      function on_response(handle) handle:headers():replace(":status", "202") end
      """)
    let exchange = try bench.request("GET", "/", ["host: a.example"])
    #expect(exchange.upstreamRequest?.target == "/other?x=1")
    #expect(exchange.upstreamRequest?.method == "POST")
    #expect(exchange.upstreamRequest?.values("host") == ["other.example:81"])
    try exchange.respond(200)
    #expect(exchange.response?.status == 202)
  }

  @Test func thereIsOneHost() throws {
    let bench = try ScriptBench("function on_request(handle) handle:headers():add('Host', 'b.example') end")
    #expect(try bench.request("GET", "/", ["host: a.example"]).upstreamRequest?.values("host") == ["b.example"])
  }

  /// What would let a script split a message, or end a line, is refused or has no effect.
  @Test(arguments: [
    ("h:add('x', 'a\\r\\nevil: 1')", "the value for 'x' is not allowed in a header"),
    ("h:add('x', 'a\\0b')", "the value for 'x' is not allowed in a header"),
    ("h:replace('x', 'long enough for a word \\n')", "the value for 'x' is not allowed in a header"),
    ("h:replace('x', '\\127')", "the value for 'x' is not allowed in a header"),
    ("h:add('a b', 'c')", "'a b' is no name of a header"), ("h:add('a:', 'c')", "'a:' is no name of a header"),
    ("h:add('', 'c')", "'' is no name of a header"), ("h:add('a\\r\\nb', 'c')", "is no name of a header"),
    ("h:replace(':path', '/a b')", "the value for ':path' is not allowed"),
    ("h:replace(':path', 'x')", "the value for ':path' is not allowed"),
    ("h:replace(':path', '/\\r\\n')", "the value for ':path' is not allowed"),
    ("h:replace(':method', 'GE T')", "the value for ':method' is not allowed"),
    ("h:replace(':method', 'CONNECT')", "the value for ':method' is not allowed"),
    ("h:replace(':authority', 'a/b')", "the value for ':authority' is not allowed"),
    ("h:replace('host', 'a, b')", "the value for 'host' is not allowed"),
    ("h:replace(':authority', '')", "the value for ':authority' is not allowed"),
    ("h:add(':path', '/x')", "':path' cannot be changed here"),
    ("h:remove(':path')", "':path' cannot be changed here"), ("h:remove('host')", "'host' cannot be changed here"),
    ("h:replace(':status', '200')", "':status' cannot be changed here"),
    ("h:replace(':scheme', 'https')", "':scheme' cannot be changed here"),
    ("h:add('x')", "bad argument #2 to 'add' (string expected, got no value)"),
    ("h:add('x', {})", "bad argument #2 to 'add' (string expected, got table)"),
    ("h.add('x', 'y')", "bad argument #1 to 'add' (headers expected, got string)"),
  ])
  func refusals(_ statement: String, _ message: String) throws {
    let error = try #require(try value(statement))
    #expect(error.contains(message), "\(error)")
    #expect(error.hasPrefix("script.lua:3: "), "\(error)")
  }

  @Test(arguments: [
    "content-length", "Content-Length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer",
    "expect", "proxy-connection",
  ])
  func framingIsTheProxysOwn(_ name: String) throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:headers():add("\(name)", "5")
        handle:headers():replace("\(name)", "6")
        handle:headers():remove("content-length")
      end
      """)
    let sent = try bench.request("POST", "/", body: ["abc"]).upstreamRequest
    #expect(bench.errors == [])
    #expect(sent?.values(name).contains("5") == false && sent?.values(name).contains("6") == false)
    #expect(sent?["content-length"] == "3")
  }

  @Test func tooManyHeadersFailTheScript() throws {
    let error = try #require(try value("for i = 1, 1000 do h:add('x-' .. i, 'y') end"))
    #expect(error.contains("too many or too large headers"))
    let large = try #require(try value("for i = 1, 100 do h:add('x', string.rep('y', 10000)) end"))
    #expect(large.contains("too many or too large headers"))
  }

  @Test func theReasonPhrase() throws {
    let bench = try ScriptBench(
      "function on_response(handle) handle:headers():setHttp1ReasonPhrase('Fine') end")
    let exchange = try bench.request()
    try exchange.respond(200)
    let response = exchange.handle.response.headers.text(exchange.handle.response.reason).string
    #expect(response == "Fine")
    let broken = try ScriptBench("function on_response(h) h:headers():setHttp1ReasonPhrase('a\\r\\nb: c') end")
    let other = try broken.request()
    try other.respond(200)
    #expect(broken.errors.first?.contains("is not allowed") == true)
  }

  /// More names than the host remembers, each used again after it was forgotten.
  @Test func anyNumberOfNames() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local h = handle:headers()
        for i = 1, 100 do h:add("X-Name-" .. i, i) end
        for round = 1, 20 do
          for i = 1, 100 do assert(h:get("x-name-" .. i) == tostring(i)) end
          local garbage = string.rep("x", 100000)
        end
        h:replace("x-value", "fine")
      end
      """, options: "limits: {cpu: 10s}")
    #expect(try bench.request().upstreamRequest?["x-value"] == "fine")
    #expect(bench.errors == [])
  }

  @Test func bothHeadsCanBeReadOnTheWayBack() throws {
    let bench = try ScriptBench(
      """
      function on_response(handle)
        handle:headers():add("x-agent", handle:requestHeaders():get("user-agent"))
        handle:headers():add("x-own", handle:responseHeaders():get("x-own"))
        local ok, message = pcall(function() handle:requestHeaders():add("a", "b") end)
        handle:headers():add("x-ok", tostring(ok))
        handle:logInfo(message)
      end
      """)
    let exchange = try bench.request("GET", "/", ["user-agent: curl"])
    try exchange.respond(200, ["x-own: yes"])
    #expect(exchange.response?["x-agent"] == "curl")
    #expect(exchange.response?.values("x-own") == ["yes", "yes"])
    #expect(exchange.response?["x-ok"] == "false")
    #expect(bench.lines.at(.info).first?.contains("these headers are read-only here") == true)
  }
}
