import Testing
import WeftConfig
import WeftFilterTest

@Suite("Trying a bundle on one request")
struct TrialTests {
  private static let script = """
    function on_request(h)
      h:headers():replace("x-a", "new")
      h:headers():remove("x-gone")
      h:headers():add("x-come", h:settings().value or "none")
      if h:headers():get(":path") == "/no" then h:respond({[":status"] = "403"}, "no") end
      if h:headers():get(":path") == "/call" then
        local headers = h:httpCall("users", {[":method"] = "GET", [":path"] = "/u", [":authority"] = "u"}, nil, 10)
        h:logInfo("users said " .. headers[":status"])
      end
      if h:headers():get(":path") == "/fail" then error("on purpose") end
    end
    function on_response(h)
      h:body(true):setBytes("changed")
    end
    """

  private func bundle(_ files: [String: String] = [:]) throws -> ScratchBundle {
    let manifest = """
      name: scratch
      version: 1.0.0
      services: [users]
      settings: {type: object, properties: {value: {type: string}}}
      """
    return try ScratchBundle(
      files.merging(["main.lua": Self.script, "bundle.yaml": manifest]) { given, _ in given })
  }

  private func trial(_ bundle: ScratchBundle, _ change: (inout FilterTrial.Input) throws -> Void) throws -> FilterTrial
  {
    var input = FilterTrial.Input()
    try change(&input)
    return try FilterTrial(bundle.path, input)
  }

  @Test("before and after stand side by side, changes marked")
  func sideBySide() throws {
    let bundle = try bundle()
    let trial = try trial(bundle) { input in
      input.request.set(url: "http://shop.example/x?y=1")
      let areHeaders = [input.request.add(header: "x-a: old"), input.request.add(header: "x-gone: 1")]
      #expect(areHeaders == [true, true])
      input.settings = try ConfigNode(yaml: "value: v")
    }
    let text = trial.text(width: 100, usesColor: false)
    #expect(text.contains("GET /x?y=1"))
    #expect(text.contains("~ x-a: new") && text.contains("+ x-come: v"))
    #expect(text.split(separator: "\n").contains { $0.hasPrefix("x-gone: 1") && $0.hasSuffix("-") })
    #expect(trial.error == nil && !trial.hasResponded)
    let json = try ConfigNode(yaml: trial.json, file: "a.json")
    #expect(json["request"]?["after"]?.items.compactMap(\.stringValue).contains("x-come: v") == true)
  }

  @Test("answers of the filter, calls, logs and failures are shown")
  func outcomes() throws {
    let bundle = try bundle()
    let own = try trial(bundle) { $0.request.set(url: "/no") }
    #expect(own.hasResponded && own.text(width: 80, usesColor: false).contains("nothing goes to the upstream"))
    let call = try trial(bundle) { $0.request.set(url: "/call") }
    #expect(call.calls == ["GET /u of users: refused"] && call.logs == ["info: users said 503"])
    let failed = try trial(bundle) { $0.request.set(url: "/fail") }
    #expect(failed.error?.contains("on purpose") == true)
  }

  @Test("messages come from files: HTTP/1.1, YAML and JSON")
  func files() throws {
    let bundle = try bundle([
      "r.http": "POST /p HTTP/1.1\r\nHost: a.example\r\nX-A: old\r\nContent-Length: 99\r\n\r\nline one\nline two",
      "r.yaml": "method: POST\npath: /p\nhost: a.example\nheaders: {X-A: old}\nbody: \"line one\\nline two\"\n",
      "r.json":
        #"{"method":"POST","path":"/p","host":"a.example","headers":{"X-A":["old"]},"body":"line one\nline two"}"#,
      "answer.http": "HTTP/1.1 418 Teapot\nX-Tea: green\n\nhot",
    ])
    for name in ["r.http", "r.yaml", "r.json"] {
      let trial = try trial(bundle) { input in
        input.request = try MessageFile("\(bundle.path)/\(name)", .request)
        input.response = try MessageFile("\(bundle.path)/answer.http", .response)
      }
      let text = trial.text(width: 100, usesColor: false).lowercased()
      for part in [
        "post /p", "host: a.example", "~ x-a: new", "line two", "x-tea: green", "content-length: 17", "~ changed",
      ] {
        #expect(text.contains(part), "\(name): \(part)\n\(text)")
      }
    }
  }

  @Test(
    "mistakes in files are told with their place",
    arguments: [
      ("GET / HTTP/1.1\nno header\n\n", ":2: is no header"), ("hello", "is neither HTTP/1.1"),
      ("pth: /x", "there is no such field"), ("headers: [a]", "expected an object"), ("{", ""),
    ])
  func mistakes(_ text: String, _ message: String) throws {
    let bundle = try bundle(["r": text])
    let error = #expect(throws: ConfigError.self) { try MessageFile("\(bundle.path)/r", .request) }
    #expect(error?.description.contains(message) == true || message.isEmpty, "\(String(describing: error))")
  }
}
