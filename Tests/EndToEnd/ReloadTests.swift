import Glibc
import Testing

@Suite("Hot reload", .endToEnd)
struct ReloadTests {
  /// Rules that answer with a text of their own, so that a response tells which configuration made it.
  private static func rules(_ text: String) -> String {
    """
    [{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-version, value: "\(text)"}]}}], \
    backendRefs: [\(Resources.backendRef("backend"))]}]
    """
  }

  private func version(_ scene: Scene) throws -> String { try scene.get("/echo")["x-version"] ?? "none" }

  // MARK: How files change

  @Test("a file that is written in place")
  func inPlace() throws {
    let scene = try Scene(rules: Self.rules("one"))
    defer { scene.stop() }
    #expect(try version(scene) == "one")
    try scene.weft.reloaded { try writeFile(scene.configurationPath, scene.configuration(rules: Self.rules("two"))) }
    #expect(try version(scene) == "two")
    try scene.weft.reloaded { try writeFile(scene.configurationPath, scene.configuration(rules: Self.rules("three"))) }
    #expect(try version(scene) == "three")
  }

  @Test("a file that another one is renamed over, as editors do")
  func renamed() throws {
    let scene = try Scene(rules: Self.rules("one"))
    defer { scene.stop() }
    for text in ["two", "three", "four"] {
      try scene.weft.reloaded {
        // The new file lies elsewhere until it is whole.
        try scene.weft.folder.write("new.yaml", scene.configuration(rules: Self.rules(text)))
        #expect(rename(scene.weft.folder.path("new.yaml"), scene.configurationPath) == 0)
      }
      #expect(try version(scene) == text)
    }
  }

  @Test("a link that is swapped, as Kubernetes does with a ConfigMap")
  func symbolicLink() throws {
    let folder = try TemporaryFolder()
    let port = try ReservedPort()
    let backend = try Backend()
    func write(_ name: String) throws {
      let documents = [
        Resources.gateway(port.number), Resources.service("backend", [backend.endpoint]),
        Resources.route("route", "rules: \(Self.rules(name))"),
      ]
      try folder.write("config/..\(name)/weft.yaml", documents.joined(separator: "\n---\n"))
    }
    try write("one")
    #expect(symlink("..one", folder.path("config/..data")) == 0)
    #expect(symlink("..data/weft.yaml", folder.path("config/weft.yaml")) == 0)
    let weft = try WeftProcess([:], ["-f", folder.path("config")])
    defer { weft.stop() }
    #expect(try RawClient(port.number).get("/echo")["x-version"] == "one")
    for name in ["two", "three"] {
      try weft.reloaded {
        try write(name)
        #expect(symlink("..\(name)", folder.path("config/..data_tmp")) == 0)
        #expect(rename(folder.path("config/..data_tmp"), folder.path("config/..data")) == 0)
      }
      #expect(try RawClient(port.number).get("/echo")["x-version"] == name)
    }
  }

  @Test("files that come and go in a folder")
  func folder() throws {
    let scene = try Scene()
    defer { scene.stop() }
    let extra = Resources.route(
      "extra",
      "rules: [{matches: [{path: {value: /extra}}], filters: [{type: RequestRedirect, requestRedirect: {statusCode: 302}}]}]"
    )
    #expect(try scene.get("/extra").status == 200)
    try scene.weft.reloaded { try scene.weft.folder.write("config/extra.yaml", extra) }
    #expect(try scene.get("/extra").status == 302)
    try scene.weft.reloaded { unlink(scene.weft.folder.path("config/extra.yaml")) }
    #expect(try scene.get("/extra").status == 200)
  }

  @Test("SIGHUP, and nothing else when files are not watched")
  func hangUp() throws {
    let scene = try Scene(rules: Self.rules("one"), arguments: ["--no-watch"])
    defer { scene.stop() }
    try writeFile(scene.configurationPath, scene.configuration(rules: Self.rules("two")))
    pause(milliseconds: 700)
    #expect(try version(scene) == "one")
    try scene.weft.reloaded { scene.weft.signal(SIGHUP) }
    #expect(try version(scene) == "two")
    try writeFile(scene.configurationPath, scene.configuration(rules: Self.rules("three")))
    #expect(try scene.weft.admin("POST", "/reload").status == 200)
    try eventually("the workers") { try version(scene) == "three" }
  }

  // MARK: Mistakes

