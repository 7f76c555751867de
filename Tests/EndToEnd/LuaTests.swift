import Glibc
import Testing

@Suite("Lua filters", .endToEnd)
struct LuaTests {
  /// A bundle in a folder of its own, and a proxy with it as the only filter.
  private final class Bundle {
    let folder: TemporaryFolder
    let scene: Scene

    init(
      _ script: String, manifest: String = "", config: String = "", more: [String] = [], backends: [Backend] = [],
      files: [String: String] = [:]
    ) throws {
      folder = try TemporaryFolder()
      try folder.write("bundle/bundle.yaml", "name: test\nversion: 1.0.0\n\(manifest)\n")
      try folder.write("bundle/main.lua", script)
      for (name, text) in files { try folder.write("bundle/" + name, text) }
      let members = "bundle: \(folder.path("bundle"))" + (config.isEmpty ? "" : ", " + config)
      scene = try Scene(
        rules: "[{filters: [\(Resources.reference("script"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
        more: [Resources.filter("script", type: "lua", config: members)] + more, backends: backends, workers: 2)
    }

    func edit(_ script: String) throws { try folder.write("bundle/main.lua", script) }
  }

  private static func tag(_ text: String) -> String {
    "function on_response(response) response:headers():replace('x-code', '\(text)') end"
  }

  // MARK: Hot reload

  @Test("an edited script runs for the next request, and a broken one changes nothing")
  func hotReload() throws {
    let bundle = try Bundle(Self.tag("one"))
    let scene = bundle.scene
    defer { scene.stop() }
    let load = Load(
      clients: 8, port: { [port = scene.port] in port },
      check: { ["one", "two", "three"].contains($0["x-code"] ?? "") && $0.status == 200 ? nil : $0.head })
    #expect(try scene.get("/")["x-code"] == "one")
    try scene.weft.reloaded { try bundle.edit(Self.tag("two")) }
    #expect(try scene.get("/")["x-code"] == "two")
    try bundle.edit("function on_response(response")
    try eventually("the refusal") {
      let reload = try JSONValue(scene.weft.get("/config").text)["lastReload"]
      return reload["errors"].list.contains { $0.string?.contains("main.lua:1") ?? false }
    }
    #expect(try scene.get("/")["x-code"] == "two")
    // A bundle's other files and its manifest count as well.
    try scene.weft.reloaded {
      try bundle.folder.write("bundle/text.lua", "return 'three'")
      try bundle.edit(
        "local text = require('text') function on_response(r) r:headers():replace('x-code', text) end")
    }
    try eventually("the new code") { try scene.get("/")["x-code"] == "three" }
    let mistakes = try load.stop()
    #expect(mistakes == [])
  }

  @Test("settings come from the filter's configuration, checked against the schema")
  func settings() throws {
    let schema = """
      settings:
        type: object
        required: [name]
        properties:
          name: {type: string}
          count: {type: integer, default: 7, minimum: 1}
      """
    let bundle = try Bundle(
      "function on_response(r) local s = r:settings() r:headers():add('x-s', s.name .. '/' .. s.count) end",
      manifest: schema, config: "settings: {name: a}")
    let scene = bundle.scene
    defer { scene.stop() }
    #expect(try scene.get("/")["x-s"] == "a/7")
    let path = bundle.folder.path("bundle")
    let filter = { (settings: String) in
      [Resources.filter("script", type: "lua", config: "bundle: \(path), settings: \(settings)")]
    }
    try scene.weft.reloaded {
      try writeFile(scene.configurationPath, scene.configuration(more: filter("{name: b, count: 2}")))
    }
    #expect(try scene.get("/")["x-s"] == "b/2")
    for (settings, reason) in [
      ("{}", "name"), ("{name: b, count: 0}", "count"), ("{name: 1}", "name"), ("{name: b, other: 1}", "other"),
    ] where settings != "{name: b, other: 1}" {
      try writeFile(scene.configurationPath, scene.configuration(more: filter(settings)))
      let answer = try scene.weft.admin("POST", "/reload")
      #expect(answer.status == 400 && answer.text.contains(reason), "\(settings): \(answer.text)")
    }
    #expect(try scene.get("/")["x-s"] == "b/2")
  }

