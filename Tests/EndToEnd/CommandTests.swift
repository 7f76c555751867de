import Glibc
import Testing

@Suite("The command line", .endToEnd)
struct CommandTests {
  /// A configuration that is fine, for no port is opened by what only reads it.
  private static let valid =
    [
      Resources.gateway(8080), Resources.service("shop", [.port(9001)]), Resources.service("next", [.port(9002)]),
      Resources.filter("tag", type: "header-modifier", config: "request: {set: [{name: x, value: y}]}"),
      Resources.route(
        "shop",
        """
        hostnames: [shop.example], rules: [\
        {name: canary, matches: [{path: {value: /cart}, headers: [{name: x-canary, value: "yes"}]}], \
        backendRefs: [\(Resources.backendRef("next"))]}, \
        {name: cart, matches: [{path: {value: /cart}}], filters: [\(Resources.reference("tag"))], \
        backendRefs: [\(Resources.backendRef("shop", weight: 3)), \(Resources.backendRef("next", weight: 1))]}]
        """),
    ].joined(separator: "\n---\n") + "\n"

  private func files(_ files: [String: String]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for (name, text) in files { try folder.write(name, text) }
    return folder
  }

  // MARK: Help

  @Test("help is there for every command, and is no mistake")
  func help() throws {
    for arguments in [["--help"], ["-h"], [], ["help"]] {
      let result = try Tool.run(WeftBinary.path, arguments)
      #expect(result.code == 0, "\(arguments)")
      #expect(result.errorOutput.isEmpty)
      for command in ["run", "check", "routes", "filter"] { #expect(result.output.contains("\n  \(command)")) }
    }
    let options = [
      "run": [
        "--file", "--listen", "--to", "--filter", "--bundles", "--workers", "--admin", "--no-watch", "--strict",
        "--log-level", "--log-format", "--pin-workers",
      ],
      "check": ["--file", "--bundles", "--strict", "--json"], "routes": ["--file", "--bundles", "--header", "--json"],
      "filter list": ["--json"],
      "filter test": [
        "--filter", "--fail-fast", "--verbose", "--timeout", "--json", "--junit", "--coverage", "--coverage-lcov",
        "--watch",
      ],
      "filter run": ["--request", "--response", "--service", "--settings", "--json", "-X", "-H", "-d"],
      "filter bench": ["--request", "--seconds", "--json"],
    ]
    for (command, names) in options {
      let words = command.split(separator: " ").map(String.init)
      for arguments in [words + ["--help"], ["help"] + words] {
        let result = try Tool.run(WeftBinary.path, arguments)
        #expect(result.code == 0)
        #expect(result.output.contains("weft \(command)"), "an example")
        for name in names { #expect(result.output.contains(name), "\(command) \(name)") }
      }
    }
    let version = try WeftBinary.run("--version")
    #expect(version.code == 0 && version.output.wholeMatch(of: #/\d+\.\d+\.\d+\n/#) != nil)
  }

  @Test("usage errors exit with 2, say what is wrong, and leave stdout alone")
  func usage() throws {
    let cases: [([String], String)] = [
      (["frobnicate"], "frobnicate"), (["check"], "weft check PATH"), (["check", "-f"], "file"),
      (["run"], "weft run PATH"), (["run", "a", "--listen", ":1"], "such as a"),
      (["run", "--listen", ":1"], "--to"), (["run", "-f", "a", "--workers", "257"], "--workers"),
      (["run", "-f", "a", "--log-level", "loud"], "loud"), (["run", "-f", "a", "--log-format", "xml"], "xml"),
      (["run", "-f", "a", "--admin", "nowhere"], "--admin"), (["routes", "-f", "a", "GET"], "METHOD URL"),
      (["routes", "GET", "http://a/"], "weft routes PATH"), (["routes", "-f", "a", "GET", "ftp://a/"], "ftp://a/"),
      (["routes", "-f", "a", "GET", "http://a/", "-H", "nocolon"], "nocolon"),
      (["routes", "-f", "a", "GET", "http://a:99999/"], "port"), (["filter", "list", "--yaml"], "--yaml"),
      (["filter", "test"], "folders"), (["filter", "test", "x", "--filter", "("], "--filter"),
    ]
    for (arguments, reason) in cases {
      let result = try Tool.run(WeftBinary.path, arguments)
      #expect(result.code == 2, "\(arguments): \(result.code)")
      #expect(result.errorOutput.contains(reason), "\(arguments): \(result.errorOutput)")
      #expect(result.output.isEmpty, "\(arguments)")
    }
  }

  // MARK: weft check

  @Test("check says what there is, and exits with 0")
  func checkValid() throws {
    let folder = try files(["a/weft.yaml": Self.valid])
    for path in ["a", "a/weft.yaml"] {
      let result = try WeftBinary.run("check", "-f", folder.path(path))
      #expect(result.code == 0)
      #expect(result.output == "ok: 1 listener, 2 route rules, 1 filter, 2 services\n")
    }
    #expect(try WeftBinary.run("check", "--strict", folder.path("a")).code == 0)
    #expect(try WeftBinary.run("check", folder.path("a/weft.yaml"), folder.path("none")).code == 1)
    let json = try WeftBinary.run("check", "--json", "-f", folder.path("a"))
    #expect(json.code == 0 && json.output.isEmpty)
  }

  @Test("check says every mistake with file, line and path, and exits with 1")
  func checkInvalid() throws {
    let folder = try files([
      "a.yaml": Self.valid,
      "b.yaml": """
      apiVersion: weft.dev/v1
      kind: Service
      metadata: {name: odd}
      spec:
        endpoints: []
        loadBalancer: fastest
      ---
      apiVersion: weft.dev/v1
      kind: Filter
      metadata: {name: f}
      spec: {type: retry, config: {attempts: -1, retryOn: [never]}}

      """,
      "c.json": #"{"apiVersion": "weft.dev/v1", "kind": "Filter", "metadata": {"name": "g"}, "spec": {"type": "x"}}"#,
    ])
    let result = try WeftBinary.run("check", "-f", folder.path)
    #expect(result.code == 1)
    let b = folder.path("b.yaml")
    for line in [
      "\(b):5: spec.endpoints: ", "\(b):6: spec.loadBalancer: ", "\(b):11: spec.config.attempts: ",
      "\(b):11: spec.config.retryOn[0]: ", "\(folder.path("c.json")):1: spec.type: ",
    ] {
      #expect(result.output.contains(line), "\(line) in \(result.output)")
    }
    #expect(result.output.contains("5 errors, 0 warnings"))

    let json = try WeftBinary.run("check", "--json", "-f", folder.path)
    #expect(json.code == 1)
    let objects = try json.output.split(separator: "\n").map { try JSONValue(String($0)) }
    #expect(objects.count == 5)
    for object in objects {
      #expect(object["severity"].string == "error")
      #expect(object["file"].string?.hasPrefix(folder.path) ?? false)
      #expect(object["line"].int ?? 0 > 0)
      #expect(object["message"].string?.isEmpty == false)
    }
    for arguments in [
      ["check", "-f", folder.path("none")], ["routes", "-f", folder.path("none"), "GET", "http://a/"],
    ] {
      let missing = try Tool.run(WeftBinary.path, arguments)
      #expect(missing.code == 1 && missing.output.contains("none"), "\(missing)")
    }
  }

  @Test("warnings are errors for --strict only")
  func warnings() throws {
    let folder = try files(["weft.yaml": Self.valid.replacing("name: next, weight: 1", with: "name: gone, weight: 1")])
    let result = try WeftBinary.run("check", "-f", folder.path("weft.yaml"))
    #expect(result.code == 0)
    #expect(result.output.contains("gone"))
    #expect(result.output.contains(", 1 warning"))
    #expect(try WeftBinary.run("check", "--strict", "-f", folder.path("weft.yaml")).code == 1)
    let run = try WeftBinary.run("run", "--strict", "--admin", "off", "-f", folder.path("weft.yaml"))
    #expect(run.code == 1 && run.errorOutput.contains("gone"))
  }

  // MARK: weft routes

  @Test("routes explains which rule a request takes, and exits with 1 when there is none")
  func routes() throws {
    let folder = try files(["weft.yaml": Self.valid])
    func explain(_ arguments: String...) throws -> ToolResult {
      try Tool.run(WeftBinary.path, ["routes", "-f", folder.path("weft.yaml")] + arguments)
    }
    let plain = try explain("GET", "http://shop.example:8080/cart?x=1")
    #expect(plain.code == 0)
    #expect(plain.output.contains("rule default/shop/cart"))
    #expect(plain.output.contains("default/tag (header-modifier)"))
    #expect(plain.output.contains("backend default/shop, 75 %") && plain.output.contains("backend default/next, 25 %"))
    let unnamed = try WeftBinary.run("routes", folder.path("weft.yaml"), "GET", "http://shop.example:8080/cart?x=1")
    #expect(unnamed.code == 0 && unnamed.output == plain.output)
    let canary = try explain("GET", "http://shop.example:8080/cart", "-H", "x-canary: yes")
    #expect(canary.code == 0 && canary.output.contains("rule default/shop/canary"))
    for url in ["http://other.example:8080/cart", "http://shop.example:8080/other"] {
      let none = try explain("GET", url)
      #expect(none.code == 1, "\(url)")
      #expect(!none.output.isEmpty)
    }
  }

  @Test("routes says the same as JSON")
  func routesAsJSON() throws {
    let folder = try files(["weft.yaml": Self.valid])
    func explain(_ arguments: String...) throws -> (code: Int32, answer: JSONValue) {
      let result = try Tool.run(WeftBinary.path, ["routes", folder.path("weft.yaml"), "--json"] + arguments)
      return (result.code, try JSONValue(result.output))
    }
    let (code, plain) = try explain("GET", "http://shop.example:8080/a/../cart?x=1")
    #expect(code == 0 && plain["rule"].string == "default/shop/cart" && plain["normalPath"].string == "/cart")
    #expect(plain["listener"].string != nil && plain["host"].string == "shop.example")
    #expect(plain["matches"].list.filter { $0["isChosen"].bool == true }.map { $0["route"].string } == ["default/shop"])
    #expect(plain["matches"].list.allSatisfy { $0["verdict"].string?.isEmpty == false && $0["asks"].string != nil })
    let backends = plain["backends"].list
    #expect(backends.map { $0["service"].string } == ["default/shop", "default/next"])
    #expect(backends.map { $0["percent"].int } == [75, 25])
    let filters = backends.first?["filters"].list ?? []
    #expect(filters.contains { $0["name"].string == "default/tag" && $0["type"].string == "header-modifier" })
    // No rule, and a listener that there is not: exit code 1.
    let none = try explain("GET", "http://shop.example:8080/other")
    #expect(none.code == 1 && none.answer["rule"].string == nil && none.answer["error"].string == nil)
    let missing = try Tool.run(WeftBinary.path, ["routes", folder.path("none"), "--json", "GET", "http://a/"])
    #expect(missing.code == 1)
    #expect(try JSONValue(missing.output)["error"].string?.contains("none") == true)
  }

  // MARK: weft filter list

  @Test("filter list lists the types")
  func filters() throws {
    let text = try WeftBinary.run("filter", "list")
    let json = try WeftBinary.run("filter", "list", "--json")
    #expect(text.code == 0 && json.code == 0)
    let names = text.output.split(separator: "\n").map(String.init)
    #expect(names == names.sorted() && names.contains("lua") && names.contains("rate-limit"))
    #expect(try JSONValue(json.output).list.compactMap(\.string) == names)
  }

  // MARK: weft run

  @Test("run says at its start what it serves")
  func summary() throws {
    let port = try ReservedPort()
    let text = Self.valid.replacing("port: 8080", with: "port: \(port.number)")
    let weft = try WeftProcess(["weft.yaml": text], workers: 3)
    defer { weft.stop() }
    let rows = weft.log.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    for row in [
      ["listener", "default/gateway/http", "127.0.0.1:\(port.number)"], ["service", "default/shop", "1", "endpoint"],
      ["service", "default/next", "1", "endpoint"], ["filter", "default/tag", "header-modifier"],
      ["routes", "2", "rules"], ["workers", "3"], ["admin", "http://127.0.0.1:\(weft.admin)"],
    ] {
      #expect(rows.contains(row), "\(row) in \(weft.log)")
    }
    #expect(weft.log.contains("ready"))
  }

  @Test("several files and folders are one configuration")
  func severalFiles() throws {
    let parts = Self.valid.split(separator: "\n---\n").map(String.init)
    let folder = try files([
      "gateway.yaml": parts[0], "rest/a.yaml": parts[1...3].joined(separator: "\n---\n"),
      "rest/b.yml": parts[4],
    ])
    let result = try WeftBinary.run("check", "-f", folder.path("gateway.yaml"), "-f", folder.path("rest"))
    #expect(result.output == "ok: 1 listener, 2 route rules, 1 filter, 2 services\n", "\(result.output)")
  }
}
