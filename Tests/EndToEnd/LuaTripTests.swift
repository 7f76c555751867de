import Testing

@Suite("Lua filters that trip", .endToEnd)
struct LuaTripTests {
  private static let faulty = """
    function on_request(request)
      if request:headers():get("x-what") == "error" then error("oops") end
    end
    """

  private struct Proxy {
    let folder: TemporaryFolder
    let scene: Scene
    /// The Filter resource.
    let filter: String

    init(_ config: String) throws {
      folder = try TemporaryFolder()
      try folder.write("bundle/bundle.yaml", "name: gate\nversion: 1.0.0\n")
      try folder.write("bundle/main.lua", LuaTripTests.faulty)
      filter = Resources.filter("gate", type: "lua", config: "bundle: \(folder.path("bundle")), \(config)")
      scene = try Scene(
        rules: "[{filters: [\(Resources.reference("gate"))], backendRefs: [\(Resources.backendRef("backend"))]}]",
        more: [filter])
    }

    func fail(_ count: Int) throws {
      for _ in 0..<count { _ = try scene.get("/", "x-what: error") }
    }

    var isTripped: Bool {
      get throws { try scene.weft.metric("weft_filter_tripped", "filter=\"default/gate\"") == 1 }
    }
  }

  @Test("a script that keeps failing denies without running, and runs again when one request succeeds")
  func closed() throws {
    let proxy = try Proxy("trip: {failures: 5, window: 60s, for: 1s}")
    let scene = proxy.scene
    defer { scene.stop() }
    try proxy.fail(5)
    try eventually("the gauge") { try proxy.isTripped }
    // Within the second that it stays so, unless the machine stands still.
    let denied = try scene.get("/")
    if denied.status == 500 {
      #expect(denied.text == "a filter failed\n")
      try eventually("the counter") { try scene.weft.metric("weft_filter_tripped_requests_total", "denied") >= 1 }
      try eventually("the access log") {
        scene.accessLogNow.contains { $0.details == "lua_tripped" && $0.status == 500 }
      }
    }
    try eventually("the filter to run again") { try scene.get("/").status == 200 }
    #expect(try !proxy.isTripped)
    #expect(try scene.weft.metric("weft_filter_trips_total", "filter=\"default/gate\"") == 1)
    try eventually("the lines") { scene.weft.log.contains("the filter runs again, after") }
    let lines = scene.weft.log.split(separator: "\n").filter { $0.contains("the filter has tripped closed") }
    #expect(lines.count == 1)
    let line = try #require(lines.first)
    #expect(line.contains("main.lua:2: oops") && line.contains("default/gate") && line.contains("gate"), "\(line)")
  }

  @Test("tripped open, requests go on without the filter")
  func open() throws {
    let proxy = try Proxy("onError: skip, trip: {failures: 5, window: 60s, for: 600s}")
    let scene = proxy.scene
    defer { scene.stop() }
    try proxy.fail(5)
    for _ in 0..<10 { #expect(try scene.get("/", "x-what: error").status == 200) }
    #expect(try scene.weft.metric("weft_filter_errors_total", "filter=\"default/gate\"") == 5)
    #expect(try scene.weft.metric("weft_filter_tripped_requests_total", "skipped") == 10)
    #expect(scene.backend.requests.count == 15)
  }

  @Test("a corrected bundle runs at once; another change of the configuration does not count as one")
  func reload() throws {
    let proxy = try Proxy("trip: {failures: 5, window: 60s, for: 600s}")
    let scene = proxy.scene
    defer { scene.stop() }
    try proxy.fail(5)
    #expect(try scene.get("/").status == 500)
    try scene.weft.reloaded {
      let other = Resources.service("other", endpoints: ["127.0.0.1:9"])
      try writeFile(scene.configurationPath, scene.configuration(more: [proxy.filter, other]))
    }
    #expect(try scene.get("/").status == 500)
    #expect(try proxy.isTripped)
    try scene.weft.reloaded {
      try proxy.folder.write("bundle/main.lua", "function on_request(r) r:headers():add('x-fixed', 'yes') end")
    }
    #expect(try scene.get("/echo", "x-what: error").text.contains("x-fixed: yes"))
    #expect(try !proxy.isTripped)
  }
}
