import CLuaHost
import Testing
import WeftFilter

@testable import WeftLua

/// What the host's own calls leave for the collector, counted in blocks of memory that a state takes.
@Suite struct GarbageTests {
  /// Blocks for one exchange, once everything that is made only once has been made.
  private func blocks(_ script: String) throws -> Double {
    let bench = try ScriptBench()
    let filter = try bench.add(script)
    func run() throws {
      let exchange = try bench.request("GET", "/path?x=1", ["user-agent: curl/8.0", "x-many: a", "x-many: b"])
      try exchange.respond(200, ["x-upstream: yes"])
      exchange.end()
    }
    for _ in 0..<20 { try run() }
    let before = wl_blocks(filter.state.host)
    for _ in 0..<200 { try run() }
    #expect(bench.errors == [])
    return Double(wl_blocks(filter.state.host) - before) / 200
  }

  @Test func changesMakeNone() throws {
    let count = try blocks(
      """
      function on_request(handle)
        local headers = handle:headers()
        headers:replace("x-one", "1")
        headers:add("X-Two", "2")
        headers:remove("x-many")
        headers:replace(":path", "/other")
        if headers:getNumValues("x-one") ~= 1 then error("one") end
        handle:clearRouteCache()
        handle:streamInfo()
        handle:metadata()
        handle:connection():ssl()
        handle:filterContext()
        handle:timestamp()
      end
      function on_response(handle)
        handle:headers():replace("x-own", "yes")
        handle:headers():replace(":status", "201")
        handle:headers():remove("x-upstream")
      end
      function on_log(handle) handle:requestHeaders() handle:responseHeaders() end
      """)
    #expect(count == 0)
  }

  /// A string for each that is read; fewer, where the state still has an equal one.
  @Test(arguments: [
    ("headers:get('user-agent')", 1), ("headers:get('x-none')", 0), ("headers:getAtIndex('x-many', 1)", 1),
    ("headers:get(':path')", 1), ("headers:get(':method')", 1), ("headers:get(':authority')", 1),
    ("handle:streamInfo():protocol()", 1), ("handle:streamInfo():routeName()", 1),
    ("handle:settings()", 0), ("handle:filterContext():get('x')", 0),
  ])
  func readsMakeTheirStrings(_ expression: String, _ most: Int) throws {
    let count = try blocks(
      "function on_request(handle) local headers = handle:headers() local value = \(expression) end")
    #expect(count <= Double(most), "\(count) blocks")
  }

  /// The script of the benchmarks: two strings read, one made of them.
  @Test func theBenchmarksScript() throws {
    let count = try blocks(
      """
      function envoy_on_request(request)
        local headers = request:headers()
        local agent = headers:get("user-agent") or "none"
        headers:replace("x-lua", agent .. "-seen")
        if headers:get(":path") == "/blocked" then request:respond({[":status"] = "403"}, "no") end
      end
      function envoy_on_response(response) response:headers():replace("x-lua-resp", "yes") end
      """)
    #expect(count <= 3, "\(count) blocks")
  }
}