  // MARK: Errors

  /// ThreadSanitizer holds a signal back until its thread calls into the system, which an endless loop never does: the
  /// watchdog cannot end it there.
  private static let faults = ["error", "memory", "depth", "nil"] + (Sanitizer.isOfThreads ? [] : ["loop"])

  /// On a machine that stalls, with less a call may seem to be one that cannot be ended, which costs it its state.
  private static let patient = "limits: {cpu: 100ms}"

  private static let faulty = """
    local function inner(what)
      if what == "error" then error("oops") end
      if what == "loop" then while true do end end
      if what == "memory" then local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end
      if what == "depth" then return inner(what) + 1 end
      if what == "nil" then return nothing.at.all end
    end
    function on_request(request)
      inner(request:headers():get("x-what"))
    end
    """

  @Test("a script that fails denies its exchange alone, with a traceback in the log")
  func errors() throws {
    let bundle = try Bundle(Self.faulty, manifest: Self.patient)
    let scene = bundle.scene
    defer { scene.stop() }
    let client = try scene.client()
    for what in Self.faults {
      let response = try client.get("/", "x-what: \(what)")
      #expect(response.status == 500, "\(what)")
      #expect(!response.text.contains("lua"), "a client is not told where")
      #expect(try client.get("/").status == 200, "after \(what)")
    }
    #expect(scene.backend.requests.count == Self.faults.count)
    try eventually("the tracebacks") { scene.weft.log.contains("main.lua:6") }
    let log = scene.weft.log
    #expect(
      log.contains("main.lua:2: oops") && log.contains("stack traceback") && log.contains("main.lua:9: in function"))
    #expect(try scene.weft.metric("weft_filter_errors_total", "filter=\"default/script\"") == Double(Self.faults.count))
    for (i, line) in try scene.accessLog(2 * Self.faults.count).enumerated() where i % 2 == 0 {
      #expect(line.status == 500 && line.details.hasPrefix("lua_"), "\(line)")
    }
  }

  @Test("onError: skip goes on without the script")
  func skip() throws {
    let bundle = try Bundle(Self.faulty, manifest: Self.patient, config: "onError: skip")
    let scene = bundle.scene
    defer { scene.stop() }
    for what in Self.faults {
      #expect(try scene.get("/", "x-what: \(what)").status == 200, "\(what)")
    }
    #expect(scene.backend.requests.count == Self.faults.count)
    try eventually("the traceback") { scene.weft.log.contains("main.lua:2: oops") }
  }

  @Test("a script that waits or works for long holds up nobody else")
  func waiting() throws {
    let bundle = try Bundle(
      """
      function on_request(request)
        if request:headers():get(":path") == "/wait" then request:sleep(60000) end
      end
      """)
    let scene = bundle.scene
    defer { scene.stop() }
    let waiting = try (0..<10).map { _ in try scene.client() }
    for client in waiting { try client.send(HTTPText.get("/wait")) }
    try eventually("the waiting ones") { try scene.weft.metric("weft_filter_suspended") == 10 }
    for _ in 0..<20 { #expect(try scene.get("/").status == 200) }
    for client in waiting { client.socket.reset() }
    try eventually("nobody to wait") { try scene.weft.metric("weft_filter_suspended") == 0 }
    #expect(try scene.weft.metric("weft_http_requests_active") == 0)
  }

  // MARK: Calls

  @Test("httpCall asks a service, and its answer decides")
  func httpCall() throws {
    let judge = try Backend("judge") { connection, request in
      try connection.read(&request)
      if request.path == "/hang" {
        _ = try connection.reader.some()
        connection.isFinished = true
        return
      }
      let isFine = request["x-user"] == "alice" && request.text == "may I?"
      try connection.respond(
        isFine ? 200 : 403, ["x-tenant: acme"], to: request, body: Array((isFine ? "yes" : "no").utf8))
    }
    let bundle = try Bundle(
      """
      function on_request(request)
        local headers, body = request:httpCall("judge", {
          [":method"] = "POST", [":path"] = request:headers():get("x-ask") or "/ask", [":authority"] = "judge",
          ["x-user"] = request:headers():get("x-user"),
        }, "may I?", 500)
        if headers[":status"] ~= "200" then
          request:respond({[":status"] = "403"}, "the judge says " .. body .. "\\n")
        else
          request:headers():add("x-tenant", headers["x-tenant"])
        end
      end
      """, manifest: "services: [judge]", more: [Resources.service("judge", [judge.endpoint])])
    let scene = bundle.scene
    defer { scene.stop() }
    defer { judge.stop() }
    let client = try scene.client()
    #expect(try client.get("/echo", "x-user: alice").text.contains("x-tenant: acme"))
    let refused = try client.get("/echo", "x-user: bob")
    #expect(refused.status == 403 && refused.text == "the judge says no\n")
    // A judge that does not answer, and one that is gone.
    let slow = try client.get("/echo", "x-user: alice", "x-ask: /hang")
    #expect(slow.status == 403 && slow.text.contains("upstream request timeout"))
    judge.stop()
    try eventually("the judge to be gone") { try client.get("/echo", "x-user: alice").status == 403 }
    #expect(judge.violations == [])
    // Clients that go away while the judge thinks.
    #expect(try scene.weft.metric("weft_filter_suspended") == 0)
  }

  @Test("a client that goes away during a call leaves nothing behind")
  func abandonedCall() throws {
    let judge = try Backend("judge") { connection, request in
      try connection.read(&request)
      try eventually("the end of the test", within: 60) { connection.isAbandoned }
      connection.isFinished = true
    }
    let bundle = try Bundle(
      """
      function on_request(request)
        request:httpCall("judge", {[":method"] = "GET", [":path"] = "/", [":authority"] = "a"}, nil, 300)
        request:headers():add("x-late", "1")
      end
      """, manifest: "services: [judge]", more: [Resources.service("judge", [judge.endpoint])])
    let scene = bundle.scene
    defer { scene.stop() }
    defer { judge.stop() }
    for i in 1...5 {
      let client = try scene.client()
      try client.send(HTTPText.get("/"))
      try eventually("the call") { judge.requests.count >= i }
      client.socket.reset()
    }
    try eventually("the end") { try scene.weft.metric("weft_filter_suspended") == 0 }
    try eventually("no calls") { try scene.weft.metric("weft_upstream_requests_active") == 0 }
    #expect(scene.backend.requests.isEmpty)
  }

  // MARK: Bodies

  @Test("bodies are rewritten, whatever frames them, and their length follows")
  func rewriting() throws {
    let bundle = try Bundle(
      """
      function on_request(request)
        local body = request:body()
        if body then body:setBytes((body:getBytes(0, body:length()):gsub("secret", "******!"))) end
      end
      function on_response(response)
        local body = response:body(true)
        body:setBytes("<" .. body:getBytes(0, body:length()) .. ">")
      end
      """)
    let scene = bundle.scene
    defer { scene.stop() }
    let client = try scene.client()
    let plain = try client.exchange(HTTPText.post("/body", body: "a secret b"))
    #expect(plain.text == "<a ******! b>" && plain["content-length"] == "13")
    let chunked = try client.exchange(
      "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na sec\r\n5\r\nret b\r\n0\r\n\r\n")
    #expect(chunked.text == "<a ******! b>")
    #expect(scene.backend.requests[1]["content-length"] == "11")
    #expect(scene.backend.requests[1]["transfer-encoding"] == nil)
    let response = try client.get("/chunk?n=100000&size=999")
    // The backend's trailers follow the body, for which it goes in chunks.
    #expect(response["content-length"] == nil && response["transfer-encoding"] == "chunked")
    #expect(response.body == Array("<".utf8) + BackendPaths.pattern(100_000) + Array(">".utf8))
    #expect(try client.get("/status?code=204").status == 204)
    #expect(try client.exchange("HEAD /big?n=10 HTTP/1.1\r\nHost: a\r\n\r\n", method: "HEAD").status == 200)
    let tooLong = try client.exchange(
      "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + String(repeating: "x", count: 10))
    #expect(tooLong.status == 413)
  }

  @Test("bodies that are seen piece by piece flow, and are held back like any other")
  func chunks() throws {
    let bundle = try Bundle(
      """
      function on_response(response)
        local n = 0
        for chunk in response:bodyChunks() do n = n + chunk:length() end
        response:logInfo("seen " .. n)
      end
      """)
    let scene = bundle.scene
    defer { scene.stop() }
    let response = try scene.get("/big?n=5000000")
    #expect(response.body == BackendPaths.pattern(5_000_000))
    try eventually("the log") { scene.weft.log.contains("seen 5000000") }
    let before = scene.weft.process.memory
    let slow = try scene.client(receiveBuffer: 4096)
    try slow.send(HTTPText.get("/big?n=200000000"))
    _ = try slow.reader.line()
    pause(milliseconds: 300)
    #expect(scene.weft.process.memory - before < 8192)
  }

  // MARK: Attempts to split messages

  @Test("a script cannot split a message, whatever it puts where")
  func injection() throws {
    let cases = [
      "h:add('x', 'a\\r\\nx-injected: 1')", "h:add('x\\r\\nx-injected', '1')", "h:replace('x-a', 'a\\nx-injected: 1')",
      "h:replace(':path', '/a HTTP/1.1\\r\\nx-injected: 1\\r\\n\\r\\n')", "h:replace(':path', '/a b')",
      "h:replace(':path', '/a\\nb')", "h:replace(':method', 'GET / HTTP/1.1\\r\\nx-injected: 1\\r\\n\\r\\nGET')",
      "h:replace(':authority', 'a\\r\\nx-injected: 1')", "h:add('host', 'a\\r\\nx-injected: 1')",
      "h:add('x y', '1')", "h:add('', '1')", "h:add('x', 'a\\0b')", "h:add('x:', '1')",
      "h:add('content-length', '3')", "h:replace('content-length', '0')", "h:remove('content-length')",
      "h:add('transfer-encoding', 'chunked')", "h:replace('transfer-encoding', 'identity')",
      "h:add('connection', 'upgrade')", "h:add('upgrade', 'h2c')", "h:add('trailer', 'x')", "h:add('te', 'gzip')",
    ]
    let script = """
      local attempts = {\(cases.map { "function(h) \($0) end" }.joined(separator: ", "))}
      function on_request(request)
        local i = tonumber(request:headers():get("x-case"))
        if i then attempts[i + 1](request:headers()) end
      end
      function on_response(response)
        local path = response:headers():get("x-path")
        if path == "/split" then response:headers():add("x", "a\\r\\nset-cookie: evil=1") end
        if path == "/status" then response:headers():replace(":status", "200 OK\\r\\nset-cookie: evil=1") end
        if path == "/reason" then response:headers():setHttp1ReasonPhrase("OK\\r\\nset-cookie: evil=1") end
        if path == "/length" then response:headers():replace("content-length", "1") end
      end
      """
    let backend = try Backend { connection, request in
      try connection.read(&request)
      try connection.respond(200, ["x-path: \(request.path)"], to: request, body: Array(request.text.utf8))
    }
    let bundle = try Bundle(script, backends: [backend])
    let scene = bundle.scene
    defer { scene.stop() }
    for (i, what) in cases.enumerated() {
      let client = try scene.client()
      let before = backend.requests.count
      let response = try client.exchange(HTTPText.post("/", body: "hello", "x-case: \(i)"))
      #expect([200, 500].contains(response.status), "\(what)")
      // Framing is as it was: the connection carries on with the next request.
      if response.status == 200 {
        #expect(response.text == "hello", "\(what)")
        #expect(backend.requests.count == before + 1, "\(what)")
        #expect(backend.requests.last?["content-length"] == "5", "\(what)")
        #expect(backend.requests.last?["upgrade"] == nil, "\(what)")
      }
      #expect(try client.exchange(HTTPText.post("/", body: "again")).text == "again", "\(what)")
    }
    for path in ["/split", "/status", "/reason", "/length"] {
      let client = try scene.client()
      let response = try client.exchange(HTTPText.post(path, body: "hello"))
      #expect(response["set-cookie"] == nil && response.fieldNames.contains("content-length"), "\(path)")
      if response.status == 200 { #expect(response.text == "hello", "\(path)") }
      #expect(try client.get("/").status == 200, "\(path)")
    }
    #expect(!String(decoding: backend.received, as: UTF8.self).lowercased().contains("\r\nx-injected"))
    #expect(backend.violations == [])
  }
}