  @Test("a broken file keeps the last good configuration, and says why")
  func broken() throws {
    let scene = try Scene(rules: Self.rules("one"))
    defer { scene.stop() }
    let cases = [
      ("not YAML", "{", "weft.yaml:"),
      ("an empty file, which is one that is being written", "", "is empty"),
      ("an unknown field", scene.configuration(rules: "[{backendRef: []}]"), "backendRef"),
      ("an unknown filter", scene.configuration(rules: "[{filters: [\(Resources.reference("nobody"))]}]"), "nobody"),
      (
        "an unknown filter type",
        scene.configuration(more: [Resources.filter("odd", type: "odd-type", config: "")]), "odd-type"
      ),
      ("a port that is taken", scene.configuration(port: scene.backend.port), "in use"),
    ]
    for (name, text, reason) in cases {
      try writeFile(scene.configurationPath, text)
      try eventually("the refusal of \(name)") {
        let reload = try JSONValue(scene.weft.get("/config").text)["lastReload"]
        let errors = reload["errors"].list.compactMap(\.string).joined(separator: "\n")
        return reload["succeeded"].bool == false && errors.contains(reason) && errors.contains("weft.yaml:")
      }
      #expect(try version(scene) == "one", "\(name)")
      #expect(try scene.weft.metric("weft_config_last_reload_successful") == 0)
      #expect(try scene.weft.get("/readyz").status == 200)
      #expect(scene.weft.log.contains(reason), "\(name)")
      let answer = try scene.weft.admin("POST", "/reload")
      #expect(answer.status == 400 && answer.text.contains(reason), "\(name)")
    }
    try scene.weft.reloaded { try writeFile(scene.configurationPath, scene.configuration(rules: Self.rules("two"))) }
    #expect(try version(scene) == "two")
    #expect(try scene.weft.metric("weft_config_last_reload_successful") == 1)
    let reload = try JSONValue(scene.weft.get("/config").text)["lastReload"]
    #expect(reload["succeeded"].bool == true && reload["errors"].list.isEmpty)
  }

  // MARK: What is under way

  @Test("an exchange keeps the configuration that it started with")
  func underWay() throws {
    let scene = try Scene(rules: Self.rules("one"))
    defer { scene.stop() }
    let client = try scene.client()
    let before = scene.backend.requests.count
    try client.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
    try eventually("the request") { scene.backend.requests.count > before }
    try scene.weft.reloaded { try writeFile(scene.configurationPath, scene.configuration(rules: Self.rules("two"))) }
    #expect(try version(scene) == "two")
    try client.send("2")
    let response = try client.response()
    #expect(response["x-version"] == "one")
    #expect(try client.get("/echo")["x-version"] == "two", "the connection goes on, with the new one")
  }

