import Testing

/// What scripts do beyond their exchange: requests to services, shared dictionaries, metrics, background work.
@Suite("Lua services", .endToEnd)
struct LuaServicesTests {
  private static func scene(
    _ folder: TemporaryFolder, _ script: String, manifest: String, more: [String]
  ) throws -> Scene {
    try folder.write("bundle/bundle.yaml", "name: test\nversion: 1.0.0\n\(manifest)\n")
    try folder.write("bundle/main.lua", script)
    return try Scene(
      rules: "[{filters: [\(Resources.reference("script"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
      more: [Resources.filter("script", type: "lua", config: "bundle: \(folder.path("bundle"))")] + more, workers: 2)
  }

  @Test("several services are asked side by side, and each failure is told apart")
  func requests() throws {
    let users = try Backend("users") { connection, request in
      try connection.read(&request)
      if request.path == "/hang" {
        _ = try connection.reader.some()
        connection.isFinished = true
        return
      }
      try connection.respond(200, ["x-many: 1", "x-many: 2"], to: request, body: Array("user \(request.text)".utf8))
    }
    let folder = try TemporaryFolder()
    let scene = try Self.scene(
      folder,
      """
      local http = weft.http
      function on_request(request)
        local path = request:headers():get(":path")
        local answers, errors = weft.all{
          function() return http.post{service = "users", path = "/a", body = "one"} end,
          function() return http.get{service = "gone"} end,
          function() local a = http.get{service = "users", path = "/b"} return a and a.all_headers["x-many"][2] end,
          function() if path == "/hang" then return http.get{service = "users", path = "/hang", timeout_ms = 100} end end,
          function() weft.sleep(10) return select(3, http.get{service = "others"}) end,
        }
        request:respond({[":status"] = "200"}, table.concat({answers[1].body, tostring(errors[2] ~= nil), answers[3],
          tostring(errors[4]), answers[5]}, "|"))
      end
      """, manifest: "services: [users, gone]",
      more: [
        Resources.service("users", [users.endpoint]), Resources.service("gone", endpoints: ["127.0.0.1:1"]),
      ])
    defer { scene.stop() }
    defer { users.stop() }
    let client = try scene.client()
    for _ in 0..<5 { #expect(try client.get("/").text == "user one|true|2|nil|not_allowed") }
    let hung = try client.get("/hang")
    #expect(hung.text.hasPrefix("user one|true|2|") && hung.text.contains("timeout|not_allowed"), "\(hung.text)")
    #expect(try scene.weft.metric("weft_filter_suspended") == 0)
    #expect(users.violations == [])
  }

  @Test("workers count together, also across a reload")
  func shared() throws {
    let folder = try TemporaryFolder()
    let script = { (version: Int) in
      """
      local counts = weft.shared("counts")
      local seen = weft.metrics.counter("seen_total", {"version"})
      function on_request(request)
        seen:inc("\(version)")
        request:respond({[":status"] = "200", ["x-version"] = "\(version)"}, tostring(counts:incr("n", 1, 0)))
      end
      """
    }
    let scene = try Self.scene(folder, script(1), manifest: "shared: {counts: 64KiB}", more: [])
    defer { scene.stop() }
    var numbers: Set<String> = []
    for _ in 0..<20 { numbers.insert(try scene.get("/").text) }
    #expect(numbers == Set((1...20).map(String.init)))
    try scene.weft.reloaded { try folder.write("bundle/main.lua", script(2)) }
    let after = try scene.get("/")
    #expect(after["x-version"] == "2" && after.text == "21")
    #expect(try scene.weft.metric("weft_lua_user_seen_total", "bundle=\"test\"", "version=\"2\"") == 1)
  }

  @Test("background work runs from the start, on one worker or on each, and ends with its configuration")
  func background() throws {
    let keys = try Backend("keys")
    let folder = try TemporaryFolder()
    let script = { (version: Int) in
      """
      local state = weft.shared("state")
      function on_load() state:incr("loads", 1, 0) end
      weft.every(0.1, function()
        local answer = weft.http.get{service = "keys", path = "/echo"}
        if answer then state:incr("one-\(version)", 1, 0) end
      end, {worker = "one"})
      weft.every(0.1, function() state:incr("each-\(version)", 1, 0) end, {worker = "each"})
      function on_request(request)
        request:respond({[":status"] = "200"}, string.format("%s %s %s", state:get("loads"), state:get("one-1") or 0,
          state:get("one-2") or 0))
      end
      """
    }
    let scene = try Self.scene(
      folder, script(1), manifest: "services: [keys]", more: [Resources.service("keys", [keys.endpoint])])
    defer { scene.stop() }
    defer { keys.stop() }
    func numbers() throws -> [Int] { try scene.get("/").text.split(separator: " ").compactMap { Int($0) } }
    try eventually("a few runs") { try numbers()[1] >= 3 }
    #expect(try numbers()[0] == 2, "on_load ran once on each of two workers")
    try scene.weft.reloaded { try folder.write("bundle/main.lua", script(2)) }
    try eventually("the new version's runs") { try numbers()[2] >= 2 }
    let old = try numbers()[1]
    try eventually("more runs of the new version") { try numbers()[2] >= 5 }
    #expect(try numbers()[1] <= old + 1, "the old version has stopped")
    #expect(try scene.weft.metric("weft_lua_background_runs_total", "bundle=\"test\"", "result=\"done\"") > 5)
  }
}
