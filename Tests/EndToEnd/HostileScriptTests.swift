import Testing

/// What Tests/HostileScripts holds, in proxies with one worker each: every script ends as its first line says, the worker
/// serves another route meanwhile and afterwards, and its memory stays bounded. `Benchmarks/hostile.py` measures the same
/// scripts under load.
@Suite("Hostile Lua scripts", .endToEnd, .enabled(if: !Sanitizer.isOfThreads))
struct HostileScriptTests {
  @Test("each ends as it is meant to, and the worker serves on", arguments: HostileScript.batches)
  func ends(_ batch: HostileScript.Batch) throws {
    let folder = try TemporaryFolder()
    var resources: [String] = []
    for script in batch.scripts {
      try folder.write("\(script.id).lua", script.code)
      let cpu = script.isEndedByTime ? "" : ", cpu: 500ms"
      resources.append(
        Resources.filter(
          script.id, type: "lua",
          config: "file: \(folder.path(script.id)).lua, trip: {failures: 1000}, limits: {memory: 16MiB\(cpu)}"))
      resources.append(
        Resources.route(
          script.id,
          """
          rules: [{matches: [{path: {type: PathPrefix, value: /\(script.id)}}], \
          filters: [\(Resources.reference(script.id))], backendRefs: [\(Resources.backendRef("backend"))]}]
          """))
    }
    // One entry a line, whatever a script logs.
    let scene = try Scene(more: resources, arguments: ["--log-format", "json"])
    defer { scene.stop() }
    let before = try scene.weft.metric("process_resident_memory_bytes")
    for script in batch.scripts { try play(script, scene) }

    let states = try scene.weft.metric("weft_lua_memory_bytes")
    let after = try scene.weft.metric("process_resident_memory_bytes")
    #expect(states <= Double(batch.scripts.count * 16 << 20), "the states' memory")
    // Beside what the states hold: regular expressions, metadata, the allocator's own, and the debug build's.
    if !Sanitizer.isOn {
      #expect(after - before < states + 200e6, "from \(before) to \(after) bytes, states \(states)")
    }
  }

  /// Some requests at once, then one alone: what one call leaves behind meets the next.
  private func play(_ script: HostileScript, _ scene: Scene) throws {
    let request = HTTPText.get("/\(script.id)")
    let clients = try (0..<3).map { _ in try scene.client() }
    for client in clients { try client.send(request) }
    for client in clients { try check(script, try? client.response()) }
    try check(script, try? scene.client().exchange(request))
    #expect(try scene.get("/fine").status == 200, "\(script.id) (\(script.title)): another route")

    if let text = script.logged {
      try eventually("\(script.title): \"\(text)\" in the log of \(script.id)") {
        scene.weft.log.split(separator: "\n").contains { $0.contains(script.id) && $0.contains(text) }
      }
    }
    if script.isEndedByTime && !Sanitizer.isOn {
      // 20 ms, what ticks of 4 ms and of the kernel add, and one step of a debug build; Benchmarks/hostile.py has the real
      // figures.
      let longest = try scene.weft.metric("weft_lua_longest_call_seconds", "\"default/\(script.id)\"")
      #expect(longest < 0.5, "\(script.id) (\(script.title)) kept its worker for \(longest) s")
    }
  }