  @Test("endpoints change while requests are under way")
  func endpoints() throws {
    let scene = try Scene(backends: [Backend("old")])
    defer { scene.stop() }
    let new = try Backend("new")
    let slow = try scene.client()
    try slow.send(HTTPText.get("/slow?ms=1500"))
    try eventually("the request") { scene.backend.requests.count == 1 }
    #expect(try scene.get("/echo")["x-backend"] == "old")
    try scene.weft.reloaded {
      try writeFile(scene.configurationPath, scene.configuration(endpoints: [new.endpoint]))
    }
    for _ in 0..<5 { #expect(try scene.get("/echo")["x-backend"] == "new") }
    let response = try slow.response()
    #expect(response.status == 200 && response["x-backend"] == "old")
    try eventually("no connection to what is gone") { scene.backend.connections.allSatisfy { !$0.isOpen } }
    new.stop()
  }

  @Test("unchanged services keep their connections")
  func pools() throws {
    let scene = try Scene(rules: Self.rules("0"))
    defer { scene.stop() }
    let client = try scene.client()
    for i in 1...5 {
      #expect(try client.get("/echo").status == 200)
      try scene.weft.reloaded {
        try writeFile(scene.configurationPath, scene.configuration(rules: Self.rules(String(i))))
      }
    }
    #expect(try client.get("/echo")["x-version"] == "5")
    #expect(scene.backend.connections.count == 1)
  }

  // MARK: Listeners

  @Test("listeners are added, moved and removed while requests flow")
  func listeners() throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let other = try ReservedPort()
    let moved = try ReservedPort()
    let second = { (port: Int) in
      [
        Resources.gateway(port, name: "second"),
        Resources.route("second", "rules: \(Scene.toBackend)", gateway: "second"),
      ]
    }
    let load = Load(clients: 8, port: { [port = scene.port] in port })
    // Added.
    #expect(throws: (any Error).self) { try RawClient(other.number) }
    try scene.weft.reloaded {
      try writeFile(scene.configurationPath, scene.configuration(more: second(other.number)))
    }
    #expect(try RawClient(other.number).get("/echo").status == 200)
    // Moved, with a request under way at the old place.
    let slow = try RawClient(other.number)
    let before = scene.backend.requests.filter { $0.path == "/slow" }.count
    try slow.send(HTTPText.get("/slow?ms=1000"))
    try eventually("the request") { scene.backend.requests.filter { $0.path == "/slow" }.count > before }
    let idle = try RawClient(other.number)
    #expect(try idle.get("/echo").status == 200)
    try scene.weft.reloaded {
      try writeFile(scene.configurationPath, scene.configuration(more: second(moved.number)))
    }
    #expect(try RawClient(moved.number).get("/echo").status == 200)
    #expect(throws: (any Error).self) { try RawClient(other.number) }
    #expect(try idle.ends(), "an idle connection of a listener that is gone is closed")
    #expect(try slow.response().text == "slow", "what is under way comes to its end")
    #expect(try slow.ends())
    // Removed, with requests on their way there.
    let late = try (0..<10).map { _ in try RawClient(moved.number) }
    for client in late[..<5] { #expect(try client.get("/echo").status == 200) }
    for client in late[..<5] { try client.send(HTTPText.get("/slow?ms=300")) }
    try writeFile(scene.configurationPath, scene.configuration())
    scene.weft.signal(SIGHUP)
    for client in late[5...] { try client.send(HTTPText.get("/echo")) }
    for client in late { #expect(try client.response().status == 200) }
    try eventually("the listener to be gone") { (try? RawClient(moved.number)) == nil }
    let mistakes = try load.stop()
    #expect(mistakes == [], "the listener that stayed has noticed nothing")
  }

  @Test("what a removed listener still has after the drain time is cut off")
  func removedListenersDrain() throws {
    let other = try ReservedPort()
    let scene = try Scene(
      proxy: "timeouts: {drain: 500ms}",
      more: [
        Resources.gateway(other.number, name: "second"),
        Resources.route("second", "rules: \(Scene.toBackend)", gateway: "second"),
      ])
    defer { scene.stop() }
    let tunnel = try RawClient(other.number)
    try tunnel.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    #expect(try tunnel.reader.responseHead(to: "GET").status == 101)
    let waiting = try RawClient(other.number)
    try waiting.send(HTTPText.get("/hang"))
    try eventually("the requests") { scene.backend.requests.count == 2 }
    try scene.weft.reloaded { try writeFile(scene.configurationPath, scene.configuration(more: [])) }
    #expect(try tunnel.untilEnd() == Array("hello\n".utf8))
    #expect(try waiting.ends())
    #expect(try scene.get("/echo").status == 200)
    try eventually("nothing left") { try scene.weft.metric("weft_downstream_connections_active") == 0 }
    #expect(try scene.weft.metric("weft_http_requests_active") == 0)
  }

  @Test("a listener that moves away takes no request with it")
  func moveUnderLoad() throws {
    let scene = try Scene(workers: 2)
    defer { scene.stop() }
    let ports = try [ReservedPort(), ReservedPort()]
    let current = Locked(scene.port)
    let load = Load(clients: 16, port: { current.current }, reconnects: true)
    try load.wait(forMore: 100)
    for i in 0..<6 {
      let next = ports[i % 2].number
      let both = [
        Resources.gateway(next, name: "second"),
        Resources.route("second", "rules: \(Scene.toBackend)", gateway: "second"),
      ]
      try scene.weft.reloaded {
        try writeFile(scene.configurationPath, scene.configuration(port: current.current, more: both))
      }
      current.withLock { $0 = next }
      // Clients that are about to connect to the old one get their time.
      try load.wait(forMore: 200)
      try scene.weft.reloaded { try writeFile(scene.configurationPath, scene.configuration(port: next)) }
      try load.wait(forMore: 50)
    }
    let mistakes = try load.stop()
    #expect(mistakes == [])
  }

  // MARK: Many

  @Test(
    "200 reloads in a row, of routes, filters and Lua, under the load of 64 connections fail no request and cost no memory"
  )
  func many() throws {
    let rules = { (i: Int) in
      Self.rules(String(i)).replacing("filters: [", with: "filters: [\(Resources.reference("script")), ")
    }
    let script = { (i: Int) in
      Resources.filter(
        "script", type: "lua",
        config: "script: \"function on_response(r) r:headers():add('x-script', '\(i / 4)') end\"")
    }
    let scene = try Scene(rules: rules(0), more: [script(0)], workers: 2)
    defer { scene.stop() }
    let load = Load(
      clients: 64, port: { [port = scene.port] in port },
      check: { $0.status == 200 && $0["x-version"] != nil && $0["x-script"] != nil ? nil : "\($0.head)\($0.text)" })
    try load.wait(forMore: 200)
    func reload(_ count: Int) throws {
      for i in 1...count {
        let (a, b) = (i % 2 == 0, i % 3 == 0)
        let text = scene.configuration(
          service: "connectionPool: {maxConnections: \(a ? 1024 : 512)}", rules: rules(i),
          more: [script(i)]
            + (b
              ? [
                Resources.filter(
                  "tag", type: "header-modifier", config: "request: {set: [{name: x-i, value: \"\(i)\"}]}"),
                Resources.route(
                  "extra",
                  "rules: [{matches: [{path: {value: /extra}}], filters: [\(Resources.reference("tag"))], "
                    + "backendRefs: [\(Resources.backendRef("backend"))]}]"),
              ] : []))
        try writeFile(scene.configurationPath, text)
        #expect(try scene.weft.admin("POST", "/reload").status == 200)
      }
    }
    try reload(60)
    let before = scene.weft.process.memory
    try reload(200)
    try load.wait(forMore: 200)
    let grown = scene.weft.process.memory - before
    let mistakes = try load.stop()
    #expect(mistakes == [])
    #expect(grown < 2048, "grew by \(grown) KB")
    #expect(try scene.weft.metric("weft_config_reloads_total", "applied") >= 200)
    try eventually("the workers to agree") { try scene.weft.appliedVersion() != nil }
  }
}
