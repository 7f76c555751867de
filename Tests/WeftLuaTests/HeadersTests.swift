import Testing
import WeftFilter

@testable import WeftLua

@Suite struct HeadersTests {
  @Test func aScriptReadsAndWritesHeaders() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local headers = handle:headers()
        headers:add("x-seen", (headers:get("User-Agent") or "none") .. "-seen")
        if headers:get(":path") == "/blocked" then handle:respond({[":status"] = "403"}, "no") end
      end
      function on_response(handle) handle:headers():add("x-response", "yes") end
      """)
    let passed = try bench.request("GET", "/", ["user-agent: curl"])
    #expect(passed.upstreamRequest?["x-seen"] == "curl-seen")
    try passed.respond(200, body: ["hi"])
    #expect(passed.response?["x-response"] == "yes")

    let blocked = try bench.request("GET", "/blocked")
    #expect(blocked.upstreamRequest == nil)
    #expect(blocked.response?.status == 403)
    #expect(blocked.response?.text == "no")
    #expect(bench.errors == [])
  }
}