  @Test("a call that keeps Lua's collector at work costs the filter its state, and it gets a new one")
  func givenUp() throws {
    let folder = try TemporaryFolder()
    // A chain of weak keys, which one step of the collector follows in a time that grows with its square.
    try folder.write(
      "chain.lua",
      """
      weak = weak or setmetatable({}, {__mode = "k"})
      last = last or {}
      first = first or last
      function on_request(request)
        if request:headers():get(":path") == "/fine" then return end
        if request:headers():get(":path") == "/wait" then return request:sleep(60000) end
        while true do
          local n = {}
          weak[last] = n
          last = n
        end
      end
      """)
    func filter(_ onError: String) -> String {
      Resources.filter(
        "chain", type: "lua", config: "file: \(folder.path("chain.lua")), trip: {failures: 0}, onError: \(onError)")
    }
    let scene = try Scene(
      rules: """
        [{matches: [{path: {type: PathPrefix, value: /other}}], backendRefs: [\(Resources.backendRef("backend"))]}, \
        {filters: [\(Resources.reference("chain"))], backendRefs: [\(Resources.backendRef("backend"))]}]
        """, more: [filter("deny")])
    defer { scene.stop() }
    #expect(try scene.get("/fine").status == 200)
    let waiting = try scene.client()
    try waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    try eventually("the call to wait") { try scene.weft.metric("weft_filter_suspended", "default/chain") == 1 }
    try eventually("a state that is given up") {
      #expect(try scene.get("/chain").status == 500)
      return try scene.weft.metric("weft_lua_states_given_up", "default/chain") == 1
    }
    try eventually("a new one") { try scene.weft.metric("weft_lua_states_replaced_total", "default/chain") == 1 }
    #expect(try scene.get("/fine").status == 200)
    #expect(try scene.get("/other").status == 200)
    #expect(try scene.weft.metric("weft_lua_states_given_up", "default/chain") == 1, "one waits in it")
    try eventually("the lines") {
      let log = scene.weft.log
      return log.contains("state on this worker is given up") && log.contains("has a new Lua state on this worker")
    }
    waiting.socket.reset()
    try eventually("the state to go") { try scene.weft.metric("weft_lua_states_given_up", "default/chain") == 0 }
    try scene.weft.reloaded { try writeFile(scene.configurationPath, scene.configuration(more: [filter("skip")])) }
    #expect(try scene.get("/fine").status == 200)
  }

  private func check(_ script: HostileScript, _ response: HTTPMessage?) throws {
    let what: Comment = "\(script.id) (\(script.title))"
    switch script.end {
    case .fails: #expect(response?.status == 500, what)
    case .goesOn: #expect(response?.status == 200, what)
    // What comes too late to change the status may end the response.
    case .failsLate: #expect(response == nil || response?.status == 200, what)
    }
  }
}

/// A section of a file in Tests/HostileScripts; see its README.
struct HostileScript: Sendable {
  enum End { case fails, failsLate, goesOn }

  /// Scripts that share a proxy.
  struct Batch: Sendable, CustomTestStringConvertible {
    let scripts: [HostileScript]
    var testDescription: String { "\(scripts.first?.id ?? "") to \(scripts.last?.id ?? "")" }
  }

  /// `loops-07`.
  let id: String
  let title: String
  let code: String
  let end: End
  let isEndedByTime: Bool
  /// What the log has.
  let logged: String?

  static let batches: [Batch] = {
    let all = files.flatMap { name in
      let text = readFile("\(folder)/\(name)") ?? ""
      let sections = "\n\(text)".split(separator: "\n--- ", omittingEmptySubsequences: false).dropFirst()
      return sections.enumerated().map { HostileScript(file: String(name.dropLast(4)), number: $0 + 1, String($1)) }
    }
    return stride(from: 0, to: all.count, by: 24).map { Batch(scripts: Array(all[$0..<min($0 + 24, all.count)])) }
  }()

  private static let folder =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    + "/HostileScripts"

  private static var files: [String] { listFolder(folder).filter { $0.hasSuffix(".lua") }.sorted() }

  /// - Parameter section: `NAME: ENDS`, and the script from the next line on.
  private init(file: String, number: Int, _ section: String) {
    let head = section.prefix { $0 != "\n" }
    let body = section.dropFirst(head.count + 1)
    var words: [Substring] = []
    var name = head
    for kind in ["cpu", "memory", "error", "logged", "fine"] {
      guard let range = head.ranges(of: ": \(kind)").last else { continue }
      let rest = head[range.upperBound...]
      guard rest.isEmpty || rest.hasPrefix(" \"") else { continue }
      words = [Substring(kind), rest.dropFirst(2).dropLast()]
      name = head[..<range.lowerBound]
    }
    let digits = String(1000 + number).dropFirst()
    id = "\(file)-\(digits)"
    title = String(name)
    code = body.contains("function on_") ? String(body) : "function on_request(handle)\n\(body)\nend\n"
    let text = words.count > 1 && !words[1].isEmpty ? String(words[1]) : nil
    let kind = words.first ?? "no end given"
    isEndedByTime = kind == "cpu" || text == "processor time"
    switch kind {
    case "cpu": (end, logged) = (.fails, "processor time")
    case "memory": (end, logged) = (.fails, "memory")
    case "error": (end, logged) = (.fails, text ?? "traceback")
    case "logged": (end, logged) = (.failsLate, text)
    case "fine": (end, logged) = (.goesOn, nil)
    default:
      Issue.record("Tests/HostileScripts/\(file).lua: \"\(head)\" does not say how it ends")
      (end, logged) = (.goesOn, nil)
    }
  }
}
