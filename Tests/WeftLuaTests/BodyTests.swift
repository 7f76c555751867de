import Testing
import WeftFilter

@Suite struct BodyTests {
  // MARK: The whole body

  @Test func readingTheWholeBody() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local body = handle:body()
        handle:headers():add("x-length", body:length())
        handle:headers():add("x-text", body:getBytes(0, body:length()))
        handle:headers():add("x-part", body:getBytes(2, 3))
      end
      function on_response(handle)
        local body = handle:body()
        handle:headers():add("x-text", body:getBytes(0, body:length()))
      end
      """)
    let exchange = try bench.request("POST", "/", body: ["abc", "def"])
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest?["x-length"] == "6")
    #expect(exchange.upstreamRequest?["x-text"] == "abcdef")
    #expect(exchange.upstreamRequest?["x-part"] == "cde")
    #expect(exchange.upstreamRequest?.text == "abcdef")
    try exchange.respond(200, body: ["one", "two"], chunked: true)
    #expect(exchange.response?["x-text"] == "onetwo")
    #expect(exchange.response?.text == "onetwo")
  }

  @Test func replacingTheWholeBody() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        handle:headers():add("x-set", handle:body():setBytes("longer than it was"))
      end
      function on_response(handle)
        local body = handle:body()
        body:setBytes(body:getBytes(0, body:length()):upper())
      end
      """)
    let exchange = try bench.request("POST", "/", body: ["abc"])
    #expect(exchange.upstreamRequest?.text == "longer than it was")
    #expect(exchange.upstreamRequest?["x-set"] == "18")
    #expect(exchange.upstreamRequest?["content-length"] == "18")
    try exchange.respond(200, body: ["quiet"])
    #expect(exchange.response?.text == "QUIET")
    #expect(bench.errors == [])
  }

  @Test func withoutABodyThereIsNone() throws {
    let script = """
      function on_request(handle)
        handle:headers():add("x-none", tostring(handle:body() == nil))
        handle:headers():add("x-wrapped", handle:body(true):length())
        for _ in handle:bodyChunks() do end
      end
      """
    let bench = try ScriptBench(script)
    let exchange = try bench.request()
    #expect(exchange.upstreamRequest?["x-none"] == "true")
    #expect(exchange.upstreamRequest?["x-wrapped"] == "0")
    #expect(bench.errors == [])
  }

  @Test func aBodyWhereThereWasNone() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle) handle:body(true):setBytes("made up") end
      function on_response(handle) handle:body(true):setBytes("as well") end
      """)
    let exchange = try bench.request()
    #expect(exchange.upstreamRequest?.text == "made up")
    #expect(exchange.upstreamRequest?["content-length"] == "7")
    try exchange.respond(200)
    #expect(exchange.response?.text == "as well")
    let head = try bench.request("HEAD")
    try head.respond(200)
    #expect(head.response?.text == "")
  }

  /// A fraction is left out, as LuaJIT leaves it out.
  @Test func bytesAtAFraction() throws {
    let bench = try ScriptBench("function on_request(h) h:headers():add('x', h:body():getBytes(1.9, 2.5)) end")
    #expect(try bench.request("POST", "/", body: ["abcdef"]).upstreamRequest?["x"] == "bc")
  }

  @Test(arguments: ["'yes'", "nil", "1"]) func theArgumentOfBodyIsABoolean(_ argument: String) throws {
    let bench = try ScriptBench("function on_request(handle) handle:body(\(argument)) end")
    _ = try bench.request("POST", "/", body: ["abc"])
    #expect(bench.errors.first?.contains("bad argument #1 to 'body' (boolean expected") == true, "\(bench.errors)")
  }

  @Test func theBodyComesOnceAndStays() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local first = handle:body()
        local second = handle:body()
        handle:headers():add("x-same", tostring(first == second))
        first:setBytes("new")
        handle:headers():add("x-text", handle:body():getBytes(0, 3))
      end
      """)
    let sent = try bench.request("POST", "/", body: ["abc"]).upstreamRequest
    #expect(sent?["x-same"] == "true")
    #expect(sent?["x-text"] == "new")
  }

  @Test func theBodyOfALocalResponse() throws {
    let bench = try ScriptBench()
    try bench.add(
      """
      function on_response(handle)
        local body = handle:body()
        body:setBytes("<" .. body:getBytes(0, body:length()) .. ">")
      end
      """)
    try bench.add("function on_request(handle) handle:respond({[':status'] = 403}, 'no') end", name: "deny")
    #expect(try bench.request().response?.text == "<no>")
    #expect(bench.errors == [])
  }

  @Test func aBodyBeyondTheLimitIsRefused() throws {
    let bench = try ScriptBench(
      "function on_request(handle) handle:body() end\nfunction on_response(handle) handle:body() end",
      options: "limits: {body: 5}")
    #expect(try bench.request("POST", "/", body: ["abc", "def"]).response?.status == 413)
    let exchange = try bench.request("POST", "/", body: ["abc"])
    try exchange.respond(200, body: ["abc", "def"], chunked: true)
    #expect(exchange.response?.status == 500)
  }

  @Test(arguments: ["-1, 1", "0, 7", "6, 1", "7, 0", "0, -1", "9223372036854775807, 9223372036854775807"])
  func bytesOutsideTheBuffer(_ range: String) throws {
    let bench = try ScriptBench("function on_request(handle) handle:body():getBytes(\(range)) end")
    _ = try bench.request("POST", "/", body: ["abcdef"])
    #expect(
      bench.errors.first?.contains("index/length must be >= 0 and (index + length) must be <= buffer size") == true)
  }

  @Test func theEdgesOfTheBuffer() throws {
    let bench = try ScriptBench(
      "function on_request(h) local b = h:body() h:headers():add('x', '[' .. b:getBytes(6, 0) .. b:getBytes(5, 1)) end")
    #expect(try bench.request("POST", "/", body: ["abcdef"]).upstreamRequest?["x"] == "[f")
  }

  // MARK: In pieces

  @Test func readingPieces() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        local seen = {}
        for chunk in handle:bodyChunks() do
          seen[#seen + 1] = chunk:getBytes(0, chunk:length())
        end
        handle:logInfo(table.concat(seen, "|"))
      end
      """)
    let exchange = try bench.request("POST", "/", body: ["ab", "", "cd"])
    #expect(bench.errors == [])
    #expect(bench.lines.at(.info) == ["ab||cd"])
    #expect(exchange.upstreamRequest?.text == "abcd")
  }

  @Test func rewritingPieces() throws {
    let bench = try ScriptBench(
      """
      function on_response(handle)
        handle:headers():replace("content-type", "text/html")
        local last
        for chunk in handle:bodyChunks() do
          chunk:setBytes("")
          last = chunk
        end
        last:setBytes("<b>Not Found</b>")
      end
      """)
    let exchange = try bench.request()
    try exchange.respond(404, body: ["a", "b", "c"], chunked: true)
    #expect(bench.errors == [])
    #expect(exchange.response?.text == "<b>Not Found</b>")
    #expect(exchange.response?["content-type"] == "text/html")
  }

  @Test func piecesOfAnEmptyBody() throws {
    let bench = try ScriptBench(
      "function on_request(h) local n = 0 for _ in h:bodyChunks() do n = n + 1 end h:headers():add('x', n) end")
    #expect(try bench.request().upstreamRequest?["x"] == "0")
  }

  /// The head has gone by then: headers and respond() come too late.
  @Test(arguments: [
    ("handle:headers():add('x', 'y')", "header map can no longer be modified"),
    ("handle:respond({[':status'] = '403'}, 'no')", "respond() cannot be called if headers have been continued"),
    ("handle:body()", "cannot call body() after body streaming has started"),
    ("handle:bodyChunks()", "cannot call bodyChunks after body processing has begun"),
  ])
  func whatComesTooLateWhileStreaming(_ statement: String, _ message: String) throws {
    let bench = try ScriptBench(
      "function on_request(handle)\nfor chunk in handle:bodyChunks() do\n\(statement)\nend end",
      options: "onError: skip")
    let exchange = try bench.request("POST", "/", body: ["a", "b"])
    #expect(bench.errors.count == 1)
    #expect(bench.errors.first?.contains(message) == true, "\(bench.errors)")
    #expect(exchange.upstreamRequest?.text == "ab")
  }

  @Test func afterStreamingTheWholeBodyIsGone() throws {
    let bench = try ScriptBench(
      "function on_request(handle)\nfor _ in handle:bodyChunks() do end\nhandle:body()\nend", options: "onError: skip")
    _ = try bench.request("POST", "/", body: ["a"])
    #expect(bench.errors.first?.contains("cannot call body() after body has been streamed") == true)
  }

  @Test func aScriptMayStopReading() throws {
    let bench = try ScriptBench(
      """
      function on_response(handle)
        for chunk in handle:bodyChunks() do
          chunk:setBytes("[" .. chunk:getBytes(0, chunk:length()) .. "]")
          break
        end
      end
      """)
    let exchange = try bench.request()
    try exchange.respond(200, body: ["a", "b"], chunked: true)
    #expect(exchange.response?.text == "[a]b")
    #expect(bench.errors == [])
  }

  @Test func aPieceIsGoneWithItsCall() throws {
    let bench = try ScriptBench(
      """
      local kept
      function on_request(handle)
        for chunk in handle:bodyChunks() do kept = chunk end
      end
      function on_response(handle) kept:length() end
      """, options: "onError: skip")
    let exchange = try bench.request("POST", "/", body: ["a"])
    try exchange.respond(200)
    #expect(bench.errors.first?.contains("object used outside of proper scope") == true)
  }

  @Test func waitingWhileAPieceIsHeld() throws {
    let bench = try ScriptBench(
      """
      function on_request(handle)
        for chunk in handle:bodyChunks() do
          weft.sleep(10)
          chunk:setBytes(chunk:getBytes(0, chunk:length()):upper())
        end
      end
      """)
    let exchange = try bench.request("POST", "/", body: ["ab", "cd"])
    #expect(exchange.upstreamRequest?.text == "")
    bench.bench.advance(milliseconds: 10)
    #expect(exchange.upstreamRequest?.text == "AB")
    bench.bench.advance(milliseconds: 10)
    #expect(exchange.upstreamRequest?.text == "ABCD")
    #expect(bench.errors == [])
  }

  // MARK: Trailers

  @Test func trailersAfterTheBody() throws {
    let bench = try ScriptBench(
      """
      local function look(handle)
        for _ in handle:bodyChunks() do end
        local trailers = handle:trailers()
        handle:logInfo(trailers:get("X-Sum"))
        trailers:add("x-more", "1")
        trailers:remove("x-gone")
      end
      function on_request(handle) look(handle) end
      function on_response(handle) look(handle) end
      """)
    let trailers = ["x-sum: 5", "x-gone: 1"]
    let exchange = try bench.request("POST", "/", body: ["ab"], chunked: true, trailers: trailers)
    #expect(bench.errors == [])
    #expect(exchange.upstreamRequest?.trailers.map(\.description) == ["x-sum: 5", "x-more: 1"])
    try exchange.respond(200, body: ["ab"], chunked: true, trailers: trailers)
    #expect(exchange.response?.trailers.map(\.description) == ["x-sum: 5", "x-more: 1"])
    #expect(bench.lines.at(.info) == ["5", "5"])
  }

  @Test func trailersWithoutReadingTheBody() throws {
    let bench = try ScriptBench(
      "function on_request(handle) handle:logInfo(tostring(handle:trailers():get('x-sum'))) end")
    let exchange = try bench.request("POST", "/", body: ["ab", "cd"], chunked: true, trailers: ["x-sum: 5"])
    #expect(exchange.upstreamRequest?.text == "abcd")
    #expect(bench.lines.at(.info) == ["5"])
  }

  @Test func withoutTrailersThereAreNone() throws {
    let bench = try ScriptBench(
      "function on_request(handle) handle:logInfo(tostring(handle:trailers())) end")
    _ = try bench.request()
    _ = try bench.request("POST", "/", body: ["ab", "cd"], chunked: true)
    _ = try bench.request("POST", "/", body: ["ab"])
    #expect(bench.lines.at(.info) == ["nil", "nil", "nil"])
    #expect(bench.errors == [])
  }

  @Test func trailersAfterTheWholeBody() throws {
    let bench = try ScriptBench(
      "function on_request(handle) handle:body() handle:logInfo(tostring(handle:trailers():get('x-sum'))) end")
    _ = try bench.request("POST", "/", body: ["ab"], chunked: true, trailers: ["x-sum: 5"])
    #expect(bench.lines.at(.info) == ["5"])
  }
}
