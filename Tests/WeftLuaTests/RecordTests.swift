import Testing

@testable import WeftLua

@Suite struct RecordTests {
  @Test func whatThereIs() throws {
    let bench = try ScriptBench(
      """
      function on_response(handle) end
      function on_log(exchange)
        local r = exchange:record()
        print(r.status, r.method, r.path, r.authority, r.duration, r.route, r.service, r.client, #r.flags, r.scheme, r.protocol)
        print(exchange:requestHeaders():get("x-a"), exchange:responseHeaders():get("x-b"), exchange:responseHeaders():get(":status"))
        print(pcall(function() exchange:responseHeaders():add("x", "y") end))
      end
      """)
    let exchange = try bench.request("GET", "/a?b", ["x-a: 1"])
    bench.bench.advance(milliseconds: 250)
    try exchange.respond(404, ["x-b: 2"])
    exchange.end()
    let lines = bench.lines.at(.info)
    #expect(bench.errors == [])
    #expect(lines.first?.hasPrefix("404\tGET\t/a?b\texample.com\t0.25\tdefault/route#0\t") == true, "\(lines)")
    #expect(lines.first?.contains("10.0.0.1:40000\t0\thttp\tHTTP/1.1") == true, "\(lines)")
    #expect(lines.dropFirst().first == "1\t2\t404")
    #expect(lines.last?.hasPrefix("false") == true)
  }

  @Test func onlyInOnLog() throws {
    let bench = try ScriptBench("function on_request(handle) handle:record() end")
    _ = try bench.request()
    #expect(bench.errors.first?.contains("record() is for on_log") == true)
  }
}
